// SPDX-License-Identifier: Apache-2.0
// Where a queue's messages lie: extents, each a span of offsets of which the live ones stand in one file. The
// spans of a queue do not overlap. Pure bookkeeping of one journal, on its shard.
//
// An extent of a file that has its .index costs about 100 bytes however long it is, and a bit a message when
// messages of it were released out of order; before that, also 8 bytes a message (position and size).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "storage/journal.h"

namespace sluice::storage {

// Where a record stands in its file. size 0: nothing is there (a hole in an extent).
struct Slot {
  std::uint32_t position = 0, size = 0;
};

// A file as the accounting knows it. Its extents point to it as long as it has references.
struct JournalFile {
  std::uint64_t number = 0;
  std::uint64_t first_point = 0;
  std::uint64_t bytes = 0;              // all of the .journal file
  bool sealed = false;                  // gets no more records
  bool indexed = false;                 // has a durable .index
  bool unreadable = false;              // damaged: not to be compacted
  bool seen_dead = false;               // nothing was live at an earlier tick
  std::uint64_t references = 0;         // live places of messages in it
  std::uint64_t live_bytes = 0;         // each place counts its share of the record; exact when 0
  std::optional<JournalPoint> dead_at;  // nothing is live; true once everything before this point is durable
  // Until indexed: queues with messages here, some twice, and where runs of copies begin.
  std::vector<base::QueueId> queues;
  std::vector<MessagePlace> copies;
  bool was_scanned = false;  // by recovery: extents may have been cut since
};

class Extent {
 public:
  Extent() = default;
  // One of an indexed file, all `count` live.
  Extent(JournalFile& file, base::Offset base, std::uint32_t count, std::uint32_t first_slot,
         std::uint64_t bytes);

  JournalFile* file() const { return file_; }
  base::Offset base() const { return base_; }
  std::uint32_t count() const { return count_; }
  base::Offset end() const { return base_ + count_; }
  std::uint32_t live() const { return live_; }
  bool empty() const { return live_ == 0; }
  bool is_live(std::uint32_t index) const {
    return index >= head_ && index < count_ && (bits_.empty() || bit(index));
  }

  // precondition: offset >= end(), a gap is at most gap_max
  static constexpr std::uint64_t gap_max = 16;
  void begin(JournalFile& file, base::Offset base);  // precondition: empty()
  void append(base::Offset offset, Slot slot, std::uint32_t share_bytes);
  // Indexes first to last, both included. How many of them were live.
  std::uint32_t release(std::uint32_t first, std::uint32_t last);
  std::uint32_t release_all() { return count_ == 0 ? 0 : release(0, count_ - 1); }
  // Nothing is there after all; for one made from an index.
  void set_hole(std::uint32_t index);
  // Forgets what lies before the index. precondition: all of that is released
  void cut_front(std::uint32_t count);
  // Gives back the memory of what was cut. precondition: nobody else has the slots
  void shrink();
  // Splits at the index: this keeps what is before, the rest is returned. Both have the slots.
  Extent split(std::uint32_t index);
  // After a split: with slots of its own, so that it can be appended to.
  void detach();

  using Slots = std::vector<Slot>;
  bool has_slots() const { return slots_ != nullptr; }
  Slot slot(std::uint32_t index) const { return (*slots_)[first_slot_ + index]; }
  std::uint32_t first_slot() const { return first_slot_; }
  std::shared_ptr<const Slots> slots() const { return slots_; }
  std::uint32_t head() const { return head_; }
  std::uint64_t bytes() const { return bytes_; }
  // Slots are read from the file's index from now on.
  void set_indexed(std::uint32_t first_slot);

 private:
  bool bit(std::uint32_t index) const {
    const std::uint32_t at = first_bit_ + index;
    return (bits_[at / 64] >> (at % 64) & 1) != 0;
  }
  void push_bit(bool live);
  void make_bits();
  std::uint32_t clear_bits(std::uint32_t first, std::uint32_t last);
  void advance_head();
  std::uint32_t take(std::uint32_t released);

  JournalFile* file_ = nullptr;
  base::Offset base_;
  std::uint32_t count_ = 0, head_ = 0, live_ = 0;  // [0, head_) is dead
  std::uint32_t first_slot_ = 0, first_bit_ = 0;   // of index 0; slots are in slots_ or in the file's index
  std::uint64_t bytes_ = 0;                        // of the live ones, about
  std::shared_ptr<Slots> slots_;
  std::vector<std::uint64_t> bits_;  // empty: all of [head_, count_) are live
};

// All extents of one queue.
class QueueExtents {
 public:
  struct Found {
    const Extent* extent;
    std::uint32_t index;
  };
  std::optional<Found> find(base::Offset offset) const;  // live ones only

  // precondition: offset is behind all others of the queue. True: the first one in this file.
  bool append(JournalFile& file, base::Offset offset, Slot slot, std::uint32_t share_bytes);
  // A copy of an old message stands in `to`. Whatever stood before it in the extent it comes from is dead or
  // copied, too: copies are made in the order of the file. True: a new extent begins. Within an extent places
  // ascend with offsets, which this relies on when its file is compacted.
  bool move(base::Offset offset, JournalFile& to, Slot slot, std::uint32_t share_bytes);
  // A run of an index; runs of older files give way.
  void add_run(Extent run);
  void release(base::Offset first, base::Offset last);
  void release_all();
  bool empty() const { return older_.empty() && active_.empty(); }
  // Behind the last message we know of.
  base::Offset end() const;
  // The newest extent is of a file that is full now.
  void seal_active();

  std::map<base::Offset, Extent>& older() { return older_; }
  const std::map<base::Offset, Extent>& older() const { return older_; }
  const Extent& active() const { return active_; }

 private:
  using Map = std::map<base::Offset, Extent>;
  Map::iterator containing(base::Offset offset);
  void fill_hole(Map::iterator at, base::Offset offset, Slot slot, std::uint32_t share_bytes);
  void clip(base::Offset first, base::Offset end);

  Extent active_;  // in the file being written; behind all others
  Map older_;      // by base
};

}  // namespace sluice::storage
