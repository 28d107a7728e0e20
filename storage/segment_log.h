// SPDX-License-Identifier: Apache-2.0
// The files of one log: segments `<first offset, 20 digits>.log` with `.index` and, once sealed, `.filter`
// beside them, in one directory. SegmentLog is the writing side, owned by the log's shard. Readers
// (storage/log_reader.h) work on any shard from a LogView, a small immutable description that the owner hands
// out after each change.
//
// Promise: after append() returned, the chunk survives the death of this process; after a sync task finished,
// also the death of the machine. open() validates the tail and cuts it at the first bad chunk; damage before
// that is reported and those chunks are never served.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/chunk.h"

namespace sluice::storage {

struct Retention {
  std::optional<std::uint64_t> bytes_max;
  std::optional<std::int64_t> age_max_ms;
};

struct LogOptions {
  std::uint64_t segment_bytes_max = 500'000'000;
  std::uint32_t segment_chunks_max = 256'000;
  std::uint8_t bloom_bytes = 16;
  Retention retention;
};

struct SegmentInfo {
  base::Offset first_offset;   // names the files
  base::Offset next_offset;    // one past its last message
  base::Offset last_chunk_id;  // meaningless while chunks == 0
  std::int64_t first_timestamp_ms = 0, last_timestamp_ms = 0;
  std::uint64_t log_bytes = 0;  // valid bytes of the .log file
  std::uint32_t chunks = 0;
  bool has_filter_values =
      false;  // some message has one: sealed segments then have a .filter file once it is built
};

// What readers may read. Cheap to copy; immutable; may be sent to other shards.
struct LogView {
  std::shared_ptr<const std::vector<SegmentInfo>> sealed;  // oldest first; never null
  SegmentInfo active;
  std::uint32_t active_indexed_chunks =
      0;                      // records of the active segment that are already in its .index file
  base::Offset first_offset;  // logical: by age, retention may hide the head of the first segment
  base::Offset next_offset;
  std::optional<base::Offset> last_chunk_id;
};

struct OpenReport {
  std::uint64_t bytes_cut = 0;      // torn tail removed
  std::vector<std::string> damage;  // one sentence per damaged place that was found
};

class SegmentLog {
 public:
  virtual ~SegmentLog() = default;

  // Creates the directory when absent.
  static base::Result<std::unique_ptr<SegmentLog>> open(base::Shard& shard, std::string directory,
                                                        const LogOptions& options, OpenReport& report);

  // Appends the chunk, rolling to a new segment first when the active one is full. After an error the log is
  // dead: every further append fails the same way (a failed write is never retried).
  virtual base::Result<> append(const ChunkBuilder::Finished& chunk) = 0;

  virtual LogView view() const = 0;  // includes everything appended
  virtual std::uint64_t bytes() const = 0;

  // The highest publishing id stored for the reference; bounded to the 255 most recently used references.
  virtual std::optional<std::uint64_t> sequence(std::string_view reference) const = 0;
  virtual std::vector<std::pair<std::string, std::uint64_t>> sequences() const = 0;

  // Makes everything appended so far durable when the returned task has run (on a Background worker); it owns
  // the files it needs. The error slot says how it went.
  struct Sync {
    base::Task work;
    std::shared_ptr<std::optional<base::Error>> error;
  };
  virtual Sync prepare_sync() = 0;

  virtual void set_retention(const Retention& retention) = 0;
  // Hides by age, removes whole segments (files on a Background worker). True when the view changed.
  virtual bool apply_retention(std::int64_t wall_ms) = 0;
  // Writes buffered index records; called when the log has been idle and before close.
  virtual base::Result<> flush_index() = 0;
};

}  // namespace sluice::storage
