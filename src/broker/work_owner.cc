// SPDX-License-Identifier: Apache-2.0
#include "broker/work_owner.h"

#include <algorithm>

#include "base/check.h"
#include "broker/news.h"

namespace sluice::broker {

// -- sources

WorkOwner::Holder* WorkOwner::find(SourceId id) {
  if (last_ && last_id_ == id) return last_;
  const auto found = holders_.find(id.value);
  if (found == holders_.end()) return nullptr;
  last_id_ = id;
  return last_ = &found->second;
}

WorkOwner::Holder& WorkOwner::add_holder(const NewSource& added, bool no_ack) {
  auto& holder = holders_[added.id.value];
  holder.queue = added.queue;
  holder.local = added.local;
  holder.client = added.client;
  holder.channel = added.channel;
  holder.counts = !no_ack;
  if (!added.local) {
    holder.window = &windows_[added.client];
    ++holder.window->sources;
  }
  by_queue_.emplace(added.queue, added.id);
  return holder;
}

void WorkOwner::drop_holder(SourceId id) {
  const auto found = holders_.find(id.value);
  if (found == holders_.end()) return;
  auto& holder = found->second;
  if (holder.window) {
    std::erase(holder.window->stopped, id);
    if (--holder.window->sources == 0) windows_.erase(holder.client);
  }
  if (auto* group = holder.group) {
    std::erase(group->stopped, id);
    give_back(*group, holder.unsettled);
    if (--group->sources == 0) groups_.erase({holder.client, holder.channel});
  }
  by_queue_.erase({holder.queue, id});
  holders_.erase(found);
  last_ = nullptr;
}

base::Result<> WorkOwner::add_consumer(const NewSource& added) {
  if (!queues_->stats(added.queue)) return base::fail(base::Errc::not_found, "the queue was deleted");
  auto& holder = add_holder(added, added.options.no_ack);
  if (added.shared_prefetch > 0 && holder.counts) join_group(holder, added.shared_prefetch);
  auto options = added.options;
  options.ask_first = holder.group != nullptr;
  auto result = queues_->add_consumer(added.queue, added.id, options);
  if (!result) drop_holder(added.id);
  return result;
}

void WorkOwner::remove_source(SourceId id, bool requeue) {
  const auto* holder = find(id);
  if (!holder) return;
  queues_->remove_consumer(id, requeue);
  if (requeue || holder->unsettled == 0) drop_holder(id);
}

void WorkOwner::remove_queue(base::QueueId queue) {
  if (!queues_) return;
  queues_->remove(queue);
  std::vector<SourceId> gone;
  for (auto at = by_queue_.lower_bound({queue, SourceId{}}); at != by_queue_.end() && at->first == queue;
       ++at) {
    gone.push_back(at->second);
  }
  for (const auto id : gone) drop_holder(id);
}

void WorkOwner::get(const NewSource& holder, bool no_ack,
                    const std::function<void(const queue::WorkDelivery*)>& take) {
  if (!queues_->stats(holder.queue)) return take(nullptr);
  if (!no_ack && !find(holder.id)) add_holder(holder, true);  // gets are outside of shared limits
  queues_->touch(holder.queue);
  queues_->get(holder.queue, holder.id, no_ack, [&](const queue::WorkDelivery* delivery) {
    if (delivery && !no_ack) ++find(holder.id)->unsettled;
    take(delivery);
  });
}

std::uint64_t WorkOwner::ready(base::QueueId queue) const {
  const auto stats = queues_->stats(queue);
  return stats ? stats->ready : 0;
}

void WorkOwner::settle(SourceId id, std::span<const base::Offset> offsets, queue::Settlement settlement) {
  auto* holder = find(id);
  if (!holder) return;  // its queue is gone, or it timed out
  const auto count = std::min(holder->unsettled, static_cast<std::uint32_t>(offsets.size()));
  holder->unsettled -= count;
  queues_->settle(holder->queue, id, offsets, settlement);
  if (holder->group) give_back(*holder->group, count);
}

// -- shared limits and windows

void WorkOwner::join_group(Holder& holder, std::uint32_t limit) {
  auto& group = groups_[{holder.client, holder.channel}];
  group.limit = limit;
  ++group.sources;
  group.unsettled += holder.unsettled;
  holder.group = &group;
}

void WorkOwner::set_shared_prefetch(std::uint64_t client, std::uint16_t channel, std::uint32_t limit) {
  for (auto& [id, holder] : holders_) {
    const bool joins = limit > 0 && !holder.group && holder.counts;
    if (joins && holder.client == client && holder.channel == channel) join_group(holder, limit);
  }
  const auto found = groups_.find({client, channel});
  if (found == groups_.end()) return;
  found->second.limit = limit;
  give_back(found->second, 0);
}

void WorkOwner::give_back(Group& group, std::uint32_t settled) {
  group.unsettled -= std::min(group.unsettled, settled);
  if (group.limit == 0 || group.unsettled < group.limit) wake(group.stopped);
}

void WorkOwner::wake(std::vector<SourceId>& stopped) {
  for (const auto id : std::exchange(stopped, {})) queues_->set_ready(id, true);
}

void WorkOwner::taken(std::uint64_t client, std::uint64_t bytes) {
  const auto found = windows_.find(client);
  if (found == windows_.end()) return;
  auto& window = found->second;
  window.bytes -= std::min(window.bytes, bytes);
  if (window.bytes <= window_bytes / 2) wake(window.stopped);
}

// -- turns

void WorkOwner::take_requests(base::ShardId from, const WorkRequests& requests) {
  requests.published.for_each(
      [&](const queue::Message& message, const queue::MessageMeta& meta,
          std::span<const base::QueueId> targets,
          const queue::PublishOrigin& origin) { host_.publish_owned(message, meta, targets, origin); });
  news_[from.value].taken_bytes += requests.published.bytes();
  std::size_t next = 0;
  for (const auto& settled : requests.settled) {
    offsets_.clear();
    for (std::uint32_t i = 0; i < settled.ranges; ++i) {
      const auto& range = requests.ranges[next++];
      for (std::uint64_t n = 0; n < range.count; ++n) offsets_.push_back(range.first + n);
    }
    settle(settled.source, offsets_, settled.settlement);
  }
  for (const auto& each : requests.taken) taken(each.client, each.bytes);
}

void WorkOwner::end_turn(bool other_room) {
  if (!queues_) return;
  queues_->end_turn();
  if ((queues_->has_room() && other_room) == full_) tell_full();
}

void WorkOwner::tell_full() {
  full_ = !full_;
  for (auto& news : news_) news.full = full_;
}

// -- WorkListener

bool WorkOwner::on_delivery(queue::ConsumerId consumer, const queue::WorkDelivery& delivery) {
  auto* holder = find(consumer);
  INVARIANT(holder, "a delivery for source {} that is not here", consumer.value);
  if (holder->counts) {
    ++holder->unsettled;
    if (holder->group) ++holder->group->unsettled;
  }
  if (holder->local) return host_.deliver(*holder->local, delivery);
  news_[shard_of(consumer.value).value].deliveries.add(consumer.value, delivery);
  auto& window = *holder->window;
  window.bytes += DeliveryBatch::weight(delivery);
  if (window.bytes < window_bytes) return true;
  window.stopped.push_back(consumer);
  return false;
}

bool WorkOwner::may_deliver(queue::ConsumerId consumer) {
  auto* holder = find(consumer);
  if (!holder || !holder->group) return true;
  auto& group = *holder->group;
  if (group.limit == 0 || group.unsettled < group.limit) return true;
  group.stopped.push_back(consumer);
  return false;
}

void WorkOwner::on_confirms(std::span<const queue::Confirm> confirms) {
  for (const auto& confirm : confirms) {
    const auto home = confirm.origin.shard;
    if (home == shard_.id) {
      host_.note_confirm(confirm);
    } else {
      news_[home.value].confirms.push_back(confirm);
    }
  }
}

void WorkOwner::on_dead(const queue::WorkDelivery& dead, queue::DeadReason reason) {
  host_.note_dead(dead, reason);
}

void WorkOwner::on_active_changed(base::QueueId, queue::ConsumerId consumer, bool active) {
  const auto home = shard_of(consumer.value);
  if (home == shard_.id) return host_.note_active(consumer, active);
  news_[home.value].active.push_back({consumer, active});
}

// The holder stays until its session has heard of it: settlements for it are on their way.
void WorkOwner::on_consumer_timeout(base::QueueId, queue::ConsumerId consumer) {
  const auto home = shard_of(consumer.value);
  if (home == shard_.id) return host_.note_timed_out(consumer);
  news_[home.value].timed_out.push_back(consumer);
}

// Nothing that consumers settle would be remembered, so they end; what they have comes again after a restart.
void WorkOwner::on_offline(const base::Error& error) {
  for (const auto& [id, holder] : holders_) {
    const SourceId source{id};
    const auto home = shard_of(id);
    home == shard_.id ? host_.note_lost(source) : news_[home.value].lost.push_back(source);
  }
  host_.note_offline(error);
}

}  // namespace sluice::broker
