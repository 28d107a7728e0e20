// SPDX-License-Identifier: Apache-2.0
// A failed index write is kept and reported by flush_index(): the log is what counts, the index can be made
// anew from it.
#include "storage/segment_writer.h"

#include <array>

#include "storage/format.h"

namespace sluice::storage {

void account_chunk(SegmentInfo& info, IndexRecord& record) {
  if (info.chunks == 0) info.first_timestamp_ms = record.timestamp_ms;
  info.last_timestamp_ms = record.timestamp_ms;
  info.last_chunk_id = record.chunk_id;
  info.next_offset = record.next_offset();
  info.log_bytes = record.end_position();
  ++info.chunks;
  if ((record.flags & IndexRecord::has_filter_values) != 0) info.has_filter_values = true;
  if (info.has_filter_values) record.flags |= IndexRecord::segment_has_filter_values;
}

base::Result<SegmentWriter> SegmentWriter::create(base::Disk& disk, const std::string& directory,
                                                  base::Offset first_offset) {
  TRY(log, disk.open(segment_path(directory, first_offset, log_suffix), base::Disk::Mode::create));
  std::array<std::uint8_t, file_header_bytes> header;
  encode_file_header({FileKind::log, format_version, first_offset}, header.data());
  const base::ByteView part = header;
  TRY_VOID(log->append({&part, 1}));
  TRY(index, IndexWriter::create(disk, segment_path(directory, first_offset, index_suffix), first_offset));
  SegmentInfo info;
  info.first_offset = info.next_offset = first_offset;
  info.log_bytes = file_header_bytes;
  return SegmentWriter(std::move(log), std::move(index), info);
}

base::Result<> SegmentWriter::append(std::span<const base::ByteView> parts, IndexRecord record) {
  TRY_VOID(log_->append(parts));
  record.position = info_.log_bytes;
  account_chunk(info_, record);
  if (auto added = index_.add(record); !added) index_error_ = std::move(added).error();
  return {};
}

base::Result<> SegmentWriter::flush_index() {
  if (index_error_) return std::unexpected(*index_error_);
  auto flushed = index_.flush();
  if (!flushed) index_error_ = flushed.error();
  return flushed;
}

}  // namespace sluice::storage
