// SPDX-License-Identifier: Apache-2.0
// The newest segment may end torn and have a short index: that is how a killed process leaves it, and
// recovery mends it. Anywhere else the same is damage.
#include "inspect/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "filters/segment_filter.h"
#include "storage/index_file.h"
#include "storage/recovery.h"
#include "storage/segment_scan.h"

namespace sluice::inspect {
namespace {

using storage::file_header_bytes;
using storage::segment_path;

class SegmentVerifier {
 public:
  SegmentVerifier(base::Disk& disk, LogVerdict& verdict, base::Offset first_offset, bool in_tail)
      : disk_(disk), verdict_(verdict), first_offset_(first_offset), in_tail_(in_tail) {}

  // The offset behind the segment's last good chunk.
  base::Result<base::Offset> run() {
    const auto log_path = path(storage::log_suffix);
    TRY(log, disk_.open(log_path, base::Disk::Mode::read));
    TRY(size, log->size());
    base::ByteBuffer bytes(file_header_bytes);
    TRY(got, log->read_at(0, bytes));
    bytes.resize(got);
    if (const auto header = storage::decode_file_header(storage::FileKind::log, bytes); !header) {
      (in_tail_ && size <= file_header_bytes ? verdict_.notes : verdict_.problems)
          .push_back(fmt::format("{} byte 0: {}", log_path, header.error().text));
      return first_offset_;
    }
    open_index();
    storage::SegmentScanner scanner(log, file_header_bytes, size, first_offset_,
                                    storage::SegmentScanner::Data::verify);
    TRY_VOID(scan(scanner, log, size));
    verdict_.bytes += scanner.position();
    if (index_ && index_->count() > chunks_)
      index_is_wrong(fmt::format("holds {} records for {} chunks", index_->count(), chunks_));
    TRY_VOID(compare_filter());
    return scanner.next_offset();
  }

 private:
  std::string path(std::string_view suffix) const {
    return segment_path(verdict_.directory, first_offset_, suffix);
  }

  void index_is_wrong(const std::string& text) {
    verdict_.notes.push_back(
        fmt::format("{}: {}; it is rebuilt at the next start", path(storage::index_suffix), text));
    index_.reset();
  }

  void open_index() {
    auto index = storage::IndexReader::open(disk_, path(storage::index_suffix));
    if (index)
      index_.emplace(std::move(*index));
    else
      index_is_wrong(index.error().text);
  }

  base::Result<> scan(storage::SegmentScanner& scanner, const std::shared_ptr<base::File>& log,
                      std::uint64_t size) {
    storage::ScannedChunk chunk;
    while (true) {
      const auto more = scanner.next(chunk);
      if (!more && more.error().code != base::Errc::corrupt) return std::unexpected(more.error());
      if (!more) return note_bad_chunk(scanner, log, size, more.error().text);
      if (!*more) return {};
      compare_index(chunk);
      feed_filter(chunk.trailer.filter_record());
      ++chunks_;
      ++verdict_.chunks;
      verdict_.records += chunk.header.records;
    }
  }

  base::Result<> note_bad_chunk(storage::SegmentScanner& scanner, const std::shared_ptr<base::File>& log,
                                std::uint64_t size, const std::string& text) {
    TRY(behind, storage::find_chunk(log, scanner.position() + 1, size, {scanner.next_offset() + 1, {}}));
    const auto where = fmt::format("{} byte {} (offset {}): {}", path(storage::log_suffix),
                                   scanner.position(), scanner.next_offset().value, text);
    if (in_tail_ && !behind)
      verdict_.notes.push_back(
          fmt::format("{}; {} bytes are cut at the next start", where, size - scanner.position()));
    else
      verdict_.problems.push_back(behind ? fmt::format("{}; a good chunk follows at byte {}", where, *behind)
                                         : where);
    return {};
  }

  void compare_index(const storage::ScannedChunk& chunk) {
    auto expected = storage::index_record_of(chunk);
    has_filter_values_ |= (expected.flags & storage::IndexRecord::has_filter_values) != 0;
    if (has_filter_values_) expected.flags |= storage::IndexRecord::segment_has_filter_values;
    if (!index_) return;
    if (chunks_ >= index_->count()) {
      if (!in_tail_) index_is_wrong(fmt::format("ends after {} records", chunks_));
      return;
    }
    const auto record = index_->record(chunks_);
    if (!record || *record != expected)
      index_is_wrong(fmt::format("record {} at byte {} {}", chunks_, storage::index_position(chunks_),
                                 record ? "does not describe its chunk" : record.error().text));
  }

  void feed_filter(base::ByteView record) {
    if (record.empty()) return builder_.add_unfiltered_chunk();
    if (const auto view = filters::ChunkFilterView::parse(record)) return builder_.add_chunk(*view);
    verdict_.problems.push_back(
        fmt::format("{} chunk {}: its filter record is damaged", path(storage::log_suffix), chunks_));
    builder_.add_unknown_chunk();
  }

  base::Result<> compare_filter() {
    const auto filter_path = path(storage::filter_suffix);
    if (!disk_.exists(filter_path)) {
      if (has_filter_values_ && !in_tail_)
        verdict_.notes.push_back(fmt::format("{} is still to be built", filter_path));
      return {};
    }
    TRY(file, disk_.open(filter_path, base::Disk::Mode::read));
    TRY(size, file->size());
    base::ByteBuffer expected;
    builder_.finish(expected);
    base::ByteBuffer found(std::min<std::size_t>(size, expected.size() + 1));
    TRY(got, file->read_at(0, found));
    found.resize(got);
    const auto [a, b] = std::mismatch(expected.begin(), expected.end(), found.begin(), found.end());
    if (a != expected.end() || b != found.end())
      verdict_.problems.push_back(fmt::format("{} byte {}: not what the chunks' filter records give",
                                              filter_path, a - expected.begin()));
    return {};
  }

  base::Disk& disk_;
  LogVerdict& verdict_;
  base::Offset first_offset_;
  bool in_tail_;
  std::uint32_t chunks_ = 0;
  bool has_filter_values_ = false;
  std::optional<storage::IndexReader> index_;
  filters::SegmentFilterBuilder builder_;
};

}  // namespace

base::Result<LogVerdict> verify_log(base::Disk& disk, const std::string& directory) {
  LogVerdict verdict;
  verdict.directory = directory;
  TRY(names, disk.list(directory));
  std::vector<base::Offset> logs;
  for (const auto& name : names)
    if (auto parsed = storage::parse_segment_file_name(name); parsed && parsed->suffix == storage::log_suffix)
      logs.push_back(parsed->first_offset);
  verdict.segments = static_cast<std::uint32_t>(logs.size());
  if (!logs.empty()) verdict.first_offset = verdict.next_offset = logs.front();
  const std::size_t tail = storage::count_before_tail(disk, directory, logs);
  for (std::size_t i = 0; i < logs.size(); ++i) {
    if (logs[i] != verdict.next_offset) {
      const auto path = segment_path(directory, logs[i], storage::log_suffix);
      if (i > tail) {
        verdict.notes.push_back(
            fmt::format("{}: does not follow the segment before, which ends torn; it and what "
                        "follows are dropped at the next start",
                        path));
        break;
      }
      verdict.problems.push_back(
          fmt::format("{}: the segment before ends before offset {}, this one begins at {}", path,
                      verdict.next_offset.value, logs[i].value));
    }
    TRY(next_offset, SegmentVerifier(disk, verdict, logs[i], i >= tail).run());
    verdict.next_offset = next_offset;
  }
  return verdict;
}

}  // namespace sluice::inspect
