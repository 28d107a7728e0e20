// SPDX-License-Identifier: Apache-2.0
// What lies where in a journal, and what of each file is still needed: all files and all queues' extents.
// Pure bookkeeping; owned by the journal, filled by recovery.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "storage/journal_extents.h"
#include "storage/journal_index.h"

namespace sluice::storage {

class JournalMap {
 public:
  using Files = std::map<std::uint64_t, JournalFile>;  // by number; addresses stay
  Files& files() { return files_; }
  const Files& files() const { return files_; }
  JournalFile& add_file(const JournalFileHeader& header, std::uint64_t bytes);

  // A record of the file, with the queues it is in.
  void place(JournalFile& file, std::span<const MessagePlace> places, Slot slot, bool is_copy);
  void place_one(JournalFile& file, MessagePlace place, Slot slot, std::uint32_t share_bytes, bool is_copy);
  // False for a place that cannot follow what is known: the record is damaged.
  bool can_place(MessagePlace place, bool is_copy) const;
  void release(base::QueueId queue, base::Offset first, base::Offset last);
  void forget(base::QueueId queue);
  struct Found {
    const Extent* extent;
    std::uint32_t index;  // in the extent
  };
  std::optional<Found> find(MessagePlace place) const;  // live ones only

  // The file gets no more records.
  void seal(JournalFile& file);
  // Of a sealed file: all its extents.
  std::vector<IndexInput> index_inputs(const JournalFile& file) const;
  // The index of the file was written as these.
  void set_indexed(JournalFile& file, const std::vector<IndexInput>& written);
  // Of an older file at open: its runs, except those of queues that nobody knows. `slot` reads one.
  using ReadSlot = std::function<base::Result<Slot>(std::uint64_t slot)>;
  base::Result<> add_runs(JournalFile& file, const std::vector<IndexRun>& runs,
                          const std::function<bool(base::QueueId)>& is_known, const ReadSlot& slot);
  std::size_t queue_count() const { return queues_.size(); }

 private:
  QueueExtents& extents_of(base::QueueId queue);
  QueueExtents* find_queue(base::QueueId queue) const;

  Files files_;
  std::unordered_map<base::QueueId, QueueExtents> queues_;  // those with something live, and some without
  // The queue of the call before: most calls come in rows for one queue.
  mutable base::QueueId last_queue_;
  mutable QueueExtents* last_extents_ = nullptr;
};

}  // namespace sluice::storage
