// SPDX-License-Identifier: Apache-2.0
// recover_tail: the index says where to begin, the chunks themselves say what is there. The index is
// believed as far as its records check, follow one another and lie within the log; then the last of them that
// agrees with the chunk it points to is found, and everything from a little before it is read, data included.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/recovery.h"
#include "storage/segment_scan.h"

namespace sluice::storage {
namespace {

class TailRecovery {
 public:
  TailRecovery(base::Shard& shard, const std::string& directory, base::Offset first_offset,
               OpenReport& report)
      : shard_(shard),
        log_path_(segment_path(directory, first_offset, log_suffix)),
        index_path_(segment_path(directory, first_offset, index_suffix)),
        report_(report) {
    info_.first_offset = info_.next_offset = first_offset;
    info_.log_bytes = file_header_bytes;
  }

  base::Result<SegmentWriter> run() {
    TRY(log, shard_.disk.open(log_path_, base::Disk::Mode::read));
    log_ = log;
    TRY(size, log_->size());
    size_ = size;
    TRY(has_header, check_file_header());
    if (has_header) {
      TRY_VOID(open_index());
      TRY_VOID(choose_start());
      TRY_VOID(scan());
    }
    return finish(has_header);
  }

 private:
  // False: no header and no chunk behind it, the segment was never begun.
  base::Result<bool> check_file_header() {
    std::array<std::uint8_t, file_header_bytes> bytes;
    TRY(got, log_->read_at(0, bytes));
    const auto header = decode_file_header(FileKind::log, base::ByteView(bytes).first(got));
    if (header) {
      if (header->first_offset == info_.first_offset) return true;
      return damaged(report_, log_path_, 0,
                     fmt::format("its header says it begins at offset {}", header->first_offset.value));
    }
    if (header.error().code == base::Errc::precondition_failed)
      return base::fail(header.error().code, fmt::format("{} {}", log_path_, header.error().text));
    TRY(behind, find_chunk(log_, 0, size_, {info_.first_offset, {}}));
    if (behind) return damaged(report_, log_path_, 0, header.error().text);
    note_cut(0, header.error().text);
    return false;
  }

  // Counts the index records that can be believed without looking at the log.
  base::Result<> open_index() {
    auto index = IndexReader::open(shard_.disk, index_path_);
    if (!index || index->first_offset() != info_.first_offset) return {};
    std::uint64_t position = file_header_bytes;
    base::Offset next_offset = info_.first_offset;
    for (; indexed_ < index->count(); ++indexed_) {
      const auto record = index->record(indexed_);
      if (!record && record.error().code != base::Errc::corrupt) return std::unexpected(record.error());
      if (!record || record->position != position || record->chunk_id != next_offset ||
          record->end_position() > size_)
        break;
      position = record->end_position();
      next_offset = record->next_offset();
    }
    index_.emplace(std::move(*index));
    return {};
  }

  base::Result<bool> agrees_with_log(const IndexRecord& record) {
    SegmentScanner scanner(log_, record.position, record.end_position(), record.chunk_id,
                           SegmentScanner::Data::skip);
    ScannedChunk chunk;
    const auto read = scanner.next(chunk);
    if (!read && read.error().code != base::Errc::corrupt) return std::unexpected(read.error());
    return read && same_chunk(index_record_of(chunk), record);
  }

  static bool same_chunk(const IndexRecord& a, IndexRecord b) {
    b.flags &= static_cast<std::uint8_t>(~IndexRecord::segment_has_filter_values);
    return a == b;
  }

  // Sets info_ to what lies before the first chunk that scan() reads.
  base::Result<> choose_start() {
    std::uint32_t start = indexed_;  // of the scan; first: one behind the last record that agrees
    for (std::uint32_t step = 1; start > 0; step *= 2) {
      TRY(record, index_->record(start - 1));
      TRY(agrees, agrees_with_log(record));
      if (agrees) break;
      start -= std::min(step, start);
    }
    if (start == 0) return {};
    const std::uint32_t trusted = start, lowest = start > verify_tail_chunks ? start - verify_tail_chunks : 0;
    TRY_VOID(index_->record(lowest));  // brings the records up to `start` into the reader's window
    for (; start > lowest; --start) {
      TRY(record, index_->record(start - 1));
      if (size_ - record.position > verify_tail_bytes && trusted - start >= verify_tail_chunks_min) break;
    }
    if (start == 0) return {};
    TRY(first, index_->record(0));
    TRY(last, index_->record(start - 1));
    info_.chunks = start;
    info_.next_offset = last.next_offset();
    info_.last_chunk_id = last.chunk_id;
    info_.first_timestamp_ms = first.timestamp_ms;
    info_.last_timestamp_ms = last.timestamp_ms;
    info_.log_bytes = last.end_position();
    info_.has_filter_values = (last.flags & IndexRecord::segment_has_filter_values) != 0;
    return {};
  }

