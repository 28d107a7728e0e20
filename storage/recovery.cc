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

base::Result<> remove_segment(base::Shard& shard, const std::string& directory, base::Offset first_offset) {
  for (auto suffix : {log_suffix, index_suffix, filter_suffix})
    TRY_VOID(shard.disk.remove(segment_path(directory, first_offset, suffix)));
  return {};
}

// The last segment that holds a chunk becomes the active one; `logs` is left with the ones before it.
base::Result<SegmentWriter> recover_active(base::Shard& shard, const std::string& directory,
                                           std::vector<base::Offset>& logs, OpenReport& report) {
  base::Offset first_offset{0};
  while (!logs.empty()) {
    first_offset = logs.back();
    logs.pop_back();
    auto newest = recover_newest(shard, directory, first_offset, report);
    if (!newest) return newest;
    if (newest->info().chunks > 0) {
      TRY_VOID(
          shard.disk.remove(segment_path(directory, first_offset, filter_suffix)));  // it will grow again
      return newest;
    }
    TRY_VOID(remove_segment(shard, directory, first_offset));
  }
  return SegmentWriter::create(shard.disk, directory, first_offset);
}

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

base::Result<RecoveredLog> recover_log(base::Shard& shard, const std::string& directory, OpenReport& report) {
  TRY_VOID(shard.disk.create_directories(directory));
  TRY(logs, tidy_directory(shard, directory));
  TRY(active, recover_active(shard, directory, logs, report));
  RecoveredLog recovered{{}, std::move(active), {}, {}};
  for (auto first_offset : logs) {
    TRY(info, check_sealed(shard, directory, first_offset, report));
    recovered.sealed.push_back(info);
    if (info.has_filter_values && !shard.disk.exists(segment_path(directory, first_offset, filter_suffix)))
      recovered.filters_missing.push_back(first_offset);
  }
  for (std::size_t i = 0; i < recovered.sealed.size(); ++i) {
    const auto& info = recovered.sealed[i];
    const auto next = i + 1 < recovered.sealed.size() ? recovered.sealed[i + 1].first_offset
                                                      : recovered.active.info().first_offset;
    if (info.next_offset == next) continue;
    return damaged(report, segment_path(directory, info.first_offset, log_suffix), info.log_bytes,
                   fmt::format("it ends before offset {}, the next segment begins at {}",
                               info.next_offset.value, next.value));
  }
  TRY_VOID(read_sequences(shard, directory, recovered.active, recovered.sequences));
  return recovered;
}

}  // namespace sluice::storage
