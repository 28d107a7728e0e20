// SPDX-License-Identifier: Apache-2.0
// A replicated log as its owner shard sees it; with one replica (now) committed = persisted by the promise of
// its durability and no consensus runs. Collects what one turn brings into one chunk, appends it, commits,
// and tells publishers and readers. Owned and called by one shard only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/metrics.h"
#include "base/ports.h"
#include "storage/segment_log.h"

namespace sluice::log {

enum class Durability : std::uint8_t {
  written,  // confirmed when written (survives the process)
  synced,   // confirmed when synced in a group commit (survives the machine)
};

struct Entry {
  std::uint64_t publishing_id = 0;
  std::string_view filter_value;
  base::ByteView body;
  bool is_sub_batch = false;
  std::uint8_t compression = 0;
  std::uint16_t records = 1;
  std::uint32_t uncompressed_bytes = 0;
};

// Who gets the confirms: opaque to the log, meaningful to the listener.
struct Origin {
  std::uint64_t client = 0;
  std::uint32_t token = 0;
  friend bool operator==(const Origin&, const Origin&) = default;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // Called at commit, once per origin of the committed entries (several calls may carry ids of one origin).
  virtual void on_committed(Origin origin, std::span<const std::uint64_t> publishing_ids) = 0;
  virtual void on_refused(Origin origin, std::span<const std::uint64_t> publishing_ids, base::Errc why) = 0;
  // The committed view grew or retention moved it: tell the readers, wherever they are.
  virtual void on_view_changed(const storage::LogView& committed) = 0;
  // A write or sync failed: nothing more is accepted. `error` says why.
  virtual void on_offline(const base::Error& error) = 0;
};

struct Options {
  storage::LogOptions storage;
  Durability durability = Durability::written;
  std::size_t chunk_bytes_max = 1 << 20;
  std::uint32_t linger_ms = 0;  // wait this long for more before a chunk is closed; 0: one turn, one chunk
};

class Log {
 public:
  virtual ~Log() = default;
  static base::Result<std::unique_ptr<Log>> open(base::Shard& shard, std::string directory,
                                                 const Options& options, Listener& listener,
                                                 storage::OpenReport& report);

  // Adds the entries to the turn's chunk. With a reference, entries whose publishing id is not above the
  // reference's sequence are not stored but confirmed once the original is committed. Each id is answered
  // exactly once.
  virtual void append(Origin origin, std::string_view reference, std::span<const Entry> entries) = 0;
  virtual bool has_pending() const = 0;                                     // flush() has something to do
  virtual void flush(std::int64_t wall_ms, std::int64_t monotonic_ms) = 0;  // end of turn
  virtual void tick(std::int64_t wall_ms, std::int64_t monotonic_ms) = 0;   // retention, idle index flush

  virtual const storage::LogView& committed() const = 0;
  virtual std::uint64_t bytes() const = 0;
  virtual std::uint64_t sequence(std::string_view reference) const = 0;  // committed or pending; 0 when none
  virtual std::vector<std::pair<std::string, std::uint64_t>> sequences() const = 0;
  virtual void set_retention(const storage::Retention& retention) = 0;
  // Flushes, syncs, closes files. Nothing may be called afterwards.
  virtual void close() = 0;
};

}  // namespace sluice::log
