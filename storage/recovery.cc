// SPDX-License-Identifier: Apache-2.0
// The directory as a whole; single segments are in tail_recovery.cc and sealed_recovery.cc.
#include "storage/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/segment_scan.h"

namespace sluice::storage {
namespace {

// Offsets of the .log files, ascending. Removes temporary files, and index and filter files whose log is gone
// (a crash during retention); leaves what it does not know alone.
base::Result<std::vector<base::Offset>> tidy_directory(base::Shard& shard, const std::string& directory) {
  TRY(names, shard.disk.list(directory));
  std::set<base::Offset> logs;
  for (const auto& name : names)
    if (auto parsed = parse_segment_file_name(name); parsed && parsed->suffix == log_suffix)
      logs.insert(parsed->first_offset);
  for (const auto& name : names) {
    const auto path = fmt::format("{}/{}", directory, name);
    const auto parsed = parse_segment_file_name(name);
    if (name.ends_with(temporary_suffix) || (parsed && !logs.contains(parsed->first_offset))) {
      TRY_VOID(shard.disk.remove(path));
    } else if (!parsed) {
      shard.logger.write(base::LogLevel::warning, "storage", "not a file of this log, left alone",
                         {{"path", path}});
    }
  }
  return std::vector<base::Offset>(logs.begin(), logs.end());
}

// The sealed mark says the segment was durable. Not when the log is longer than it was then: such a segment
// was taken up again as the active one, and the index is an older state of itself.
bool has_sealed_mark(base::Disk& disk, const std::string& directory, base::Offset first_offset) {
  const auto index = IndexReader::open(disk, segment_path(directory, first_offset, index_suffix));
  if (!index || !index->sealed_mark()) return false;
  const auto log = disk.open(segment_path(directory, first_offset, log_suffix), base::Disk::Mode::read);
  const auto size = log ? (*log)->size() : base::Result<std::uint64_t>(0);
  return size && *size <= index->sealed_mark()->position;
}

class DirectoryRecovery {
 public:
  DirectoryRecovery(base::Shard& shard, const std::string& directory, OpenReport& report)
      : shard_(shard), directory_(directory), report_(report) {}

  base::Result<RecoveredLog> run() {
    TRY(logs, tidy_directory(shard_, directory_));
    const std::size_t tail = count_before_tail(shard_.disk, directory_, logs);
    for (std::size_t i = 0; i < tail; ++i) {
      TRY(info, check_sealed(shard_, directory_, logs[i], report_));
      if (i + 1 < logs.size() && info.next_offset != logs[i + 1]) return gap(info, logs[i + 1]);
      sealed_.push_back(info);
    }
    TRY_VOID(recover_tail_segments({logs.begin() + static_cast<std::ptrdiff_t>(tail), logs.end()}));
    if (!active_) TRY_VOID(take_up_last_sealed(logs.size() > tail ? logs[tail] : base::Offset{}));
    TRY_VOID(shard_.disk.remove(path(active_->info().first_offset, filter_suffix)));  // it grows again
    RecoveredLog recovered{std::move(sealed_), std::move(*active_), {}, {}};
    for (const auto& info : recovered.sealed) TRY_VOID(note_unfinished(info, recovered.unfinished));
    return recovered;
  }

 private:
  std::string path(base::Offset first_offset, std::string_view suffix) const {
    return segment_path(directory_, first_offset, suffix);
  }

  std::unexpected<base::Error> gap(const SegmentInfo& info, base::Offset next) {
    return damaged(report_, path(info.first_offset, log_suffix), info.log_bytes,
                   fmt::format("it ends before offset {}, the next segment begins at {}",
                               info.next_offset.value, next.value));
  }

  // Each becomes the active segment until the next one is found to follow it.
  base::Result<> recover_tail_segments(const std::vector<base::Offset>& tail) {
    for (std::size_t i = 0; i < tail.size(); ++i) {
      TRY(segment, recover_tail(shard_, directory_, tail[i], report_));
      const bool empty = segment.info().chunks == 0;
      if (!empty) {
        if (active_) TRY_VOID(active_->flush_index());
        if (active_) sealed_.push_back(active_->info());
        active_.emplace(std::move(segment));
      }
      const bool last = i + 1 == tail.size();
      if (!empty && (last || active_->info().next_offset == tail[i + 1])) continue;
      return drop({tail.begin() + static_cast<std::ptrdiff_t>(empty ? i : i + 1), tail.end()});
    }
    return {};
  }

