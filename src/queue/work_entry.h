// SPDX-License-Identifier: Apache-2.0
// One work queue inside its shard: settings, state, consumers, dead letters and what the current turn left to
// do. Plain data of WorkShard; see work_shard.h. An idle queue is this struct and its places in two tables.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "queue/work_consumers.h"
#include "queue/work_event.h"
#include "queue/work_state.h"

namespace sluice::queue {

inline constexpr std::int64_t never_ms = INT64_MAX;

// Messages that died and are not taken over yet. All of them are `out` for the state.
struct DeadLetterBox {
  struct Letter {
    Taken taken;
    DeadReason reason = DeadReason::rejected;
  };
  std::vector<Letter> waiting;  // from next on
  std::size_t next = 0;
  std::map<base::Offset, Taken> in_flight;  // at most dead_letters_in_flight_max

  std::size_t waiting_count() const { return waiting.size() - next; }
  std::size_t count() const { return waiting_count() + in_flight.size(); }
};

struct WorkQueue {
  WorkQueue(base::QueueId queue, const WorkOptions& wanted) : id(queue), options(wanted), state(wanted) {}

  struct Delayed {
    std::int64_t due_ms = 0;  // monotonic
    Taken taken;
    friend bool operator>(const Delayed& a, const Delayed& b) {
      return std::pair(a.due_ms, a.taken.offset) > std::pair(b.due_ms, b.taken.offset);
    }
  };

  base::QueueId id;
  WorkOptions options;
  WorkState state;
  WorkConsumers consumers;
  std::vector<WorkConsumer*> holders;  // with unsettled messages, but no consumers (any more)
  std::unique_ptr<DeadLetterBox> dead;
  std::vector<Delayed> delayed;      // a heap, the earliest first
  std::unique_ptr<WorkEvent> event;  // of this turn; borrowed from the shard
  base::Offset recorded_delivered;   // delivered_below() as the journal knows it
  base::Offset fresh_from;           // messages from here on came in this turn
  std::int64_t idle_since_ms = 0;    // monotonic
  std::int64_t timer_ms = never_ms;
  bool runnable = false, touched = false;  // is in the shard's list of that name
  bool told_unused = false;
  bool unreadable = false;    // reads fail: nothing is delivered until its timer runs
  WorkState::Totals counted;  // what of it stands in the shard's gauges
  std::uint64_t counted_unacked = 0;
  std::uint64_t published = 0, delivered = 0, acked = 0, redelivered = 0, dropped = 0, dead_lettered = 0;

  std::uint64_t set_aside() const { return (dead ? dead->count() : 0) + delayed.size(); }
  std::uint64_t unacked() const { return state.totals().out - set_aside(); }
  bool may_expire() const { return options.message_ttl_ms.has_value() || state.has_expirations(); }
};
static_assert(sizeof(WorkQueue) <= 800, "10,000 idle queues are ordinary");

}  // namespace sluice::queue
