// SPDX-License-Identifier: Apache-2.0
// A replicated log as its owner shard sees it; with one replica (now) committed = persisted by the promise of
// its durability and no consensus runs. Collects what one turn brings into one chunk, appends it, commits,
// and tells publishers and readers. Owned and called by one shard only.
//
// A log that could not write or sync goes offline: it refuses what is pending and all that comes later, and
// tries nothing again. What was committed stays readable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ports.h"
#include "log/confirms.h"
#include "log/entry.h"
#include "log/metrics.h"
#include "log/offsets.h"
#include "storage/segment_log.h"

namespace sluice::log {

enum class Durability : std::uint8_t {
  written,  // confirmed when written (survives the process)
  synced,   // confirmed when synced in a group commit (survives the machine)
};

// Called from flush, tick, close and when a sync has finished; never from inside append.
class Listener {
 public:
  virtual ~Listener() = default;
  // Called at commit, once per origin of the committed entries (several calls may carry ids of one origin).
  virtual void on_committed(Origin origin, std::span<const std::uint64_t> publishing_ids) = 0;
  virtual void on_refused(Origin origin, std::span<const std::uint64_t> publishing_ids, base::Errc why) = 0;
  // The committed view grew or retention moved it: tell the readers, wherever they are.
  virtual void on_view_changed(const storage::LogView& committed) = 0;
  // A write or sync failed: nothing more is accepted. `error` says why. Called once.
  virtual void on_offline(const base::Error& error) = 0;
};

struct Options {
  storage::LogOptions storage;
  Durability durability = Durability::written;
  std::size_t chunk_bytes_max = 1 << 20;
  std::uint32_t linger_ms = 0;  // wait this long for more before a chunk is closed; 0: one turn, one chunk
  // Not yet committed bytes above which has_room() is false; reached when syncs are slower than publishers.
  std::size_t pending_bytes_max = 64 << 20;
  Metrics* metrics = nullptr;  // the shard's; must outlive the log. None: not counted
};

class Log {
 public:
  static base::Result<std::unique_ptr<Log>> open(base::Shard& shard, std::string directory,
                                                 const Options& options, Listener& listener,
                                                 storage::OpenReport& report);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Adds the entries to the turn's chunk. With a reference, entries whose publishing id is not above the
  // reference's sequence are not stored but confirmed once the original is committed. Each id is answered
  // exactly once.
  void append(Origin origin, std::string_view reference, std::span<const Entry> entries);
  // False: stop reading the sockets that publish here until it is true again (look after each turn).
  // append() itself never refuses for lack of room.
  bool has_room() const { return pending_bytes() <= options_.pending_bytes_max; }
  std::size_t pending_bytes() const;

  bool has_pending() const;                                     // flush() has something to do
  void flush(std::int64_t wall_ms, std::int64_t monotonic_ms);  // end of turn
  // Retention, idle index flush, chunks whose linger time has passed. Call some ten times a second.
  void tick(std::int64_t wall_ms, std::int64_t monotonic_ms);

  const storage::LogView& committed() const { return committed_; }
  const Offsets& offsets() const { return offsets_; }
  bool is_offline() const { return failure_.has_value(); }
  std::uint64_t bytes() const { return storage_->bytes(); }
  std::uint64_t sequence(std::string_view reference) const;  // committed or pending; 0 when none
  std::vector<std::pair<std::string, std::uint64_t>> sequences() const { return storage_->sequences(); }
  void set_retention(const storage::Retention& retention);
  // Flushes, syncs, answers what waits, closes files. Nothing may be called afterwards.
  void close();
  // The same for a log that is being deleted: what is pending is refused, and nothing is synced, which for a
  // large stream would hold up the shard.
  void discard();

 private:
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using Sequences = std::unordered_map<std::string, std::uint64_t, TextHash, std::equal_to<>>;

  // One group commit in flight: what it will have made durable when it is done.
  struct Syncing {
    bool active = false;
    Confirms confirms;
    storage::LogView view;
    std::size_t bytes = 0;
  };

  Log(base::Shard& shard, const Options& options, Listener& listener,
      std::unique_ptr<storage::SegmentLog> storage);

  storage::ChunkBuilder& builder();
  bool chunk_is_open() const { return builder_ && !builder_->empty(); }
  bool linger_is_over(std::int64_t monotonic_ms);
  std::optional<std::uint64_t> known_sequence(std::string_view reference) const;
  void remember_sequence(std::string_view reference, std::uint64_t publishing_id);
  void write_chunk(std::int64_t wall_ms);
  void settle_duplicates();
  void commit_written();
  void start_sync();
  void finish_sync(const std::optional<base::Error>& error);
  void commit(storage::LogView view, Confirms& confirms);
  void publish_view();
  void refuse(Confirms& confirms);
  void go_offline(base::Error error);
  void report_failure();
  void release_idle(std::int64_t monotonic_ms);

  base::Shard& shard_;
  Options options_;
  Listener& listener_;
  Metrics& metrics_;
  std::unique_ptr<storage::SegmentLog> storage_;
  std::unique_ptr<storage::ChunkBuilder> builder_;  // absent while the log is idle
  Offsets offsets_;
  storage::LogView committed_;
  Confirms open_;     // ids whose entries are in the builder, duplicates of them, ids to refuse
  Confirms written_;  // in the file, next to be committed
  std::size_t written_bytes_ = 0;
  Syncing syncing_;
  Sequences sequences_;  // cache over storage's: also knows the open chunk's
  std::optional<base::Error> failure_;
  bool failure_reported_ = false;
  std::optional<std::int64_t> lingering_since_ms_;
  std::int64_t last_write_ms_ = 0;  // monotonic
  std::int64_t last_retention_ms_ = 0;
  bool index_flushed_ = true;
  // Finished syncs find out by it whether the log is still there.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::log
