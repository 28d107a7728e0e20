// SPDX-License-Identifier: Apache-2.0
// The state of one work queue: which messages are ready, which are out (taken and not settled), in which
// order they come, how often each was delivered. A pure machine: it knows offsets, sizes and counts, never
// bodies, clocks or consumers; WorkQueues asks it and carries out. Nothing is kept per ready message.
//
//   enqueue -> ready --take--> out --settle--> gone
//                ^-- requeue, put_back --'
//
// Order: higher priorities first (strict), then offsets ascending. Classic queues requeue to the original
// position; quorum queues deliver what was returned before everything else. Sizes and delivery counts of
// messages that are out live in their Taken, which the caller keeps (UnackedList).
//
// After a crash: checkpoint, then the journal's messages and events again (recover_*): everything that was
// out is ready again, flagged redelivered if it may have been delivered.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "queue/work_event.h"
#include "queue/work_offsets.h"
#include "queue/work_options.h"
#include "queue/work_unacked.h"
#include "storage/journal.h"

namespace sluice::queue {

class WorkState {
 public:
  struct Totals {
    std::uint64_t ready = 0, out = 0, ready_bytes = 0, out_bytes = 0;
    friend bool operator==(const Totals&, const Totals&) = default;
  };

  // `quorum` and `priority_max` of the options are fixed for the life of the queue; nothing else is used.
  explicit WorkState(const WorkOptions& options)
      : quorum_(options.quorum), priority_max_(options.priority_max) {}

  base::Offset next_offset() const { return next_; }
  const Totals& totals() const { return totals_; }
  // Of these, what does not survive a restart.
  std::uint64_t transient_count() const { return rare_ ? rare_->transient.count() : 0; }
  std::uint64_t transient_bytes() const { return rare_ ? rare_->transient_bytes : 0; }
  // Some message behind the head may have an expiration of its own.
  bool has_expirations() const { return has_expirations_; }

  base::Offset enqueue(const storage::MessageMeta& meta, std::uint32_t bytes);
  // The next in order; out until settled, requeued or put back. Its size is 0 until weigh().
  std::optional<Taken> take();
  // The size, known once the message was read.
  void weigh(Taken& taken, std::uint32_t bytes);
  // As if it had not been taken; before or after weigh().
  void put_back(const Taken& taken);
  // It leaves the process and may come back after a crash.
  void note_delivered(const Taken& taken) { delivered_below_ = std::max(delivered_below_, taken.offset + 1); }
  base::Offset delivered_below() const { return delivered_below_; }

  // How many bytes recovery has to subtract for it: 0 for what is not recovered anyway.
  std::uint32_t settle(const Taken& taken);
  // Ready again, with the counts of `taken` (see counted).
  void requeue(const Taken& taken);
  // Its counts after one more delivery that was given back.
  static Taken counted(Taken taken, bool failed);
  // Drops what is ready. The event is complete and has to be recorded before any later message.
  WorkPurge purge(std::uint64_t& purged);

  // The heads that may expire: the first of each priority, returned ones apart.
  template <class Each>
  void for_each_head(Each each) const {
    for (const Level& level : levels_) {
      if (!level.returned.empty()) each(level.returned.front());
      if (!level.ready.empty()) each(level.ready.front());
    }
  }
  // As take(), of a message that is ready.
  Taken take_at(base::Offset offset);
  std::optional<base::Offset> head() const;

  bool is_live(base::Offset offset) const;
  bool is_ready(base::Offset offset) const;
  bool exceeds(const WorkOptions& limits) const;
  // Would it exceed the limits with one more message of this size, `leaving` messages fewer?
  bool would_exceed(const WorkOptions& limits, std::uint64_t bytes, std::uint64_t leaving) const;

  // ---- recovery
  void encode_checkpoint(base::ByteBuffer& out) const;
  bool recover_checkpoint(base::ByteView bytes);
  // Offsets that the checkpoint has (or that are behind next_offset()) are passed over.
  void recover_message(const storage::MessageMeta& meta, base::Offset offset, std::uint32_t bytes);
  void recover_event(const WorkEvent& event);
  // Ends recovery: flags what may have been delivered; drops everything of a queue that is not durable.
  void finish_recovery(bool durable);
  template <class Run>
  void for_each_live_run(Run run) const {
    if (levels_.size() == 1 && levels_[0].out.empty() && levels_[0].returned.empty())
      return levels_[0].ready.for_each_run(run);
    live().for_each_run(run);
  }

  std::size_t heap_bytes() const;

 private:
  struct Level {
    std::uint8_t priority = 0;
    OffsetSet ready, returned, out;
  };
  struct Counts {
    std::uint16_t acquired = 0, failed = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
  };
  // What few queues need, of messages that are ready or out: how often they were taken before, and which are
  // not persistent.
  struct Rare {
    OffsetSet acquired, failed;                        // at least once
    std::unordered_map<std::uint64_t, Counts> counts;  // unless acquired once and failed at most once
    OffsetSet transient;
    std::uint64_t transient_bytes = 0;      // of these
    std::uint64_t transient_out_bytes = 0;  // of these, what is out
  };

  OffsetSet live() const;
  std::uint8_t priority_of(const storage::MessageMeta& meta) const;
  Level& level(std::uint8_t priority);
  Rare& rare();
  Taken taken_from(Level& level, base::Offset offset);
  Counts counts_of(base::Offset offset) const;
  void set_counts(base::Offset offset, Counts counts);
  void forget_counts(base::Offset offset);
  bool is_known_transient(base::Offset offset) const {
    return rare_ && !rare_->transient.empty() && rare_->transient.contains(offset);
  }
  bool is_transient(const storage::MessageMeta& meta) const { return !quorum_ && !meta.persistent; }
  void drop_ready(const OffsetRuns& runs);
  void encode_level(const Level& level, base::ByteBuffer& out) const;
  void encode_counts(base::ByteBuffer& out) const;
  void bump(const OffsetRuns& runs, bool failed);
  bool decode_levels(base::ByteReader& from);
  bool decode_counts(base::ByteReader& from);

  bool quorum_;
  bool has_expirations_ = false;
  std::uint8_t priority_max_;
  base::Offset next_;
  base::Offset delivered_below_;  // deliveries of this and earlier processes
  base::Offset recovered_below_;  // those of earlier ones: redelivered
  Totals totals_;
  std::vector<Level> levels_;  // highest priority first
  std::unique_ptr<Rare> rare_;
};

}  // namespace sluice::queue
