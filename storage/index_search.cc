// SPDX-License-Identifier: Apache-2.0
#include "storage/index_search.h"

#include <fmt/format.h>

#include <array>

namespace sluice::storage {

base::Result<IndexSearch> IndexSearch::open(base::Disk& disk, const std::string& directory,
                                            base::Offset first_offset, std::uint32_t count) {
  TRY(file, disk.open(segment_path(directory, first_offset, index_suffix), base::Disk::Mode::read));
  return IndexSearch(std::move(file), first_offset, count);
}

base::Result<IndexRecord> IndexSearch::at(std::uint32_t ordinal) const {
  std::array<std::uint8_t, index_record_bytes> bytes;
  const std::uint64_t position = file_header_bytes + std::uint64_t{ordinal} * index_record_bytes;
  TRY(size, file_->read_at(position, bytes));
  if (size < bytes.size())
    return base::fail(base::Errc::corrupt,
                      fmt::format("index of segment {} ends before record {}", segment_.value, ordinal));
  return decode_index_record(bytes);
}

template <class Before>
base::Result<std::uint32_t> IndexSearch::partition(Before before) const {
  std::uint32_t low = 0, high = count_;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    TRY(record, at(middle));
    if (before(record))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

base::Result<IndexSearch::Found> IndexSearch::find_offset(base::Offset offset) const {
  TRY(above, partition([&](const IndexRecord& record) { return record.chunk_id <= offset; }));
  if (above == 0)
    return base::fail(base::Errc::corrupt, fmt::format("index of segment {} begins above offset {}",
                                                       segment_.value, offset.value));
  TRY(record, at(above - 1));
  return Found{above - 1, record};
}

base::Result<IndexSearch::Found> IndexSearch::find_timestamp(std::int64_t timestamp_ms) const {
  TRY(ordinal, partition([&](const IndexRecord& record) { return record.timestamp_ms < timestamp_ms; }));
  if (ordinal == count_) return Found{ordinal, {}};
  TRY(record, at(ordinal));
  return Found{ordinal, record};
}

}  // namespace sluice::storage
