// SPDX-License-Identifier: Apache-2.0
// Work queues in memory, for tests of the broker around them: first in, first out, with consumers, prefetch,
// settlement and confirms at the end of the turn. What the queues themselves promise is tested with the real
// ones (tests/unit/queue).
#pragma once

#include <deque>
#include <map>

#include "queue/work_queue.h"

namespace sluice::test {

class FakeWorkQueues final : public queue::WorkQueues {
 public:
  explicit FakeWorkQueues(queue::WorkListener& listener) : listener_(listener) {}

  base::Result<> create(const Setup& setup) override {
    return queues_[setup.queue].options = setup.options, base::Result<>();
  }
  void remove(base::QueueId queue) override {
    queues_.erase(queue);
    std::erase_if(consumers_, [&](const auto& each) { return each.second.queue == queue; });
  }
  void set_options(base::QueueId queue, const queue::WorkOptions& options) override {
    queues_.at(queue).options = options;
  }
  void touch(base::QueueId) override {}

  void publish(const queue::Message& message, const queue::MessageMeta& meta,
               std::span<const base::QueueId> targets, const queue::PublishOrigin& origin) override {
    bool accepted = true;
    for (const auto id : targets) {
      const auto found = queues_.find(id);
      if (found == queues_.end()) continue;
      auto& queue = found->second;
      if (queue.options.length_max && queue.ready.size() >= *queue.options.length_max &&
          queue.options.overflow != queue::Overflow::drop_head) {
        accepted = false;
        continue;
      }
      const base::Offset offset{queue.next++};
      queue.ready.emplace(offset, Kept{std::string(message.exchange),
                                       std::string(message.routing_key),
                                       std::string(base::as_text(message.properties)),
                                       std::string(base::as_text(message.body)),
                                       meta,
                                       {}});
    }
    if (origin.number != 0) confirms_.push_back({origin, accepted});
  }
  base::Result<> add_consumer(base::QueueId queue, queue::ConsumerId id,
                              const queue::ConsumerOptions& options) override {
    for (const auto& [other, each] : consumers_) {
      if (each.queue == queue && (each.options.exclusive || options.exclusive)) {
        return base::fail(base::Errc::access_refused, "exclusive");
      }
    }
    consumers_[id] = {queue, options, true, false};
    return {};
  }
  void remove_consumer(queue::ConsumerId id, bool requeue) override {
    if (const auto found = consumers_.find(id); found != consumers_.end()) {
      const auto queue = found->second.queue;
      consumers_.erase(found);
      if (queues_.contains(queue) && stats(queue)->consumers == 0) listener_.on_no_consumers(queue);
    }
    if (!requeue) return;
    for (auto& [queue_id, queue] : queues_) {
      for (auto at = queue.unacked.begin(); at != queue.unacked.end();) {
        const auto here = at++;
        if (here->second.holder == id) give_back(queue, here);
      }
    }
  }
  void set_ready(queue::ConsumerId id, bool ready) override {
    if (const auto found = consumers_.find(id); found != consumers_.end()) found->second.ready = ready;
  }
  void set_prefetch(queue::ConsumerId id, std::uint32_t prefetch) override {
    consumers_.at(id).options.prefetch = prefetch;
  }
  void get(base::QueueId id, queue::ConsumerId holder, bool no_ack,
           const std::function<void(const queue::WorkDelivery*)>& take) override {
    auto& queue = queues_.at(id);
    if (queue.ready.empty()) return take(nullptr);
    const auto kept = hand_out(id, queue, holder, no_ack);
    const auto delivery = to_delivery(id, kept.first, kept.second);
    take(&delivery);
  }
  void settle(base::QueueId id, queue::ConsumerId holder, std::span<const base::Offset> offsets,
              queue::Settlement settlement) override {
    auto& queue = queues_.at(id);
    for (const auto offset : offsets) {
      const auto at = queue.unacked.find(offset);
      if (at == queue.unacked.end() || at->second.holder != holder) continue;
      if (settlement == queue::Settlement::requeued) {
        give_back(queue, at);
      } else if (settlement == queue::Settlement::rejected && queue.options.dead_letters) {
        at->second.dead = true;
        at->second.holder = {};
        listener_.on_dead(to_delivery(id, offset, at->second), queue::DeadReason::rejected);
      } else {
        queue.unacked.erase(at);
      }
    }
  }
  void dead_letter_done(base::QueueId id, base::Offset offset) override {
    queues_.at(id).unacked.erase(offset);
  }
  std::uint64_t purge(base::QueueId id) override {
    const auto count = queues_.at(id).ready.size();
    queues_.at(id).ready.clear();
    return count;
  }
  bool is_unsettled(base::QueueId, base::Offset) const override { return false; }
  bool drop_ready(base::QueueId, base::Offset) override { return false; }

