// SPDX-License-Identifier: Apache-2.0
// The work queues' part of bench_micro: what one message of 100 bytes costs in src/queue and the journal
// together - published with a confirm, delivered, settled - in turns of 100 messages; the same without
// acknowledgements, to 100 queues at once, and with priorities; and what an idle queue costs in bytes.
#include <malloc.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "micro.h"
#include "queue/work_queue.h"
#include "sink_disk.h"
#include "support/test_shard.h"

namespace sluice::bench {
namespace {

constexpr std::uint32_t turn_messages = 100, round_turns = 20;
constexpr std::size_t body_bytes = 100;
constexpr queue::ConsumerId consumer{1};

class Bed final : public queue::WorkListener {
 public:
  Bed(std::uint64_t queues, const queue::WorkOptions& options) : disk_(shard_.disk) {
    std::vector<queue::WorkQueues::Setup> setups;
    for (std::uint64_t i = 0; i < queues; ++i) {
      ids.push_back(base::QueueId{i + 1});
      setups.push_back({ids.back(), options});
    }
    shard_.disk.create_directories("journal").value();
    auto opened = queue::WorkQueues::open(ports_, "journal", {}, setups, *this);
    if (!opened) std::abort();
    work = *std::move(opened);
  }

  bool on_delivery(queue::ConsumerId, const queue::WorkDelivery& delivery) override {
    delivered.push_back(delivery.offset);
    hash += delivery.message.body.size();
    return true;
  }
  bool may_deliver(queue::ConsumerId) override { return true; }
  void on_confirms(std::span<const queue::Confirm> confirms) override { hash += confirms.size(); }
  void on_dead(const queue::WorkDelivery&, queue::DeadReason) override {}
  void on_active_changed(base::QueueId, queue::ConsumerId, bool) override {}
  void on_consumer_timeout(base::QueueId, queue::ConsumerId) override {}
  void on_unused(base::QueueId) override {}
  void on_no_consumers(base::QueueId) override {}
  void on_offline(const base::Error&) override { std::abort(); }

  void publish(std::span<const base::QueueId> targets, std::uint8_t priority) {
    queue::Message message;
    message.routing_key = "bench";
    message.properties = properties_;
    message.body = body_;
    storage::MessageMeta meta;
    meta.received_at_ms = 1'700'000'000'000;
    meta.priority = priority;
    meta.has_priority = true;
    work->publish(message, meta, targets, {base::ShardId{0}, 1, 1, ++number_});
  }
  // One turn of messages, delivered and settled in the next.
  void turn(std::span<const base::QueueId> targets) {
    for (std::uint32_t i = 0; i < turn_messages; ++i) publish(targets, static_cast<std::uint8_t>(i % 8));
    if (!settling_.empty()) work->settle(ids[0], consumer, settling_, queue::Settlement::accepted);
    work->end_turn();
    shard_.mail.run_all();
    std::swap(delivered, settling_);
    delivered.clear();
    if (++turns_ % 100 == 0) {
      shard_.clock.advance(100);
      work->tick(shard_.clock.monotonic_ms(), shard_.clock.wall_ms());
    }
  }

  std::unique_ptr<queue::WorkQueues> work;
  std::vector<base::QueueId> ids;
  std::vector<base::Offset> delivered;
  std::uint64_t hash = 0;

 private:
  test::TestShard shard_;
  SinkDisk disk_;
  base::Shard ports_{base::ShardId{0},  1,           shard_.clock, shard_.random, disk_,
                     shard_.background, shard_.mail, shard_.logger};
  std::vector<base::Offset> settling_;
  const base::ByteBuffer body_ = body_of(body_bytes), properties_ = {0x10, 0x00, 2};
  std::uint64_t number_ = 0, turns_ = 0;
};

void bench_flow(std::string_view name, std::uint64_t rounds, const queue::WorkOptions& options, bool no_ack) {
  Bed bed(1, options);
  queue::ConsumerOptions with;
  with.no_ack = no_ack;
  if (!bed.work->add_consumer(bed.ids[0], consumer, with)) std::abort();
  measure(name, rounds, [&](std::uint64_t, ResultHash& hash) {
    for (std::uint32_t i = 0; i < round_turns; ++i) bed.turn(bed.ids);
    hash.add(bed.hash);
    return std::uint64_t{turn_messages} * round_turns;
  });
}

void bench_fanout(std::uint64_t rounds) {
  Bed bed(100, {});
  measure("publish to 100 queues, each", rounds, [&](std::uint64_t, ResultHash& hash) {
    bed.turn(bed.ids);
    for (const auto id : bed.ids) bed.work->purge(id);
    hash.add(bed.hash);
    return std::uint64_t{turn_messages} * bed.ids.size();
  });
}

void print_idle_bytes() {
  constexpr std::uint64_t queues = 10'000;
  const auto before = mallinfo2().uordblks;
  Bed bed(queues, {});
  const auto made = mallinfo2().uordblks;
  for (const auto id : bed.ids) {
    const base::QueueId one[] = {id};
    bed.publish(one, 0);
    bed.work->get(id, consumer, true, [](const queue::WorkDelivery*) {});
  }
  bed.work->end_turn();
  fmt::print("{:<28} {:>10} B fresh, {} B after a message, the journal's share included\n",
             "an idle work queue", (made - before) / queues, (mallinfo2().uordblks - before) / queues);
}

}  // namespace

void bench_work_queues(std::uint64_t rounds) {
  bench_flow("publish, deliver, settle", rounds, {}, false);
  bench_flow("publish, deliver, no ack", rounds, {}, true);
  queue::WorkOptions priorities;
  priorities.priority_max = 8;
  bench_flow("the same with priorities", rounds, priorities, false);
  queue::WorkOptions quorum;
  quorum.quorum = true;
  bench_flow("the same, quorum", rounds, quorum, false);
  bench_fanout(rounds);
  print_idle_bytes();
}

}  // namespace sluice::bench
