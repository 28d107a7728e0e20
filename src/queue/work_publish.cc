// SPDX-License-Identifier: Apache-2.0
// Publishing and confirms, and the end of a turn.
#include <algorithm>

#include "base/check.h"
#include "queue/work_content.h"
#include "queue/work_shard.h"

namespace sluice::queue {

namespace {

// Publishers stop above so many bytes that are not durable yet.
constexpr std::size_t pending_bytes_max = 32 << 20;
// No offset of a message: a refused one has none.
constexpr std::uint64_t refused_offset = std::uint64_t{1} << 63;

}  // namespace

void WorkShard::read_clock() {
  monotonic_ms_ = shard_.clock.monotonic_ms();
  wall_ms_ = shard_.clock.wall_ms();
}

bool WorkShard::has_room() const {
  return offline_ || journal_->pending_bytes() < pending_bytes_max;
}

void WorkShard::publish(const Message& message, const MessageMeta& meta,
                        std::span<const base::QueueId> targets, const PublishOrigin& origin) {
  if (offline_) {
    if (origin.number != 0) fail_confirm(origin);
    return;
  }
  const std::size_t bytes = message.body.size();
  bool accepted = true, wait = false;
  places_.clear();
  for (const base::QueueId target : targets) {
    WorkQueue* queue = find(target);
    if (queue == nullptr) continue;
    last_queue_ = queue;
    if (queue->options.overflow != Overflow::drop_head && refuses(*queue, message, meta, bytes)) {
      accepted = false;
      continue;
    }
    const base::Offset offset = queue->state.enqueue(meta, static_cast<std::uint32_t>(bytes));
    places_.push_back({target, offset});
    wait |= queue->options.durable && (meta.persistent || queue->options.quorum);
    ++queue->published;
    if (queue->may_expire()) arm_expiry(*queue, expiry_ms(*queue, meta));
    wake(*queue);
    note(*queue);
  }
  metrics_.published.add(places_.size());
  if (!places_.empty()) {
    std::array<std::uint8_t, content_head_bytes> head;
    journal_->append_message(meta, content_parts(message, head), places_);
  }
  confirm(origin, accepted, accepted && wait && !places_.empty());
}

// Messages that waiting consumers take in this turn are not counted: they would be gone already if each
// message was delivered before the next is published.
bool WorkShard::refuses(WorkQueue& queue, const Message& message, const MessageMeta& meta,
                        std::size_t bytes) {
  if (!queue.state.would_exceed(queue.options, bytes, 0)) return false;
  const std::uint64_t leaving = queue.consumers.credit();
  if (leaving > queue.state.totals().ready || !queue.state.would_exceed(queue.options, bytes, leaving))
    return false;
  metrics_.rejected_publishes.add();
  if (queue.options.overflow != Overflow::reject_publish_dlx || !queue.options.dead_letters) return true;
  WorkDelivery dead;
  dead.queue = queue.id;
  dead.offset = base::Offset{refused_offset + refused_dead_++};
  dead.message = message;
  dead.meta = meta;
  ++queue.dead_lettered;
  metrics_.dead.add();
  listener_.on_dead(dead, DeadReason::maxlen);
  return true;
}

// Those that need not wait may overtake those that wait for the disk.
void WorkShard::confirm(const PublishOrigin& origin, bool accepted, bool wait) {
  if (origin.number == 0) return;
  if (!wait) return confirms_.push_back({origin, accepted});
  waiting_.push_back({{origin, accepted}, journal_->end()});
  sync_wanted_ = true;
}

void WorkShard::on_synced(storage::JournalPoint point) {
  for (; waiting_next_ < waiting_.size() && waiting_[waiting_next_].point <= point; ++waiting_next_)
    confirms_.push_back(waiting_[waiting_next_].confirm);
  if (waiting_next_ == waiting_.size()) {
    waiting_.clear();
    waiting_next_ = 0;
  } else if (waiting_next_ >= 4096 && waiting_next_ * 2 >= waiting_.size()) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_next_));
    waiting_next_ = 0;
  }
}

