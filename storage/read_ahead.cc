// SPDX-License-Identifier: Apache-2.0
#include "storage/read_ahead.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::storage {

base::Result<base::ByteView> ReadAhead::fetch(const std::shared_ptr<base::File>& file, std::uint64_t position,
                                              std::size_t least, std::size_t likely, std::size_t most) {
  if (file == file_ && position >= begin_ && position + least <= begin_ + size_)
    return base::ByteView(buffer_).first(size_).subspan(position - begin_);
  // A little may be left out on the way: data whose trailer alone is looked at.
  const bool goes_on = file == file_ && position > begin_ && position <= begin_ + size_ + bytes_kept / 16;
  const std::size_t wanted =
      std::max(least, std::min(goes_on ? std::max(likely, 2 * last_read_) : likely, most));
  file_.reset();
  if (buffer_.size() < wanted) buffer_.resize(wanted);
  TRY(size, file->read_at(position, base::MutableBytes(buffer_).first(wanted)));
  if (size < least)
    return base::fail(base::Errc::corrupt, fmt::format("file ends at {}, {} bytes expected at {}",
                                                       position + size, least, position));
  file_ = file;
  begin_ = position;
  size_ = last_read_ = size;
  return base::ByteView(buffer_).first(size);
}

}  // namespace sluice::storage
