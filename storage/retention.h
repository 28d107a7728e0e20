// SPDX-License-Identifier: Apache-2.0
// Parts of retention: HiddenHead finds how far age hides the oldest segment, chunk by chunk, so that
// `max-age=10s` holds for a stream that fills a segment in a month; FileRemover removes the files of dropped
// segments, oldest first and one batch at a time, so that a crash never leaves a gap, and only when the
// segment that is to stay is durable: the log's offsets go on from its name. Owned by SegmentLog.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/index_file.h"
#include "storage/segment_info.h"
#include "storage/sync_file.h"

namespace sluice::storage {

struct Retention {
  std::optional<std::uint64_t> bytes_max;  // of all segments; the newest stays whatever its size
  std::optional<std::int64_t> age_max_ms;  // by the time stamp of the chunk
};

// The oldest segment's chunks that are too old, counted from its start. Reads index records a block at a time
// and keeps the block, so a call that finds nothing new costs a comparison.
class HiddenHead {
 public:
  // Advances over chunks stamped before `cutoff_ms`. `segment` is the log's oldest; `active` its index when
  // it is also the active one. Returns the offset of the first chunk that is not hidden (the segment's next
  // offset when all are). An unreadable index hides nothing more.
  base::Offset advance(base::Disk& disk, const std::string& directory, const SegmentInfo& segment,
                       const IndexWriter* active, std::int64_t cutoff_ms);
  // Another segment has become the oldest.
  void reset();

 private:
  struct Seen {
    base::Offset chunk_id;
    std::int64_t timestamp_ms;
  };
  bool load_block(base::Disk& disk, const std::string& directory, const SegmentInfo& segment,
                  const IndexWriter* active);

  std::uint32_t hidden_chunks_ = 0;
  std::uint32_t block_begin_ = 0;  // ordinal of block_[0]
  std::vector<Seen> block_;
};

class FileRemover {
 public:
  FileRemover(base::Shard& shard, std::string directory);
  ~FileRemover();
  FileRemover(const FileRemover&) = delete;
  FileRemover& operator=(const FileRemover&) = delete;

  // In this order, after all that was asked before, and after a sync of `stays` and of the directory's names.
  void remove(std::vector<std::string> paths, std::shared_ptr<SyncFile> stays);

 private:
  struct Batch {
    std::vector<std::string> paths;
    std::shared_ptr<SyncFile> stays;
  };
  void run_next();

  base::Shard& shard_;
  std::string directory_;
  std::deque<Batch> waiting_;
  bool running_ = false;
  std::shared_ptr<bool> alive_;
};

}  // namespace sluice::storage