  // Newest first: whenever this is interrupted, what is left ends the same way.
  base::Result<> drop(const std::vector<base::Offset>& segments) {
    for (auto each = segments.rbegin(); each != segments.rend(); ++each) {
      TRY(log, shard_.disk.open(path(*each, log_suffix), base::Disk::Mode::read));
      TRY(size, log->size());
      if (size > file_header_bytes) {
        report_.bytes_cut += size;
        shard_.logger.write(base::LogLevel::warning, "storage",
                            "dropped a segment behind the torn end of a log",
                            {{"path", path(*each, log_suffix)}, {"bytes_cut", std::to_string(size)}});
      }
      for (auto suffix : {log_suffix, index_suffix, filter_suffix})
        TRY_VOID(shard_.disk.remove(path(*each, suffix)));
    }
    return {};
  }

  // Nothing in the tail: the last sealed segment grows again, or the log begins anew where it was.
  base::Result<> take_up_last_sealed(base::Offset first_offset) {
    if (sealed_.empty()) {
      TRY(created, SegmentWriter::create(shard_.disk, directory_, first_offset));
      active_.emplace(std::move(created));
      return {};
    }
    TRY(segment, recover_tail(shard_, directory_, sealed_.back().first_offset, report_));
    sealed_.pop_back();
    active_.emplace(std::move(segment));
    return {};
  }

  base::Result<> note_unfinished(const SegmentInfo& info, std::vector<UnsealedSegment>& unfinished) {
    UnsealedSegment segment{info, nullptr, nullptr};
    if (!has_sealed_mark(shard_.disk, directory_, info.first_offset)) {
      TRY(log, shard_.disk.open(path(info.first_offset, log_suffix), base::Disk::Mode::write));
      TRY(index, IndexWriter::resume(shard_.disk, path(info.first_offset, index_suffix), info.chunks));
      segment.log = std::make_shared<SyncFile>(log);
      segment.index = index.file();
    }
    if (segment.log ||
        (info.has_filter_values && !shard_.disk.exists(path(info.first_offset, filter_suffix))))
      unfinished.push_back(std::move(segment));
    return {};
  }

  base::Shard& shard_;
  const std::string& directory_;
  OpenReport& report_;
  std::vector<SegmentInfo> sealed_;
  std::optional<SegmentWriter> active_;
};

// Ordinal of the last chunk whose trailer holds a snapshot; the first chunk of a segment always does.
base::Result<std::uint32_t> last_snapshot(IndexReader& index) {
  constexpr std::uint32_t block = 1024;  // one window of the reader
  for (std::uint32_t end = index.count(); end > 0;) {
    const std::uint32_t begin = end > block ? end - block : 0;
    std::optional<std::uint32_t> found;
    for (std::uint32_t i = begin; i < end; ++i) {
      TRY(record, index.record(i));
      if ((record.flags & IndexRecord::has_snapshot) != 0) found = i;
    }
    if (found) return *found;
    end = begin;
  }
  return 0;
}

base::Result<> read_sequences(base::Shard& shard, const std::string& directory, SegmentWriter& active,
                              SequenceMap& sequences) {
  const SegmentInfo& info = active.info();
  if (info.chunks == 0) return {};
  TRY_VOID(active.flush_index());
  TRY(index, IndexReader::open(shard.disk, segment_path(directory, info.first_offset, index_suffix)));
  TRY(ordinal, last_snapshot(index));
  TRY(from, index.record(ordinal));
  TRY(log, shard.disk.open(segment_path(directory, info.first_offset, log_suffix), base::Disk::Mode::read));
  SegmentScanner scanner(log, from.position, info.log_bytes, from.chunk_id, SegmentScanner::Data::skip);
  ScannedChunk chunk;
  while (true) {
    TRY(more, scanner.next(chunk));
    if (!more) return {};
    sequences.apply(chunk.trailer);
  }
}

}  // namespace

std::unexpected<base::Error> damaged(OpenReport& report, const std::string& path, std::uint64_t position,
                                     const std::string& what) {
  auto text = fmt::format("{} is damaged at byte {}: {}", path, position, what);
  report.damage.push_back(text);
  text += ". The log stays offline and the file as it is: restore it, or move it and all later segments away";
  return base::fail(base::Errc::corrupt, std::move(text));
}

std::size_t count_before_tail(base::Disk& disk, const std::string& directory,
                              const std::vector<base::Offset>& logs) {
  std::size_t count = logs.size();
  while (count > 0 && !has_sealed_mark(disk, directory, logs[count - 1])) --count;
  return count;
}

base::Result<RecoveredLog> recover_log(base::Shard& shard, const std::string& directory, OpenReport& report) {
  TRY_VOID(shard.disk.create_directories(directory));
  TRY(recovered, DirectoryRecovery(shard, directory, report).run());
  TRY_VOID(read_sequences(shard, directory, recovered.active, recovered.sequences));
  return std::move(recovered);
}

}  // namespace sluice::storage
