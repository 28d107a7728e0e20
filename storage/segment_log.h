// SPDX-License-Identifier: Apache-2.0
// The files of one log: segments `<first offset, 20 digits>.log` with `.index` and, once sealed, `.filter`
// beside them, in one directory. SegmentLog is the writing side, owned by the log's shard. Readers
// (storage/log_reader.h) work on any shard from a LogView, a small immutable description that the owner hands
// out after each change.
//
// Promise: after append() returned, the chunk survives the death of this process; after a sync task finished,
// also the death of the machine. open() validates the tail and cuts it at the first bad chunk; damage before
// that makes open() fail with Errc::corrupt and the place (recovery.h): a log with a hole is never served.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/chunk.h"
#include "storage/recovery.h"
#include "storage/retention.h"
#include "storage/sealer.h"
#include "storage/segment_writer.h"
#include "storage/sequences.h"

namespace sluice::storage {

struct LogOptions {
  std::uint64_t segment_bytes_max = 500'000'000;  // clamped to segment_bytes_limit
  std::uint32_t segment_chunks_max = 256'000;
  std::uint8_t bloom_bytes = 16;
  Retention retention;
};

// What readers may read. Cheap to copy; immutable; may be sent to other shards.
struct LogView {
  std::shared_ptr<const std::vector<SegmentInfo>> sealed;  // oldest first; never null
  SegmentInfo active;
  // Records of the active segment that are already in its .index file.
  std::uint32_t active_indexed_chunks = 0;
  base::Offset
      first_offset;  // logical: by age, retention may hide the head of the oldest segment, or all of it
  base::Offset next_offset;
  std::optional<base::Offset> last_chunk_id;  // none when there is nothing to read
  // Chunks from here on were written by this process; those before have yet to prove that they are whole.
  base::Offset verified_from;
};

class SegmentLog {
 public:
  // Creates the directory when absent.
  static base::Result<std::unique_ptr<SegmentLog>> open(base::Shard& shard, std::string directory,
                                                        const LogOptions& options, OpenReport& report);

  // Appends the chunk, whose id must be the view's next offset, rolling to a new segment first when the
  // active one is full; retention is then applied. After an error the log is dead: every further append fails
  // the same way (a failed write is never retried); opening it anew finds what was stored.
  base::Result<> append(const ChunkBuilder::Finished& chunk);

  LogView view() const;  // includes everything appended
  std::uint64_t bytes() const { return sealed_bytes_ + writer_.info().log_bytes; }

  // The highest publishing id stored for the reference; bounded to the 255 most recently used references.
  std::optional<std::uint64_t> sequence(std::string_view reference) const {
    return sequences_.find(reference);
  }
  SequenceList sequences() const { return sequences_.list(); }

  // Makes everything appended so far durable when the returned task has run (on a Background worker); it owns
  // the files it needs. The error slot says how it went; after an error nothing may be appended any more.
  struct Sync {
    base::Task work;
    std::shared_ptr<std::optional<base::Error>> error;
  };
  Sync prepare_sync();

  void set_retention(const Retention& retention) { options_.retention = retention; }
  // Hides by age, removes whole segments (files on a Background worker). True when the view changed.
  bool apply_retention(std::int64_t wall_ms);
  // Writes buffered index records; called when the log has been idle and before close.
  base::Result<> flush_index();
  // Flushes the index and refuses everything that would write. Background work under way is cancelled.
  base::Result<> close();

 private:
  using Segments = std::vector<SegmentInfo>;

  SegmentLog(base::Shard& shard, std::string directory, const LogOptions& options, RecoveredLog recovered);
  base::Result<> append_or_fail(const ChunkBuilder::Finished& chunk);
  base::Result<> write(const ChunkBuilder::Finished& chunk);
  base::Result<> roll();
  bool is_full_for(std::uint64_t more_bytes) const;
  void seal_active();
  void seal(UnsealedSegment segment);
  void forget_synced();
  // Forgets the `count` oldest sealed segments and removes their files.
  void drop_oldest(std::size_t count);
  // The newest segment that holds anything stays: it has the publisher sequences.
  std::size_t removable_segments() const;
  bool drop_by_size();
  bool drop_by_age(std::int64_t cutoff_ms);
  const SegmentInfo& oldest() const { return sealed_->empty() ? writer_.info() : sealed_->front(); }

  base::Shard& shard_;
  std::string directory_;
  LogOptions options_;
  std::shared_ptr<const Segments> sealed_;
  std::uint64_t sealed_bytes_ = 0;
  SegmentWriter writer_;
  SequenceMap sequences_;
  std::optional<base::Error> dead_;
  HiddenHead hidden_;
  base::Offset opened_at_;     // the next offset when the log was opened
  base::Offset first_offset_;  // never goes back while the log is open
  struct UnsyncedSegment {
    base::Offset first_offset;
    std::shared_ptr<SyncFile> file;
  };
  std::vector<UnsyncedSegment> unsynced_;          // sealed, and not known to be synced
  std::vector<std::string> unsynced_directories_;  // with entries that are new since then
  std::unique_ptr<Sealer> sealer_;
  std::unique_ptr<FileRemover> remover_;
  // Reused per chunk that gets a snapshot of the sequences.
  base::ByteBuffer trailer_;
};

}  // namespace sluice::storage
