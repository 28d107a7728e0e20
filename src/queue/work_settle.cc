// SPDX-License-Identifier: Apache-2.0
// The ends of messages: settled, given back, dead, dropped, purged.
#include <algorithm>

#include "base/check.h"
#include "queue/work_shard.h"

namespace sluice::queue {

void WorkShard::settle(base::QueueId id, ConsumerId holder, std::span<const base::Offset> offsets,
                       Settlement settlement) {
  WorkConsumer* consumer = find(holder);
  if (consumer == nullptr || consumer->queue->id != id || offline_) return;
  last_consumer_ = consumer;
  WorkQueue& queue = *consumer->queue;
  if (settlement != Settlement::accepted) read_clock();
  for (const base::Offset offset : offsets) {
    const auto taken = consumer->unacked.remove(offset);
    if (!taken) continue;
    switch (settlement) {
      case Settlement::accepted:
        ++queue.acked;
        metrics_.acked.add();
        settle_taken(queue, *taken);
        break;
      case Settlement::rejected:
        kill(queue, *taken, DeadReason::rejected);
        break;
      case Settlement::requeued:
      case Settlement::failed:
        give_back(queue, *taken, settlement == Settlement::failed);
        break;
    }
  }
  note(queue);
  if (consumer->attached)
    refresh(queue, *consumer);
  else if (consumer->unacked.empty())
    drop_consumer(*consumer);
}

bool WorkShard::drop_ready(base::QueueId id, base::Offset offset) {
  WorkQueue* queue = find(id);
  if (queue == nullptr || offline_ || !queue->state.is_ready(offset)) return false;
  Taken taken = queue->state.take_at(offset);
  if (read_taken(*queue, taken) != Readable::yes) return false;
  settle_taken(*queue, taken);
  note(*queue);
  return true;
}

void WorkShard::settle_taken(WorkQueue& queue, const Taken& taken) {
  WorkEvent& event = event_of(queue);
  event.settled.add(taken.offset);
  event.settled_bytes += queue.state.settle(taken);
}

void WorkShard::give_back(WorkQueue& queue, const Taken& before, bool failed) {
  const Taken taken = WorkState::counted(before, failed);
  note(queue);
  if (queue.options.quorum) {
    WorkEvent& event = event_of(queue);
    event.returned.add(taken.offset);
    if (failed) event.failed.add(taken.offset);
    if (failed && queue.options.delivery_limit && taken.failed > *queue.options.delivery_limit)
      return kill(queue, taken, DeadReason::delivery_limit);
    const RetryDelay delay = queue.options.retry_delay;
    if (delay == RetryDelay::all || delay == (failed ? RetryDelay::failed : RetryDelay::returned)) {
      const std::int64_t wanted = queue.options.retry_delay_min_ms * std::max<std::int64_t>(taken.failed, 1);
      const std::int64_t due =
          monotonic_ms_ + std::min(wanted, std::max(queue.options.retry_delay_max_ms, std::int64_t{0}));
      queue.delayed.push_back({due, taken});
      std::push_heap(queue.delayed.begin(), queue.delayed.end(), std::greater<>());
      return arm(queue, due);
    }
  }
  queue.state.requeue(taken);
  if (queue.may_expire()) arm(queue, monotonic_ms_);
  wake(queue);
}

// ---- death

bool WorkShard::may_kill(const WorkQueue& queue) const {
  return !queue.options.dead_letters || !queue.dead ||
         queue.dead->waiting_count() < dead_letters_in_flight_max;
}

void WorkShard::kill(WorkQueue& queue, const Taken& taken, DeadReason reason) {
  note(queue);
  if (reason == DeadReason::maxlen) ++queue.dropped, metrics_.dropped.add();
  if (!queue.options.dead_letters) return settle_taken(queue, taken);
  if (!queue.dead) queue.dead = std::make_unique<DeadLetterBox>();
  queue.dead->waiting.push_back({taken, reason});
}

void WorkShard::hand_on_dead(WorkQueue& queue) {
  if (!queue.dead) return;
  DeadLetterBox& dead = *queue.dead;
  while (dead.waiting_count() > 0 && dead.in_flight.size() < dead_letters_in_flight_max) {
    DeadLetterBox::Letter letter = dead.waiting[dead.next];
    const Readable readable = read_taken(queue, letter.taken);
    if (readable == Readable::not_now) break;
    ++dead.next;
    if (readable == Readable::lost) continue;
    ++queue.dead_lettered;
    metrics_.dead.add();
    dead.in_flight.emplace(letter.taken.offset, letter.taken);
    listener_.on_dead(delivery_of(queue, letter.taken), letter.reason);
  }
  if (dead.waiting_count() == 0) {
    dead.waiting.clear();
    dead.next = 0;
    if (dead.in_flight.empty()) queue.dead.reset();
  } else if (dead.next >= 1024) {
    dead.waiting.erase(dead.waiting.begin(), dead.waiting.begin() + static_cast<std::ptrdiff_t>(dead.next));
    dead.next = 0;
  }
}

void WorkShard::dead_letter_done(base::QueueId id, base::Offset offset) {
  WorkQueue* queue = find(id);
  if (queue == nullptr || offline_ || !queue->dead) return;
  const auto found = queue->dead->in_flight.find(offset);
  if (found == queue->dead->in_flight.end()) return;
  settle_taken(*queue, found->second);
  queue->dead->in_flight.erase(found);
  note(*queue);
  wake(*queue);
}

// drop-head: what consumers did not take of a queue that is too long dies from its head.
void WorkShard::enforce_limits(WorkQueue& queue) {
  if (!queue.options.length_max && !queue.options.length_bytes_max) return;
  if (queue.options.overflow != Overflow::drop_head) return;
  while (queue.state.exceeds(queue.options) && may_kill(queue)) {
    auto taken = queue.state.take();
    if (!taken) return;
    const Readable readable = read_taken(queue, *taken);
    if (readable == Readable::not_now) return;
    if (readable == Readable::yes) kill(queue, *taken, DeadReason::maxlen);
  }
}

// ---- purge

std::uint64_t WorkShard::purge(base::QueueId id) {
  WorkQueue* queue = find(id);
  if (queue == nullptr || offline_) return 0;
  std::uint64_t purged = 0;
  WorkPurge purge = queue->state.purge(purged);
  if (purged == 0) return 0;
  // What came before it in this turn has to stand before it, what comes later behind it.
  if (queue->event != nullptr) {
    std::erase(with_event_, queue);
    append_event(*queue);
  }
  base::Offset from;
  const auto release = [&](base::Offset end) {
    if (from < end) journal_->release(queue->id, from, base::Offset{end.value - 1});
  };
  for (const auto& run : purge.kept) {
    release(run.first);
    from = run.last + 1;
  }
  release(purge.below);
  if (queue->options.durable) {
    WorkEvent event;
    event.purge = std::move(purge);
    bytes_.clear();
    event.encode(bytes_);
    journal_->append_event(queue->id, bytes_);
  }
  note(*queue);
  return purged;
}

}  // namespace sluice::queue