void WorkShard::on_offline(const base::Error& error) {
  offline_ = true;
  for (; waiting_next_ < waiting_.size(); ++waiting_next_)
    fail_confirm(waiting_[waiting_next_].confirm.origin);
  waiting_.clear();
  waiting_next_ = 0;
  listener_.on_offline(error);
}

void WorkShard::tell_confirms() {
  if (confirms_.empty()) return;
  listener_.on_confirms(confirms_);
  confirms_.clear();
}

// ---- the end of a turn

void WorkShard::end_turn() {
  if (offline_) return tell_confirms();
  if (!runnable_.empty() || !touched_.empty() || !timers_.empty()) read_clock();
  deliver_all();
  check_touched();
  if (!timers_.empty() && timers_.front().due_ms <= monotonic_ms_) {
    run_timers();
    check_touched();
  }
  append_events();
  journal_->flush(std::exchange(sync_wanted_, false));
  tell_confirms();
  // Nothing else may happen on this shard: the next turn has to come.
  if (!runnable_.empty() && !offline_) shard_.mail.send(shard_.id, [] {});
}

void WorkShard::check_touched() {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    WorkQueue& queue = *touched_[i];
    queue.touched = false;
    enforce_limits(queue);
    queue.fresh_from = queue.state.next_offset();
    if (queue.options.expires_ms && queue.consumers.count() == 0)
      arm(queue, queue.idle_since_ms + *queue.options.expires_ms);
    hand_on_dead(queue);
    update_gauges(queue);
    if (queue.state.delivered_below() > queue.recorded_delivered) event_of(queue);
  }
  touched_.clear();
}

void WorkShard::update_gauges(WorkQueue& queue) {
  const auto move = [](base::Counter& gauge, std::uint64_t before, std::uint64_t now) {
    gauge.set(gauge.get() + now - before);
  };
  const WorkState::Totals& now = queue.state.totals();
  const WorkState::Totals before = std::exchange(queue.counted, now);
  const std::uint64_t unacked = queue.unacked();
  const std::uint64_t unacked_before = std::exchange(queue.counted_unacked, unacked);
  move(metrics_.ready, before.ready, now.ready);
  move(metrics_.unacked, unacked_before, unacked);
  move(metrics_.messages, before.ready + unacked_before, now.ready + unacked);
  move(metrics_.bytes, before.ready_bytes + before.out_bytes, now.ready_bytes + now.out_bytes);
}

// Messages are released in the turn in which the event is appended that settles them.
void WorkShard::append_event(WorkQueue& queue) {
  auto event = std::move(queue.event);
  if (event == nullptr) return;
  if (queue.state.delivered_below() > queue.recorded_delivered)
    event->delivered_below = queue.recorded_delivered = queue.state.delivered_below();
  if (queue.options.durable && !event->empty()) {
    bytes_.clear();
    event->encode(bytes_);
    journal_->append_event(queue.id, bytes_);
  }
  for (const auto& run : event->settled) journal_->release(queue.id, run.first, run.last);
  event->clear();
  spare_events_.push_back(std::move(event));
}

void WorkShard::append_events() {
  for (WorkQueue* queue : with_event_) append_event(*queue);
  with_event_.clear();
}

void WorkShard::tick(std::int64_t monotonic_ms, std::int64_t wall_ms) {
  monotonic_ms_ = monotonic_ms;
  wall_ms_ = wall_ms;
  if (offline_) return;
  if (!timers_.empty() && timers_.front().due_ms <= monotonic_ms_) run_timers();
  append_events();
  journal_->tick(monotonic_ms);
  tell_confirms();
}

void WorkShard::close() {
  if (!offline_) {
    append_events();
    journal_->close();
  }
  offline_ = true;
}

}  // namespace sluice::queue
