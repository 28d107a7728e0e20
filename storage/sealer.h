// SPDX-License-Identifier: Apache-2.0
// Sealer: what remains to be done for a segment that has become immutable, one segment of a log at a time,
// oldest first, on a Background worker: sync its log, write the sealed mark into its index and sync that, and
// build its .filter file from the trailers. Readers find the file when it is there; a crash before that costs
// nothing, open() asks again. After a failed sync nothing more is sealed, so marks never skip a segment.
// Owned by SegmentLog, on the log's shard.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/ports.h"
#include "storage/segment_info.h"
#include "storage/sync_file.h"

namespace sluice::storage {

// Writes the .filter file of a sealed segment. Reads every trailer, keeps at most what
// filters::SegmentFilterLimits allows in memory. Stops early (without a file, without an error) when
// `cancelled` becomes true.
base::Result<> build_filter_file(base::Disk& disk, const std::string& directory, const SegmentInfo& info,
                                 const std::atomic<bool>& cancelled);

// A segment that gets no more chunks.
struct UnsealedSegment {
  SegmentInfo info;
  std::shared_ptr<SyncFile> log;      // null when the sealed mark is there
  std::shared_ptr<base::File> index;  // complete, the sealer's from now on; null with log
};

class Sealer {
 public:
  Sealer(base::Shard& shard, std::string directory);
  ~Sealer();  // cancels what is under way
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  void add(UnsealedSegment segment);
  // A segment could not be made durable: what was appended may not survive the machine.
  const std::optional<base::Error>& failure() const { return failure_; }
  // Files of segments below this offset are being removed: build nothing for them, and remove what was built.
  void forget_before(base::Offset first_offset);
  std::size_t pending() const { return waiting_.size() + (running_ ? 1 : 0); }

 private:
  void run_next();

  base::Shard& shard_;
  std::string directory_;
  std::deque<UnsealedSegment> waiting_;
  bool running_ = false;
  std::optional<base::Error> failure_;
  base::Offset lowest_;
  std::shared_ptr<std::atomic<bool>> cancelled_;  // shared with the job under way
};

}  // namespace sluice::storage
