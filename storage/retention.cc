// SPDX-License-Identifier: Apache-2.0
// HiddenHead looks at the index in blocks of 256 chunks and never twice at one: the cutoff only moves
// forward. What cannot be read hides nothing.
#include "storage/retention.h"

#include <algorithm>

namespace sluice::storage {
namespace {

constexpr std::uint32_t block_records = 256;

}  // namespace

void HiddenHead::reset() {
  hidden_chunks_ = block_begin_ = 0;
  block_.clear();
}

base::Offset HiddenHead::advance(base::Disk& disk, const std::string& directory, const SegmentInfo& segment,
                                 const IndexWriter* active, std::int64_t cutoff_ms) {
  while (hidden_chunks_ < segment.chunks) {
    if (hidden_chunks_ >= block_begin_ + block_.size() && !load_block(disk, directory, segment, active))
      break;
    const Seen& chunk = block_[hidden_chunks_ - block_begin_];
    if (chunk.timestamp_ms >= cutoff_ms) return chunk.chunk_id;
    ++hidden_chunks_;
  }
  return hidden_chunks_ == segment.chunks ? segment.next_offset : segment.first_offset;
}

bool HiddenHead::load_block(base::Disk& disk, const std::string& directory, const SegmentInfo& segment,
                            const IndexWriter* active) {
  block_.clear();
  block_begin_ = hidden_chunks_;
  const std::uint32_t end = std::min(segment.chunks, block_begin_ + block_records);
  const std::uint32_t in_file = active == nullptr ? end : std::min(end, active->written());
  std::uint32_t at = block_begin_;
  if (at < in_file) {
    auto index = IndexReader::open(disk, segment_path(directory, segment.first_offset, index_suffix));
    if (!index || index->count() < in_file) return false;
    for (; at < in_file; ++at) {
      const auto record = index->record(at);
      if (!record) return !block_.empty();
      block_.push_back({record->chunk_id, record->timestamp_ms});
    }
  }
  for (; at < end; ++at) {
    const auto record = active->buffered(at);
    block_.push_back({record.chunk_id, record.timestamp_ms});
  }
  return !block_.empty();
}

FileRemover::FileRemover(base::Shard& shard, std::string directory)
    : shard_(shard), directory_(std::move(directory)), alive_(std::make_shared<bool>(true)) {}

FileRemover::~FileRemover() {
  *alive_ = false;
}

void FileRemover::remove(std::vector<std::string> paths, std::shared_ptr<SyncFile> stays) {
  waiting_.push_back({std::move(paths), std::move(stays)});
  if (!running_) run_next();
}

void FileRemover::run_next() {
  if (waiting_.empty()) return;
  running_ = true;
  // What could not be removed stays until the next open(), which removes it again by the same rules.
  auto work = [&disk = shard_.disk, &logger = shard_.logger, directory = directory_,
               batch = std::move(waiting_.front())] {
    auto removed = batch.stays->sync();
    if (removed) removed = disk.sync_directory(directory);
    for (const auto& path : batch.paths)
      if (removed) removed = disk.remove(path);
    if (removed) return;
    logger.write(base::LogLevel::warning, "storage", "cannot remove files that retention dropped",
                 {{"first", batch.paths.front()}, {"reason", removed.error().text}});
  };
  waiting_.pop_front();
  auto done = [this, alive = alive_] {
    if (!*alive) return;
    running_ = false;
    run_next();
  };
  shard_.background.run(std::move(work), std::move(done));
}

}  // namespace sluice::storage
