// SPDX-License-Identifier: Apache-2.0
// WorkWorld: the work queues of one shard over a real journal on a memory disk, with a listener that collects
// what it is told. turn() ends a turn and lets the disk finish; restart() opens everything anew.
//
//   test::WorkWorld world({{1, options}});  world.publish(1, "a");  world.consume(1, 10);  world.turn();
#pragma once

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "queue/work_metrics.h"
#include "queue/work_queue.h"
#include "support/test_shard.h"

namespace sluice::test {

class WorkWorld : public queue::WorkListener {
 public:
  struct Delivered {
    std::uint64_t consumer = 0, queue = 0, offset = 0;
    std::string body;
    bool redelivered = false;
    std::uint32_t failed = 0, acquired = 0;
  };
  struct Dead {
    std::uint64_t queue = 0, offset = 0;
    std::string body;
    queue::DeadReason reason = queue::DeadReason::rejected;
  };

  explicit WorkWorld(std::map<std::uint64_t, queue::WorkOptions> wanted = {{1, {}}}, std::uint64_t seed = 1)
      : shard(seed), options(std::move(wanted)) {
    open();
  }

  void open() {
    std::vector<queue::WorkQueues::Setup> setups;
    for (const auto& [id, each] : options) setups.push_back({base::QueueId{id}, each});
    auto opened = queue::WorkQueues::open(shard.shard, directory, journal, setups, *this, &metrics);
    INFO((opened ? std::string() : opened.error().text));
    REQUIRE(opened);
    queues = *std::move(opened);
  }
  void restart(bool clean = false) {
    if (clean) queues->close();
    queues.reset();
    shard.background.run_all();
    shard.mail.run_all();
    clear();
    open();
  }
  void turn() {
    queues->end_turn();
    shard.mail.run_all();
    shard.background.run_all();
    queues->end_turn();
  }
  void pass(std::int64_t ms) {
    shard.clock.advance(ms);
    queues->tick(shard.clock.monotonic_ms(), shard.clock.wall_ms());
    turn();
  }
  void clear() {
    deliveries.clear();
    confirms.clear();
    dead.clear();
    active.clear();
    timed_out.clear();
    unused.clear();
    no_consumers.clear();
  }

  storage::MessageMeta meta() const {
    storage::MessageMeta made;
    made.received_at_ms = shard.clock.wall_ms();
    return made;
  }
  void publish(const std::vector<std::uint64_t>& targets, std::string_view body,
               const storage::MessageMeta& with, std::uint64_t number = 0) {
    std::vector<base::QueueId> ids;
    for (const auto id : targets) ids.emplace_back(id);
    queue::Message message;
    message.exchange = "ex";
    message.routing_key = "key";
    message.body = base::as_bytes(body);
    queues->publish(message, with, ids, {base::ShardId{0}, 1, 1, number});
  }
  void publish(std::uint64_t queue, std::string_view body, std::uint64_t number = 0) {
    publish({queue}, body, meta(), number);
  }
  void publish_prioritised(std::uint64_t queue, std::string_view body, std::uint8_t priority) {
    auto with = meta();
    with.priority = priority;
    with.has_priority = true;
    publish({queue}, body, with);
  }
  base::Result<> consume(std::uint64_t queue, std::uint64_t consumer, queue::ConsumerOptions with = {}) {
    return queues->add_consumer(base::QueueId{queue}, queue::ConsumerId{consumer}, with);
  }
  void settle(std::uint64_t queue, std::uint64_t consumer, std::vector<std::uint64_t> offsets,
              queue::Settlement how = queue::Settlement::accepted) {
    std::vector<base::Offset> of;
    for (const auto each : offsets) of.emplace_back(each);
    queues->settle(base::QueueId{queue}, queue::ConsumerId{consumer}, of, how);
  }
  std::optional<Delivered> get(std::uint64_t queue, std::uint64_t holder = 999, bool no_ack = false) {
    std::optional<Delivered> got;
    queues->get(base::QueueId{queue}, queue::ConsumerId{holder}, no_ack,
                [&](const queue::WorkDelivery* each) {
                  if (each != nullptr) got = to_delivered(holder, *each);
                });
    return got;
  }
  queue::QueueStats stats(std::uint64_t queue = 1) const { return *queues->stats(base::QueueId{queue}); }
  // Bodies delivered since the last clear, space between.
  std::string bodies() const {
    std::string all;
    for (const auto& each : deliveries) all += (all.empty() ? "" : " ") + each.body;
    return all;
  }
  std::string dead_bodies() const {
    std::string all;
    for (const auto& each : dead) all += (all.empty() ? "" : " ") + each.body;
    return all;
  }

  // ---- WorkListener
  bool on_delivery(queue::ConsumerId consumer, const queue::WorkDelivery& delivery) override {
    deliveries.push_back(to_delivered(consumer.value, delivery));
    return !stop_after_delivery;
  }
  bool may_deliver(queue::ConsumerId) override { return may_deliver_answer; }
  void on_confirms(std::span<const queue::Confirm> all) override {
    for (const auto& each : all) confirms[each.origin.number] = each.accepted;
  }
  void on_dead(const queue::WorkDelivery& letter, queue::DeadReason reason) override {
    dead.push_back(
        {letter.queue.value, letter.offset.value, std::string(base::as_text(letter.message.body)), reason});
  }
  void on_active_changed(base::QueueId, queue::ConsumerId consumer, bool is_active) override {
    active.emplace_back(consumer.value, is_active);
  }
  void on_consumer_timeout(base::QueueId, queue::ConsumerId consumer) override {
    timed_out.push_back(consumer.value);
  }
  void on_unused(base::QueueId queue) override { unused.push_back(queue.value); }
  void on_no_consumers(base::QueueId queue) override { no_consumers.push_back(queue.value); }
  void on_offline(const base::Error& error) override { offline = error.text; }

  TestShard shard;
  std::string directory = "data/journal/0";
  storage::JournalOptions journal;
  std::map<std::uint64_t, queue::WorkOptions> options;
  queue::WorkMetrics metrics;
  std::unique_ptr<queue::WorkQueues> queues;

  bool stop_after_delivery = false, may_deliver_answer = true;
  std::vector<Delivered> deliveries;
  std::map<std::uint64_t, bool> confirms;
  std::vector<Dead> dead;
  std::vector<std::pair<std::uint64_t, bool>> active;
  std::vector<std::uint64_t> timed_out, unused, no_consumers;
  std::string offline;

 private:
  static Delivered to_delivered(std::uint64_t consumer, const queue::WorkDelivery& from) {
    return {consumer,           from.queue.value,
            from.offset.value,  std::string(base::as_text(from.message.body)),
            from.redelivered,   from.delivery_count,
            from.acquired_count};
  }
};

}  // namespace sluice::test