  // Reads on to the first bad chunk or the end; index records that are missing or differ are written.
  base::Result<> scan() {
    SegmentScanner scanner(log_, info_.log_bytes, size_, info_.next_offset, SegmentScanner::Data::verify);
    ScannedChunk chunk;
    while (true) {
      const auto more = scanner.next(chunk);
      if (!more && more.error().code != base::Errc::corrupt) return std::unexpected(more.error());
      if (!more) return judge(scanner.position(), more.error().text);
      if (!*more) return {};
      const std::uint32_t ordinal = info_.chunks;
      auto record = index_record_of(chunk);
      account_chunk(info_, record);
      if (!writer_ && ordinal < indexed_) {
        TRY(known, index_->record(ordinal));
        if (known == record) continue;
      }
      if (!writer_) TRY_VOID(open_writer(ordinal));
      TRY_VOID(writer_->add(record));
    }
  }

  // The chunk at `position` is bad: the torn end of the log, or damage with good chunks behind it? If its
  // header reads well and it merely runs past the end of the file, only the very chunk that would follow it,
  // not stamped before it, counts: what looks like a chunk inside its data is a message with somebody's copy
  // of a log.
  base::Result<> judge(std::uint64_t position, const std::string& what) {
    std::array<std::uint8_t, chunk_header_bytes> bytes;
    TRY(got, log_->read_at(position, bytes));
    const auto header = decode_chunk_header(base::ByteView(bytes).first(got));
    ChunkSearch search{info_.next_offset + 1, {}};
    if (header && header->chunk_id == info_.next_offset && position + header->stored_bytes() > size_)
      search = {info_.next_offset + 1, header->next_offset(), header->timestamp_ms};
    TRY(behind, find_chunk(log_, position + 1, size_, search));
    if (behind)
      return damaged(report_, log_path_, position,
                     fmt::format("{} (offset {}); a good chunk follows at byte {}", what,
                                 info_.next_offset.value, *behind));
    note_cut(position, what);
    return {};
  }

  void note_cut(std::uint64_t position, const std::string& what) {
    if (size_ == position) return;
    report_.bytes_cut += size_ - position;
    shard_.logger.write(base::LogLevel::warning, "storage", "cut the torn end of a log",
                        {{"path", log_path_},
                         {"position", std::to_string(position)},
                         {"bytes_cut", std::to_string(size_ - position)},
                         {"next_offset", std::to_string(info_.next_offset.value)},
                         {"reason", what}});
  }

  base::Result<> open_writer(std::uint32_t records) {
    if (index_) {
      TRY(resumed, IndexWriter::resume(shard_.disk, index_path_, records));
      writer_.emplace(std::move(resumed));
      return {};
    }
    TRY_VOID(shard_.disk.remove(index_path_));
    TRY(created, IndexWriter::create(shard_.disk, index_path_, info_.first_offset));
    writer_.emplace(std::move(created));
    return {};
  }

  base::Result<SegmentWriter> finish(bool has_header) {
    if (!writer_) TRY_VOID(open_writer(info_.chunks));
    TRY(log, shard_.disk.open(log_path_, base::Disk::Mode::write));
    if (has_header && size_ > info_.log_bytes) TRY_VOID(log->truncate(info_.log_bytes));
    return SegmentWriter(std::move(log), std::move(*writer_), info_);
  }

  base::Shard& shard_;
  const std::string log_path_, index_path_;
  OpenReport& report_;
  std::shared_ptr<base::File> log_;
  std::uint64_t size_ = 0;
  std::optional<IndexReader> index_;
  std::uint32_t indexed_ = 0;  // leading records of index_ that hang together
  SegmentInfo info_;           // what has been accepted so far
  std::optional<IndexWriter> writer_;
};

}  // namespace

base::Result<SegmentWriter> recover_tail(base::Shard& shard, const std::string& directory,
                                         base::Offset first_offset, OpenReport& report) {
  return TailRecovery(shard, directory, first_offset, report).run();
}

}  // namespace sluice::storage
