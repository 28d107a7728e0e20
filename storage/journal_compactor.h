// SPDX-License-Identifier: Apache-2.0
// Compaction: of a full file in which little is alive, copies that to the journal's end, in slices. One file
// at a time; the journal removes the file once nothing in it is alive and the copies are durable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/journal_map.h"
#include "storage/journal_metrics.h"
#include "storage/journal_reader.h"
#include "storage/journal_scan.h"

namespace sluice::storage {

// What compaction asks of the journal.
class CompactionTarget {
 public:
  virtual ~CompactionTarget() = default;
  virtual bool is_live(MessagePlace place) const = 0;
  // Appends the message with these of its places.
  virtual void append_copy(const MessageMeta& meta, base::ByteView content,
                           std::span<const MessagePlace> places) = 0;
};

class JournalCompactor {
 public:
  JournalCompactor(base::Shard& shard, std::string directory, JournalMap& map, JournalReader& reader,
                   CompactionTarget& target, JournalMetrics& metrics)
      : shard_(shard),
        directory_(std::move(directory)),
        map_(map),
        reader_(reader),
        target_(target),
        metrics_(metrics) {}

  // Looks at about `bytes_max` more bytes; picks a file among those before `before` when none is under way.
  void run_slice(std::uint64_t before, double live_part_min, std::uint64_t bytes_max);
  bool is_running() const { return scanner_.has_value(); }

 private:
  void pick(std::uint64_t before, double live_part_min);
  void copy_batch();
  void copy_message(base::ByteView record, std::uint64_t position);
  void stop_damaged(const base::Error& error);

  base::Shard& shard_;
  std::string directory_;
  JournalMap& map_;
  JournalReader& reader_;
  CompactionTarget& target_;
  JournalMetrics& metrics_;
  std::uint64_t number_ = 0;  // of the file under way
  std::optional<JournalScanner> scanner_;
  std::vector<MessagePlace> places_, live_;  // reused
};

}  // namespace sluice::storage
