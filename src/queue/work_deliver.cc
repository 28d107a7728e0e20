// SPDX-License-Identifier: Apache-2.0
// Deliveries and gets: whose turn, reading the message, what becomes of it.
#include <algorithm>

#include "base/check.h"
#include "queue/work_content.h"
#include "queue/work_shard.h"

namespace sluice::queue {

namespace {

// Of one turn, over all queues; and of one queue before the next has its turn. A message that goes to a
// socket costs a microsecond or two, so that a turn stays below some ten milliseconds.
constexpr std::uint32_t turn_messages_max = 8192;
constexpr std::uint64_t turn_bytes_max = 16 << 20;
constexpr std::uint32_t slice_messages_max = 128;
constexpr std::uint64_t slice_bytes_max = 1 << 20;
// A disk that does not answer is asked again so much later.
constexpr std::int64_t unreadable_ms = 500;

}  // namespace

void WorkShard::deliver_all() {
  Budget turn{turn_messages_max, turn_bytes_max};
  while (!runnable_.empty() && !turn.spent()) {
    std::swap(runnable_, running_);
    std::size_t next = 0;
    for (; next < running_.size() && !turn.spent(); ++next) {
      WorkQueue& queue = *running_[next];
      queue.runnable = false;
      note(queue);
      Budget slice{std::min(slice_messages_max, turn.messages), std::min(slice_bytes_max, turn.bytes)};
      const Budget before = slice;
      if (deliver_some(queue, slice)) wake(queue);
      turn.messages -= before.messages - slice.messages;
      turn.bytes -= before.bytes - slice.bytes;
    }
    runnable_.insert(runnable_.begin(), running_.begin() + static_cast<std::ptrdiff_t>(next), running_.end());
    running_.clear();
  }
}

// True: there may be more to deliver.
bool WorkShard::deliver_some(WorkQueue& queue, Budget& budget) {
  while (!budget.spent()) {
    WorkConsumer* consumer = queue.state.totals().ready == 0 ? nullptr : queue.consumers.next();
    if (consumer == nullptr) break;
    if (consumer->options.ask_first && !listener_.may_deliver(consumer->id)) {
      consumer->ready = false;
      tell(queue, queue.consumers.refresh(*consumer));
      continue;
    }
    if (!deliver_one(queue, *consumer, budget)) break;
  }
  // Another head may expire earlier than the one before.
  if (queue.may_expire() && queue.state.totals().ready > 0) arm(queue, monotonic_ms_ + 1);
  return budget.spent();
}

bool WorkShard::deliver_one(WorkQueue& queue, WorkConsumer& consumer, Budget& budget) {
  Taken taken;
  const Readable readable = take_fresh(queue, taken);
  if (readable == Readable::not_now) return false;
  budget.charge(taken.bytes);
  if (readable == Readable::lost) return true;
  taken.delivered_at = static_cast<std::uint32_t>(monotonic_ms_);
  if (!consumer.options.no_ack) {
    queue.state.note_delivered(taken);
    consumer.unacked.add(taken);
    if (const auto timeout = timeout_of(queue, consumer)) arm(queue, monotonic_ms_ + *timeout);
  }
  count_delivery(queue, taken);
  if (!listener_.on_delivery(consumer.id, delivery_of(queue, taken))) consumer.ready = false;
  if (consumer.options.no_ack) settle_taken(queue, taken);
  queue.consumers.rotate(consumer);
  return true;
}

void WorkShard::count_delivery(WorkQueue& queue, const Taken& taken) {
  ++queue.delivered;
  metrics_.delivered.add();
  if (taken.acquired == 0) return;
  ++queue.redelivered;
  metrics_.redelivered.add();
}

WorkDelivery WorkShard::delivery_of(const WorkQueue& queue, const Taken& taken) const {
  WorkDelivery delivery;
  delivery.queue = queue.id;
  delivery.offset = taken.offset;
  delivery.message = message_;
  delivery.meta = stored_.meta;
  delivery.redelivered = taken.acquired > 0;
  delivery.delivery_count = taken.failed;
  delivery.acquired_count = taken.acquired;
  return delivery;
}

// Takes the next message; an expired one dies. `lost`: that one is done with, ask again. `not_now`: there is
// none, or the disk does not answer.
WorkShard::Readable WorkShard::take_fresh(WorkQueue& queue, Taken& taken) {
  auto next = queue.state.take();
  if (!next) return Readable::not_now;
  taken = *next;
  const Readable readable = read_taken(queue, taken);
  if (readable != Readable::yes || !is_expired(queue, stored_.meta, taken.offset)) return readable;
  if (!may_kill(queue)) {
    queue.state.put_back(taken);
    return Readable::not_now;
  }
  metrics_.expired.add();
  kill(queue, taken, DeadReason::expired);
  return Readable::lost;
}

WorkShard::Readable WorkShard::read_taken(WorkQueue& queue, Taken& taken) {
  auto stored = journal_->read({queue.id, taken.offset});
  std::string why;
  if (stored) {
    if (const auto message = parse_content(stored->content)) {
      if (taken.bytes == 0) queue.state.weigh(taken, static_cast<std::uint32_t>(message->body.size()));
      stored_ = *stored;
      message_ = *message;
      return Readable::yes;
    }
    why = "malformed content";
  } else if (stored.error().code == base::Errc::io_failed) {
    shard_.logger.write(base::LogLevel::error, "queue", "a message cannot be read now",
                        {{"queue", std::to_string(queue.id.value)}, {"why", stored.error().text}});
    queue.unreadable = true;
    arm(queue, monotonic_ms_ + unreadable_ms);
    queue.state.put_back(taken);
    return Readable::not_now;
  } else {
    why = stored.error().text;
  }
  shard_.logger.write(base::LogLevel::error, "queue", "a message is lost",
                      {{"queue", std::to_string(queue.id.value)},
                       {"offset", std::to_string(taken.offset.value)},
                       {"why", why}});
  metrics_.lost.add();
  settle_taken(queue, taken);
  return Readable::lost;
}

void WorkShard::get(base::QueueId id, ConsumerId holder, bool no_ack,
                    const std::function<void(const WorkDelivery*)>& take) {
  WorkQueue* queue = find(id);
  if (queue == nullptr || offline_) return take(nullptr);
  read_clock();
  queue->idle_since_ms = monotonic_ms_;
  note(*queue);
  // One event counts one return of a message: what gets and returns repeat in a turn takes several.
  if (queue->event != nullptr && !queue->event->returned.empty()) {
    std::erase(with_event_, queue);
    append_event(*queue);
  }
  Taken taken;
  Readable readable = Readable::lost;
  while (readable == Readable::lost) readable = take_fresh(*queue, taken);
  if (readable == Readable::not_now) return take(nullptr);
  taken.delivered_at = static_cast<std::uint32_t>(monotonic_ms_);
  if (!no_ack) {
    queue->state.note_delivered(taken);
    holder_of(*queue, holder).unacked.add(taken);
  }
  count_delivery(*queue, taken);
  const WorkDelivery delivery = delivery_of(*queue, taken);
  if (no_ack) settle_taken(*queue, taken);
  if (queue->may_expire() && queue->state.totals().ready > 0) arm(*queue, monotonic_ms_ + 1);
  take(&delivery);
}

}  // namespace sluice::queue
