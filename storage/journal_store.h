// SPDX-License-Identifier: Apache-2.0
// The journal as it runs (the contract is journal.h): appends to one file, rolls, syncs in groups, writes
// checkpoints and indexes in the background, removes what nobody needs. Owned by one shard.
//
// What is durable when: a sync covers every file with unsynced records and, after a roll, the directory. A
// checkpoint is written behind the sync of all files before it and the indexes of those; only then is the one
// before it removed, and files that nobody needs. A file is not needed when none of its messages is live and
// what settled or copied the last of them is durable.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/journal.h"
#include "storage/journal_checkpoint.h"
#include "storage/journal_compactor.h"
#include "storage/journal_map.h"
#include "storage/journal_metrics.h"
#include "storage/journal_reader.h"
#include "storage/journal_recovery.h"
#include "storage/journal_spares.h"
#include "storage/journal_tail.h"
#include "storage/sync_file.h"

namespace sluice::storage {

// Syncs sealed files, writes their indexes and a checkpoint. Runs on a Background worker.
struct CheckpointJob {
  struct Index {
    std::uint64_t number, journal_bytes;
    std::vector<IndexInput> inputs;
  };
  std::vector<std::shared_ptr<SyncFile>> files;
  std::vector<Index> indexes;
  Checkpoint checkpoint;
  std::optional<base::Error> sync_error;  // of a journal file: nothing is safe any more
  std::optional<base::Error> error;       // of another: there is no checkpoint, that is all

  void run(base::Disk& disk, const std::string& directory);
};

class JournalStore final : public Journal, private CompactionTarget {
 public:
  JournalStore(base::Shard& shard, std::string directory, const JournalOptions& options, JournalOwner& owner);
  ~JournalStore() override;
  base::Result<> recover(JournalVisitor& visitor);

  void append_message(const MessageMeta& meta, std::span<const base::ByteView> content,
                      std::span<const MessagePlace> places) override;
  void append_event(base::QueueId queue, base::ByteView event) override;
  JournalPoint end() const override;
  JournalPoint synced() const override { return JournalPoint{synced_}; }
  base::Result<StoredMessage> read(MessagePlace place) override;
  void release(base::QueueId queue, base::Offset first, base::Offset last) override {
    map_.release(queue, first, last);
  }
  void forget(base::QueueId queue) override { map_.forget(queue); }
  void flush(bool sync) override;
  void tick(std::int64_t monotonic_ms) override;
  std::size_t pending_bytes() const override { return end().value - synced_; }
  std::uint64_t disk_bytes() const override;
  void close() override;

 private:
  // Shared with work on other threads. Jobs hold the mutex while they run and do nothing once it is closed.
  struct Jobs {
    std::mutex mutex;
    bool closed = false;  // under the mutex
    bool alive = true;    // of the shard: the journal is there
  };
  struct UnsyncedFile {
    std::uint64_t number;
    std::shared_ptr<SyncFile> file;
  };

  // CompactionTarget: is_live is the owner's.
  bool is_live(MessagePlace place) const override { return owner_.is_live(place); }
  void append_copy(const MessageMeta& meta, base::ByteView content,
                   std::span<const MessagePlace> places) override;

  std::uint8_t* begin_message(std::span<const MessagePlace> places, std::size_t content_bytes, Slot& slot);
  enum class Over : std::uint8_t { nothing, spare };
  base::Result<> create_file(std::uint64_t number, std::uint64_t first_point, Over over = Over::nothing);
  base::Result<> continue_file(const JournalFileHeader& header);
  void write();
  void roll(Over next = Over::spare);
  void start_checkpoint();
  CheckpointJob make_checkpoint_job();
  void on_checkpoint_done(CheckpointJob& job);
  void start_sync();
  void on_sync_done(std::uint64_t point, const std::optional<base::Error>& error);
  void remove_dead_files(std::int64_t monotonic_ms);
  void compact_beside_appends();
  void go_offline(const base::Error& error);
  void update_gauges();

  base::Shard& shard_;
  std::string directory_;
  JournalOptions options_;
  JournalOwner& owner_;
  JournalMetrics own_metrics_;  // when the owner has none
  JournalMetrics& metrics_;
  JournalMap map_;
  JournalReader reader_;
  JournalTail tail_;
  JournalCompactor compactor_;
  JournalSpares spares_;
  JournalFile* active_ = nullptr;  // the file being written
  std::shared_ptr<base::File> file_;
  bool is_over_spare_ = false;  // file_: something else stands behind its end
  JournalFileHeader header_;
  std::optional<base::Error> offline_;

  std::uint64_t synced_ = 0, sync_wanted_ = 0;  // journal points
  bool syncing_ = false, directory_unsynced_ = false;
  std::vector<UnsyncedFile> unsynced_;  // the active file is the last one

  bool checkpoint_wanted_ = false, checkpointing_ = false;
  std::uint64_t durable_checkpoint_ = 0;  // files before it are needed for their messages only
  std::vector<std::uint64_t> old_checkpoints_;

  std::uint64_t compacted_at_ = 0;  // the journal's end at the last slice of compaction
  std::int64_t last_read_ms_ = 0;
  bool read_since_tick_ = false;
  base::ByteBuffer places_;  // reused
  std::shared_ptr<Jobs> jobs_ = std::make_shared<Jobs>();
};

}  // namespace sluice::storage
