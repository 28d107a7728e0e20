// SPDX-License-Identifier: Apache-2.0
// A scratch buffer that holds one stretch of one file, so that one read serves many chunks. One per thread,
// lent to whichever reader works; the borrower ends with forget(), because the window keeps the file open.
#pragma once

#include <cstdint>
#include <memory>

#include "base/ports.h"

namespace sluice::storage {

class ReadAhead {
 public:
  static constexpr std::size_t bytes_kept = 256 << 10;

  // The file's bytes from `position`: at least `least`, up to `most` if that needs no second read. The view
  // is valid until the next fetch or forget. corrupt when the file ends before `least`.
  base::Result<base::ByteView> fetch(const std::shared_ptr<base::File>& file, std::uint64_t position,
                                     std::size_t least, std::size_t most);
  void forget() {
    file_.reset();
    if (buffer_.capacity() > bytes_kept) buffer_ = {};
  }

 private:
  std::shared_ptr<base::File> file_;  // shared, so that no other file takes its address
  std::uint64_t begin_ = 0;
  std::size_t size_ = 0;
  base::ByteBuffer buffer_;
};

}  // namespace sluice::storage
