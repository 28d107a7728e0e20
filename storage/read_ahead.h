// SPDX-License-Identifier: Apache-2.0
// A scratch buffer that holds one stretch of one file, so that one read serves many chunks. One per thread,
// lent to whichever reader works; what it holds is only trusted within one call of the borrower, who begins
// with forget().
#pragma once

#include <cstdint>

#include "base/ports.h"

namespace sluice::storage {

class ReadAhead {
 public:
  static constexpr std::size_t bytes_kept = 256 << 10;

  // The file's bytes from `position`: at least `least`, up to `most` if that needs no second read. The view
  // is valid until the next fetch or forget. corrupt when the file ends before `least`.
  base::Result<base::ByteView> fetch(const base::File& file, std::uint64_t position, std::size_t least,
                                     std::size_t most);
  // Call when a new borrower begins and before a File may have gone away.
  void forget() {
    file_ = nullptr;
    if (buffer_.capacity() > bytes_kept) buffer_ = {};
  }

 private:
  const base::File* file_ = nullptr;
  std::uint64_t begin_ = 0;
  std::size_t size_ = 0;
  base::ByteBuffer buffer_;
};

}  // namespace sluice::storage
