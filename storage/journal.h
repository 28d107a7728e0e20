// SPDX-License-Identifier: Apache-2.0
// The journal: where the work queues of one shard keep their messages and the events that change their
// state. One sequence of files, written by one group commit; a message stands in it once, with the list of
// the queues it reached. Owned and called by one shard; syncs and file removal run on Background workers.
//
// A log-structured store: files are immutable once full (about journal.file_bytes_max), a file is removed
// when no queue needs a message of it any more, and one in which few are needed has those few copied to the
// end first (compact). Messages settled before that are never written twice. A checkpoint - the state of
// every queue and what is alive in every file - is written with each new file, so that opening reads one
// checkpoint and the records behind it, whatever the backlog.
//
// Where a message lies is kept in memory for files without an `.index` only (it is written with the
// checkpoint behind the file); for older ones a span of offsets per queue and file is
// (storage/journal_extents.h). Memory therefore does not grow with the backlog.
//
// What the owner owes:
// - The offsets of a queue ascend; a gap is fine.
// - What it releases is settled by an event (or is of a queue that is forgotten) that is appended in the same
//   turn, before flush(). The file is kept until that is durable, so after a crash that loses the event the
//   message can still be read.
// - write_checkpoint tells the state that all appended so far makes; flush() calls it, so events are appended
//   before flush().
// - After open() it releases all ranges below a queue's next offset that it does not need, and forgets queues
//   it was told of and does not have: until then all that was found counts as needed.
//
// Files of <data_dir>/journal/<shard>: `<number>.journal`, `<number>.index`, `<number>.checkpoint`; layouts
// in storage/FORMAT.md. A torn tail is cut; damage before it makes open() fail with the place.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/ports.h"

namespace sluice::storage {

// What the journal itself must know of a message; all else is content.
struct MessageMeta {
  std::int64_t received_at_ms = 0;
  std::int64_t expires_at_ms = 0;  // the message's own expiration; 0: none
  std::uint8_t priority = 0;       // as published, not clamped
  bool has_priority = false;
  bool persistent = true;  // false: not recovered after a restart
  std::uint8_t flags = 0;  // the broker's own, below 16; stored and given back
  friend bool operator==(const MessageMeta&, const MessageMeta&) = default;
};

// A message in a queue: the queue counts its messages from 0, never reusing a number.
struct MessagePlace {
  base::QueueId queue;
  base::Offset offset;
  friend auto operator<=>(const MessagePlace&, const MessagePlace&) = default;
};

struct StoredMessage {
  MessageMeta meta;
  base::ByteView content;  // valid until the next call of the journal
};

// A point in the journal's order of records.
using JournalPoint = base::Id<struct JournalPointTag>;

struct JournalMetrics;  // storage/journal_metrics.h

struct JournalOptions {
  std::uint64_t file_bytes_max = 64 << 20;
  std::size_t spare_files_max = 4;        // files nobody needs, kept to be written anew
  std::size_t tail_bytes_max = 16 << 20;  // the newest records, kept in memory for consumers that keep up
  // A full file with less than this part of its bytes alive is compacted.
  double live_part_min = 0.35;
  // Compaction looks at this much of a file at a time, at most, between other work of the shard.
  std::uint64_t compaction_slice_bytes = 1 << 20;
  JournalMetrics* metrics = nullptr;  // of the shard; null: nobody looks
};

// What open() finds, in this order: every queue's newest checkpoint, then the records behind it as they were
// written. Messages that are not persistent are handed out, too (with persistent = false), so that the queue
// can count their offsets; the queue settles them.
class JournalVisitor {
 public:
  virtual ~JournalVisitor() = default;
  virtual void on_checkpoint(base::QueueId queue, base::ByteView state) = 0;
  virtual void on_message(const MessageMeta& meta, base::ByteView content,
                          std::span<const MessagePlace> places) = 0;
  virtual void on_event(base::QueueId queue, base::ByteView event) = 0;
};

// Called by the journal on its shard, never from inside one of its other calls than flush() and tick().
class JournalOwner {
 public:
  virtual ~JournalOwner() = default;
  // Everything before the point is durable.
  virtual void on_synced(JournalPoint point) = 0;
  // Compaction: does the queue still need the message?
  virtual bool is_live(MessagePlace place) const = 0;
  // Calls `put` once per queue that has a state worth keeping: at least those with messages. What the journal
  // has of others is dropped at the next open().
  virtual void write_checkpoint(const std::function<void(base::QueueId, base::ByteView state)>& put) = 0;
  // A write or sync failed: nothing more is accepted. Called once.
  virtual void on_offline(const base::Error& error) = 0;
};

class Journal {
 public:
  static base::Result<std::unique_ptr<Journal>> open(base::Shard& shard, std::string directory,
                                                     const JournalOptions& options, JournalOwner& owner,
                                                     JournalVisitor& visitor);
  virtual ~Journal() = default;

  // The content is the concatenation of the parts. Readable at once; durable when on_synced passes end().
  virtual void append_message(const MessageMeta& meta, std::span<const base::ByteView> content,
                              std::span<const MessagePlace> places) = 0;
  virtual void append_event(base::QueueId queue, base::ByteView event) = 0;
  virtual JournalPoint end() const = 0;
  virtual JournalPoint synced() const = 0;

  // corrupt: damage in a file; the message is lost to reading, its place in the text. no_offset: it is not
  // here (released, or never appended). Sequential reading of a queue reads ahead.
  virtual base::Result<StoredMessage> read(MessagePlace place) = 0;
  // The queue has no use of its messages from first to last (both included) any more. Messages of the range
  // that were never there, or released before, are ignored.
  virtual void release(base::QueueId queue, base::Offset first, base::Offset last) = 0;
  // The queue is gone with all it had.
  virtual void forget(base::QueueId queue) = 0;

  // End of turn: writes what was appended. With `sync`, a group commit follows as soon as the one under way
  // has ended; without, what was appended is durable some time later.
  virtual void flush(bool sync) = 0;
  // About ten times a second: compaction in slices, checkpoints, removal of files.
  virtual void tick(std::int64_t monotonic_ms) = 0;
  // Appended and not yet synced: publishers are stopped above a bound of the caller's.
  virtual std::size_t pending_bytes() const = 0;
  virtual std::uint64_t disk_bytes() const = 0;
  // Writes a checkpoint, syncs, closes. Nothing may be called afterwards.
  virtual void close() = 0;
};

}  // namespace sluice::storage
