// SPDX-License-Identifier: Apache-2.0
// check_sealed: a sealed segment is taken as whole when its index begins and ends as the log file does; that
// costs a few reads whatever its size. Otherwise the index is made anew from the chunks, all of which are
// then checked.
#include <fmt/format.h>

#include <array>

#include "storage/recovery.h"
#include "storage/segment_scan.h"

namespace sluice::storage {
namespace {

// The segment as its index describes it; nothing when the index does not fit the log file.
base::Result<std::optional<SegmentInfo>> info_from_index(base::Disk& disk, const std::string& path,
                                                         base::Offset first_offset, std::uint64_t log_bytes) {
  auto index = IndexReader::open(disk, path);
  if (!index || index->first_offset() != first_offset || index->count() == 0) return std::nullopt;
  const auto first = index->record(0), last = index->record(index->count() - 1);
  for (const auto* each : {&first, &last})
    if (!*each && each->error().code != base::Errc::corrupt) return std::unexpected(each->error());
  if (!first || !last || first->position != file_header_bytes || first->chunk_id != first_offset ||
      last->end_position() != log_bytes)
    return std::nullopt;
  if (index->count() > 1) {
    const auto before = index->record(index->count() - 2);
    if (!before || before->end_position() != last->position) return std::nullopt;
  }
  if (const auto& mark = index->sealed_mark();
      mark && (mark->records != index->count() || mark->chunk_id != last->next_offset()))
    return std::nullopt;
  SegmentInfo info;
  info.first_offset = first_offset;
  info.next_offset = last->next_offset();
  info.last_chunk_id = last->chunk_id;
  info.first_timestamp_ms = first->timestamp_ms;
  info.last_timestamp_ms = last->timestamp_ms;
  info.log_bytes = log_bytes;
  info.chunks = index->count();
  info.has_filter_values = (last->flags & IndexRecord::segment_has_filter_values) != 0;
  return info;
}

base::Result<SegmentInfo> rebuild_index(base::Shard& shard, const std::string& log_path,
                                        const std::string& index_path, std::shared_ptr<base::File> log,
                                        base::Offset first_offset, std::uint64_t log_bytes,
                                        OpenReport& report) {
  const auto temporary = index_path + std::string(temporary_suffix);
  TRY_VOID(shard.disk.remove(temporary));
  TRY(writer, IndexWriter::create(shard.disk, temporary, first_offset));
  SegmentInfo info;
  info.first_offset = info.next_offset = first_offset;
  info.log_bytes = file_header_bytes;
  SegmentScanner scanner(std::move(log), file_header_bytes, log_bytes, first_offset,
                         SegmentScanner::Data::verify);
  ScannedChunk chunk;
  while (true) {
    const auto more = scanner.next(chunk);
    if (!more && more.error().code != base::Errc::corrupt) return std::unexpected(more.error());
    if (!more)
      return damaged(report, log_path, scanner.position(),
                     fmt::format("{} (offset {}); later segments follow", more.error().text,
                                 scanner.next_offset().value));
    if (!*more) break;
    auto record = index_record_of(chunk);
    account_chunk(info, record);
    TRY_VOID(writer.add(record));
  }
  TRY_VOID(writer.flush());
  TRY_VOID(shard.disk.rename(temporary, index_path));
  ++report.indexes_rebuilt;
  shard.logger.write(base::LogLevel::warning, "storage", "rebuilt the index of a segment",
                     {{"path", index_path}, {"chunks", std::to_string(info.chunks)}});
  return info;
}

}  // namespace

base::Result<SegmentInfo> check_sealed(base::Shard& shard, const std::string& directory,
                                       base::Offset first_offset, OpenReport& report) {
  const auto log_path = segment_path(directory, first_offset, log_suffix);
  const auto index_path = segment_path(directory, first_offset, index_suffix);
  TRY(log, shard.disk.open(log_path, base::Disk::Mode::read));
  std::array<std::uint8_t, file_header_bytes> bytes;
  TRY(got, log->read_at(0, bytes));
  const auto header = decode_file_header(FileKind::log, base::ByteView(bytes).first(got));
  if (!header && header.error().code == base::Errc::precondition_failed)
    return base::fail(header.error().code, fmt::format("{} {}", log_path, header.error().text));
  if (!header) return damaged(report, log_path, 0, header.error().text);
  if (header->first_offset != first_offset)
    return damaged(report, log_path, 0,
                   fmt::format("its header says it begins at offset {}", header->first_offset.value));
  TRY(log_bytes, log->size());
  if (const auto index = IndexReader::open(shard.disk, index_path);
      index && index->sealed_mark() && index->sealed_mark()->position > log_bytes)
    return damaged(report, log_path, log_bytes,
                   fmt::format("it had {} bytes when it was sealed", index->sealed_mark()->position));
  TRY(info, info_from_index(shard.disk, index_path, first_offset, log_bytes));
  if (info) return *info;
  return rebuild_index(shard, log_path, index_path, log, first_offset, log_bytes, report);
}

}  // namespace sluice::storage