  std::optional<queue::QueueStats> stats(base::QueueId id) const override {
    const auto found = queues_.find(id);
    if (found == queues_.end()) return std::nullopt;
    queue::QueueStats stats;
    stats.ready = found->second.ready.size();
    stats.unacked = found->second.unacked.size();
    for (const auto& [consumer, each] : consumers_) stats.consumers += each.queue == id ? 1 : 0;
    return stats;
  }
  bool has_room() const override { return room; }
  bool is_offline() const override { return false; }

  void end_turn() override {
    for (auto& [id, queue] : queues_) deliver(id, queue);
    const auto confirms = std::exchange(confirms_, {});
    if (!confirms.empty()) listener_.on_confirms(confirms);
  }
  void tick(std::int64_t, std::int64_t) override {}
  void close() override {}

  bool room = true;

 private:
  struct Kept {
    std::string exchange, key, properties, body;
    queue::MessageMeta meta;
    queue::ConsumerId holder;
    std::uint32_t returned = 0;
    bool dead = false;
  };
  struct Queue {
    queue::WorkOptions options;
    std::map<base::Offset, Kept> ready, unacked;
    std::uint64_t next = 0;
  };
  struct Member {
    base::QueueId queue;
    queue::ConsumerOptions options;
    bool ready = true, had = false;
  };

  static queue::WorkDelivery to_delivery(base::QueueId queue, base::Offset offset, const Kept& kept) {
    queue::WorkDelivery delivery;
    delivery.queue = queue;
    delivery.offset = offset;
    delivery.message = {kept.exchange, kept.key, base::as_bytes(kept.properties), base::as_bytes(kept.body)};
    delivery.meta = kept.meta;
    delivery.redelivered = kept.returned > 0;
    delivery.delivery_count = kept.returned;
    return delivery;
  }
  static void give_back(Queue& queue, std::map<base::Offset, Kept>::iterator at) {
    auto node = queue.unacked.extract(at);
    ++node.mapped().returned;
    queue.ready.insert(std::move(node));
  }
  std::pair<base::Offset, Kept> hand_out(base::QueueId, Queue& queue, queue::ConsumerId holder, bool no_ack) {
    auto node = queue.ready.extract(queue.ready.begin());
    node.mapped().holder = holder;
    const std::pair<base::Offset, Kept> copy{node.key(), node.mapped()};
    if (!no_ack) queue.unacked.insert(std::move(node));
    return copy;
  }
  std::size_t held_by(const Queue& queue, queue::ConsumerId id) const {
    std::size_t count = 0;
    for (const auto& [offset, kept] : queue.unacked) count += kept.holder == id ? 1 : 0;
    return count;
  }
  void deliver(base::QueueId id, Queue& queue) {
    for (bool some = true; some && !queue.ready.empty();) {  // one each, in turn
      some = false;
      for (auto& [consumer, each] : consumers_) {
        if (each.queue != id || !each.ready || queue.ready.empty()) continue;
        if (each.options.prefetch > 0 && held_by(queue, consumer) >= each.options.prefetch) continue;
        if (each.options.ask_first && !listener_.may_deliver(consumer)) {
          each.ready = false;
          continue;
        }
        const auto kept = hand_out(id, queue, consumer, each.options.no_ack);
        each.ready = listener_.on_delivery(consumer, to_delivery(id, kept.first, kept.second));
        some = true;
      }
    }
  }

  queue::WorkListener& listener_;
  std::map<base::QueueId, Queue> queues_;
  std::map<queue::ConsumerId, Member> consumers_;
  std::vector<queue::Confirm> confirms_;
};

}  // namespace sluice::test
