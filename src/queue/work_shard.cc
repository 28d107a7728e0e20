// SPDX-License-Identifier: Apache-2.0
#include "queue/work_shard.h"

#include <algorithm>

#include "base/check.h"

namespace sluice::queue {

// ---- finding

WorkQueue* WorkShard::find(base::QueueId queue) const {
  if (last_queue_ != nullptr && last_queue_->id == queue) return last_queue_;
  const auto found = queues_.find(queue);
  return found == queues_.end() ? nullptr : found->second.get();
}

WorkConsumer* WorkShard::find(ConsumerId consumer) const {
  if (last_consumer_ != nullptr && last_consumer_->id == consumer) return last_consumer_;
  const auto found = consumers_.find(consumer);
  return found == consumers_.end() ? nullptr : found->second.get();
}

void WorkShard::wake(WorkQueue& queue) {
  if (queue.runnable || queue.unreadable || queue.state.totals().ready == 0 ||
      queue.consumers.next() == nullptr)
    return;
  queue.runnable = true;
  runnable_.push_back(&queue);
}

void WorkShard::note(WorkQueue& queue) {
  if (queue.touched) return;
  queue.touched = true;
  touched_.push_back(&queue);
}

WorkEvent& WorkShard::event_of(WorkQueue& queue) {
  if (queue.event == nullptr) {
    if (spare_events_.empty()) spare_events_.push_back(std::make_unique<WorkEvent>());
    queue.event = std::move(spare_events_.back());
    spare_events_.pop_back();
    with_event_.push_back(&queue);
  }
  return *queue.event;
}

// ---- queues

base::Result<> WorkShard::create(const Setup& setup) {
  if (offline_) return base::fail(base::Errc::io_failed, "the journal of work queues is offline");
  INVARIANT(!queues_.contains(setup.queue), "work queue {} is there", setup.queue.value);
  read_clock();
  auto queue = std::make_unique<WorkQueue>(setup.queue, setup.options);
  queue->idle_since_ms = monotonic_ms_;
  WorkQueue& made = *queue;
  queues_.emplace(setup.queue, std::move(queue));
  note(made);
  return {};
}

void WorkShard::remove(base::QueueId id) {
  const auto found = queues_.find(id);
  if (found == queues_.end()) return;
  WorkQueue& queue = *found->second;
  metrics_.consumers.sub(queue.consumers.count());
  std::vector<WorkConsumer*> gone = queue.consumers.all();
  gone.insert(gone.end(), queue.holders.begin(), queue.holders.end());
  last_consumer_ = nullptr;
  for (const WorkConsumer* each : gone) consumers_.erase(each->id);
  std::erase(runnable_, &queue);
  std::erase(running_, &queue);
  std::erase(touched_, &queue);
  if (queue.event != nullptr) {
    std::erase(with_event_, &queue);
    queue.event->clear();
    spare_events_.push_back(std::move(queue.event));
  }
  metrics_.ready.sub(queue.counted.ready);
  metrics_.unacked.sub(queue.counted_unacked);
  metrics_.messages.sub(queue.counted.ready + queue.counted_unacked);
  metrics_.bytes.sub(queue.counted.ready_bytes + queue.counted.out_bytes);
  if (!offline_) journal_->forget(id);
  last_queue_ = nullptr;
  queues_.erase(found);
}

void WorkShard::set_options(base::QueueId id, const WorkOptions& options) {
  WorkQueue* queue = find(id);
  if (queue == nullptr) return;
  read_clock();
  queue->options = options;
  queue->timer_ms = never_ms;
  arm(*queue, monotonic_ms_);
  note(*queue);
}

void WorkShard::touch(base::QueueId id) {
  WorkQueue* queue = find(id);
  if (queue == nullptr) return;
  read_clock();
  queue->idle_since_ms = monotonic_ms_;
}

std::optional<QueueStats> WorkShard::stats(base::QueueId id) const {
  const WorkQueue* queue = find(id);
  if (queue == nullptr) return std::nullopt;
  const WorkState::Totals& totals = queue->state.totals();
  QueueStats stats;
  stats.ready = totals.ready;
  stats.unacked = queue->unacked();
  stats.ready_bytes = totals.ready_bytes;
  stats.unacked_bytes = totals.out_bytes;
  stats.persistent = totals.ready + totals.out - queue->state.transient_count();
  stats.persistent_bytes = totals.ready_bytes + totals.out_bytes - queue->state.transient_bytes();
  stats.memory_bytes = sizeof(WorkQueue) + queue->state.heap_bytes();
  stats.consumers = static_cast<std::uint32_t>(queue->consumers.count());
  stats.published = queue->published;
  stats.delivered = queue->delivered;
  stats.acked = queue->acked;
  stats.redelivered = queue->redelivered;
  stats.dropped = queue->dropped;
  stats.dead_lettered = queue->dead_lettered;
  stats.next_offset = queue->state.next_offset();
  if (const WorkConsumer* active = queue->consumers.active()) stats.active_consumer = active->id;
  stats.idle_since_ms = queue->idle_since_ms;
  return stats;
}

// ---- consumers

base::Result<> WorkShard::add_consumer(base::QueueId id, ConsumerId consumer,
                                       const ConsumerOptions& options) {
  WorkQueue* queue = find(id);
  INVARIANT(queue != nullptr, "no work queue {}", id.value);
  if (offline_) return base::fail(base::Errc::io_failed, "the journal of work queues is offline");
  TRY_VOID(queue->consumers.may_add(options, queue->options.single_active, queue->options.quorum));
  auto& slot = consumers_[consumer];
  INVARIANT(slot == nullptr, "consumer {} is there", consumer.value);
  slot = std::make_unique<WorkConsumer>();
  slot->id = consumer;
  slot->queue = queue;
  slot->options = options;
  tell(*queue, queue->consumers.add(*slot, queue->options.single_active, queue->options.quorum));
  metrics_.consumers.add();
  wake(*queue);
  return {};
}

void WorkShard::tell(WorkQueue& queue, const WorkConsumers::ActiveChange& change) {
  if (!change) return;
  if (change.before != nullptr) listener_.on_active_changed(queue.id, change.before->id, false);
  if (change.now != nullptr) listener_.on_active_changed(queue.id, change.now->id, true);
  wake(queue);
}

void WorkShard::remove_consumer(ConsumerId id, bool requeue) {
  WorkConsumer* consumer = find(id);
  if (consumer == nullptr) return;
  WorkQueue& queue = *consumer->queue;
  read_clock();
  if (consumer->attached) {
    const auto change = queue.consumers.remove(*consumer);
    queue.holders.push_back(consumer);
    metrics_.consumers.sub();
    tell(queue, change);
    if (queue.consumers.count() == 0) {
      queue.idle_since_ms = monotonic_ms_;
      note(queue);
      if (!offline_) listener_.on_no_consumers(queue.id);
    }
  }
  if (offline_) {
    consumer->unacked = {};  // ready again after the next start
  } else if (requeue) {
    const UnackedList unacked = std::exchange(consumer->unacked, {});
    unacked.for_each([&](const Taken& taken) { give_back(queue, taken, true); });
  }
  if (consumer->unacked.empty()) drop_consumer(*consumer);
}

// precondition: not attached
void WorkShard::drop_consumer(WorkConsumer& consumer) {
  std::erase(consumer.queue->holders, &consumer);
  if (last_consumer_ == &consumer) last_consumer_ = nullptr;
  consumers_.erase(consumer.id);
}

void WorkShard::refresh(WorkQueue& queue, WorkConsumer& consumer) {
  tell(queue, queue.consumers.refresh(consumer));
  wake(queue);
}

void WorkShard::set_ready(ConsumerId id, bool ready) {
  WorkConsumer* consumer = find(id);
  if (consumer == nullptr || consumer->ready == ready) return;
  consumer->ready = ready;
  refresh(*consumer->queue, *consumer);
}

void WorkShard::set_prefetch(ConsumerId id, std::uint32_t prefetch) {
  WorkConsumer* consumer = find(id);
  if (consumer == nullptr) return;
  consumer->options.prefetch = prefetch;
  refresh(*consumer->queue, *consumer);
}

WorkConsumer& WorkShard::holder_of(WorkQueue& queue, ConsumerId id) {
  auto& slot = consumers_[id];
  if (slot == nullptr) {
    slot = std::make_unique<WorkConsumer>();
    slot->id = id;
    slot->queue = &queue;
    queue.holders.push_back(slot.get());
  }
  return *slot;
}

}  // namespace sluice::queue
