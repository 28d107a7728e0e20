// SPDX-License-Identifier: Apache-2.0
// A buffer that holds one stretch of one file, so that one read serves many chunks. One per thread, lent to
// whichever reader works. What it holds are committed bytes, which never change, so it stays good from one
// borrower to the next; it keeps the file open, so forget() when files may have to go.
#pragma once

#include <cstdint>
#include <memory>

#include "base/ports.h"

namespace sluice::storage {

class ReadAhead {
 public:
  static constexpr std::size_t bytes_kept = 256 << 10;

  // The file's bytes from `position`: at least `least`. When that needs a read it fetches `likely` bytes, and
  // twice as many each time it goes on where the last one ended; never more than `most`. The view is valid
  // until the next fetch or forget. corrupt when the file ends before `least`.
  base::Result<base::ByteView> fetch(const std::shared_ptr<base::File>& file, std::uint64_t position,
                                     std::size_t least, std::size_t likely, std::size_t most);
  void forget() {
    file_.reset();
    if (buffer_.capacity() > bytes_kept) buffer_ = {};
  }

 private:
  std::shared_ptr<base::File> file_;  // shared, so that no other file takes its address
  std::uint64_t begin_ = 0;
  std::size_t size_ = 0;
  std::size_t last_read_ = 0;
  base::ByteBuffer buffer_;
};

}  // namespace sluice::storage
