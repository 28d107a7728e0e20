// SPDX-License-Identifier: Apache-2.0
#include "storage/read_ahead.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::storage {

base::Result<base::ByteView> ReadAhead::fetch(const std::shared_ptr<base::File>& file, std::uint64_t position,
                                              std::size_t least, std::size_t most) {
  if (file == file_ && position >= begin_ && position + least <= begin_ + size_) {
    const std::size_t at = position - begin_;
    return base::ByteView(buffer_).subspan(at, std::min(size_ - at, std::max(least, most)));
  }
  file_.reset();
  most = std::max(least, most);
  if (buffer_.size() < most) buffer_.resize(most);
  TRY(size, file->read_at(position, base::MutableBytes(buffer_).first(most)));
  if (size < least)
    return base::fail(base::Errc::corrupt, fmt::format("file ends at {}, {} bytes expected at {}",
                                                       position + size, least, position));
  file_ = file;
  begin_ = position;
  size_ = size;
  return base::ByteView(buffer_).first(size);
}

}  // namespace sluice::storage
