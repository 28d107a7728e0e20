// SPDX-License-Identifier: Apache-2.0
// Time: expiry of messages and queues, delayed retries, consumers that settle nothing. One timer per queue,
// in one heap; a queue that waits for nothing has none.
#include <algorithm>

#include "queue/work_shard.h"

namespace sluice::queue {

namespace {

// Heads looked at by one run of a queue's timer; more of them wait for the next turn.
constexpr std::uint32_t expired_per_run_max = 4096;

}  // namespace

void WorkShard::arm(WorkQueue& queue, std::int64_t due_ms) {
  if (due_ms >= queue.timer_ms) return;
  queue.timer_ms = due_ms;
  timers_.push_back({due_ms, queue.id});
  std::push_heap(timers_.begin(), timers_.end(), std::greater<>());
}

void WorkShard::run_timers() {
  while (!timers_.empty() && timers_.front().due_ms <= monotonic_ms_) {
    const Timer timer = timers_.front();
    std::pop_heap(timers_.begin(), timers_.end(), std::greater<>());
    timers_.pop_back();
    WorkQueue* queue = find(timer.queue);
    if (queue != nullptr && queue->timer_ms == timer.due_ms) run_timer(*queue);
  }
}

// Whatever is due at this time or was, and when to look again.
void WorkShard::run_timer(WorkQueue& queue) {
  queue.timer_ms = never_ms;
  if (std::exchange(queue.unreadable, false)) wake(queue);
  release_delayed(queue);
  std::int64_t next = queue.delayed.empty() ? never_ms : queue.delayed.front().due_ms;
  if (queue.may_expire()) next = std::min(next, expire_heads(queue));
  next = std::min(next, check_timeouts(queue));
  next = std::min(next, check_unused(queue));
  arm(queue, std::max(next, monotonic_ms_ + 1));
  note(queue);
}

// ---- messages

std::int64_t WorkShard::expiry_ms(const WorkQueue& queue, const MessageMeta& meta) const {
  std::int64_t at = meta.expires_at_ms == 0 ? never_ms : meta.expires_at_ms;
  const auto ttl = queue.options.message_ttl_ms;
  if (ttl && *ttl < never_ms - meta.received_at_ms) at = std::min(at, meta.received_at_ms + *ttl);
  return at;
}

// A message of this turn is offered to consumers before it expires, however short its time.
bool WorkShard::is_expired(const WorkQueue& queue, const MessageMeta& meta, base::Offset offset) const {
  return queue.may_expire() && offset < queue.fresh_from && expiry_ms(queue, meta) <= wall_ms_;
}

void WorkShard::arm_expiry(WorkQueue& queue, std::int64_t wall_ms) {
  if (wall_ms == never_ms) return;
  arm(queue, monotonic_ms_ + std::max<std::int64_t>(wall_ms - wall_ms_, 0));
}

// When to look again.
std::int64_t WorkShard::expire_heads(WorkQueue& queue) {
  std::uint32_t left = expired_per_run_max;
  std::int64_t next_wall = never_ms;
  for (bool changed = true; changed && left > 0;) {
    changed = false;
    next_wall = never_ms;
    heads_.clear();
    queue.state.for_each_head([this](base::Offset offset) { heads_.push_back(offset); });
    for (const base::Offset offset : heads_) {
      const auto stored = journal_->read({queue.id, offset});
      if (!stored && stored.error().code == base::Errc::io_failed) return monotonic_ms_ + 1000;
      if (stored && !is_expired(queue, stored->meta, offset)) {
        next_wall = std::min(next_wall, expiry_ms(queue, stored->meta));
        continue;
      }
      if (!may_kill(queue)) return monotonic_ms_ + 10;
      Taken taken = queue.state.take_at(offset);
      if (const Readable readable = read_taken(queue, taken); readable == Readable::yes) {
        metrics_.expired.add();
        kill(queue, taken, DeadReason::expired);
      }
      changed = true;
      left -= std::min(left, 1U);
    }
  }
  if (left == 0) {
    shard_.mail.send(shard_.id, [] {});  // the next turn goes on
    return monotonic_ms_;
  }
  return next_wall == never_ms ? never_ms : monotonic_ms_ + std::max<std::int64_t>(next_wall - wall_ms_, 0);
}

void WorkShard::release_delayed(WorkQueue& queue) {
  while (!queue.delayed.empty() && queue.delayed.front().due_ms <= monotonic_ms_) {
    std::pop_heap(queue.delayed.begin(), queue.delayed.end(), std::greater<>());
    const Taken taken = queue.delayed.back().taken;
    queue.delayed.pop_back();
    queue.state.requeue(taken);
    wake(queue);
  }
}

// ---- consumers

std::optional<std::int64_t> WorkShard::timeout_of(const WorkQueue& queue,
                                                  const WorkConsumer& consumer) const {
  const auto timeout =
      consumer.options.timeout_ms ? consumer.options.timeout_ms : queue.options.consumer_timeout_ms;
  // delivered_at goes around after 49 days: longer than half of that is never
  return timeout && *timeout < (std::int64_t{1} << 31) ? timeout : std::nullopt;
}

std::int64_t WorkShard::check_timeouts(WorkQueue& queue) {
  std::int64_t next = never_ms;
  const auto consumers = queue.consumers.all();
  for (WorkConsumer* consumer : consumers) {
    const auto timeout = timeout_of(queue, *consumer);
    if (!timeout || consumer->unacked.empty()) continue;
    std::uint32_t oldest_ms = 0;
    consumer->unacked.for_each([&](const Taken& taken) {
      oldest_ms = std::max(oldest_ms, static_cast<std::uint32_t>(monotonic_ms_) - taken.delivered_at);
    });
    if (oldest_ms >= *timeout)
      time_out(queue, *consumer);
    else
      next = std::min(next, monotonic_ms_ + *timeout - oldest_ms);
  }
  return next;
}

void WorkShard::time_out(WorkQueue& queue, WorkConsumer& consumer) {
  const ConsumerId id = consumer.id;
  remove_consumer(id, true);
  listener_.on_consumer_timeout(queue.id, id);
}

// ---- queues

std::int64_t WorkShard::check_unused(WorkQueue& queue) {
  if (!queue.options.expires_ms || queue.consumers.count() > 0 || queue.told_unused) return never_ms;
  const std::int64_t due = queue.idle_since_ms + *queue.options.expires_ms;
  if (due > monotonic_ms_) return due;
  queue.told_unused = true;
  listener_.on_unused(queue.id);
  return never_ms;
}

}  // namespace sluice::queue
