// SPDX-License-Identifier: Apache-2.0
// Model-based test of work queues: seeded random lives of nine queues of different kinds - publish, deliver,
// settle, requeue, expire, time out, dead-letter, purge, kill, power cut, clean restart - against a naive
// model that keeps every message in a list. Every delivery must be the message the model has at the head, and
// where one consumer is active, go to that one.
#include <catch2/catch.hpp>

#include <random>

#include "support/work_world.h"

using namespace sluice;
using namespace sluice::queue;

namespace {

struct ModelMessage {
  std::uint64_t offset = 0;
  std::string body;
  int priority = 0;
  bool persistent = true;
  std::int64_t expires_ms = INT64_MAX;  // wall
  enum class Place : std::uint8_t { ready, out, dead } place = Place::ready;
  std::uint64_t holder = 0;
  bool returned = false;   // quorum: before all others
  bool delivered = false;  // some time
  std::uint32_t failed = 0;
  std::uint64_t number = 0;  // of its confirm
  std::int64_t delivered_ms = 0;
};
struct ModelQueue {
  std::vector<ModelMessage> messages;  // unsettled, by offset
  std::uint64_t next_offset = 0;
  std::vector<std::pair<std::uint64_t, int>> consumers;  // attached, in order, with their priority
  std::uint64_t active = 0;                              // 0: none
};
using Model = std::map<std::uint64_t, ModelQueue>;
using Place = ModelMessage::Place;

std::map<std::uint64_t, WorkOptions> kinds() {
  std::map<std::uint64_t, WorkOptions> all;
  all[1] = {};
  all[2].priority_max = 5;
  all[3].quorum = true;
  all[3].delivery_limit = 3;
  all[3].dead_letters = true;
  all[4].length_max = 20;
  all[4].dead_letters = true;
  all[5].message_ttl_ms = 500;
  all[5].dead_letters = true;
  all[6].durable = false;
  all[7].single_active = true;
  all[8].single_active = true;
  all[8].quorum = true;
  all[8].consumer_timeout_ms = 150;
  all[9].quorum = true;
  all[9].dead_letters = true;
  all[9].consumer_timeout_ms = 400;
  return all;
}

class Life final : public test::WorkWorld {
 public:
  explicit Life(std::uint64_t seed) : WorkWorld(kinds(), seed), random_(seed) {
    for (const auto& [id, each] : options) model_[id];
    saved_ = model_;
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    end();
    power_or_kill(0);
    drain();
  }

 private:
  ModelMessage* find(std::uint64_t queue, std::uint64_t offset) {
    for (auto& each : model_[queue].messages)
      if (each.offset == offset) return &each;
    return nullptr;
  }
  void forget(std::uint64_t queue, std::uint64_t offset) {
    std::erase_if(model_[queue].messages, [&](const auto& each) { return each.offset == offset; });
  }
  ModelMessage* head(std::uint64_t queue) {
    ModelMessage* best = nullptr;
    for (auto& each : model_[queue].messages) {
      if (each.place != Place::ready) continue;
      if (best == nullptr || std::tuple(!each.returned, -each.priority, each.offset) <
                                 std::tuple(!best->returned, -best->priority, best->offset))
        best = &each;
    }
    return best;
  }
  std::uint64_t count(std::uint64_t queue, Place place) {
    std::uint64_t n = 0;
    for (const auto& each : model_[queue].messages) n += each.place == place;
    return n;
  }
  // Queues that take messages with an expiration of their own: their dead are told, which the model needs.
  static bool may_expire(std::uint64_t queue) { return queue == 5 || queue == 9; }
  std::uint64_t any_queue() { return 1 + random_() % options.size(); }

  // ---- what the queues say
  bool on_delivery(ConsumerId consumer, const WorkDelivery& delivery) override {
    if (options[delivery.queue.value].single_active)
      REQUIRE(model_[delivery.queue.value].active == consumer.value);
    check_delivery(consumer.value, delivery);
    return random_() % 50 != 0 || (stopped_.insert(consumer.value), false);
  }
  void check_delivery(std::uint64_t holder, const WorkDelivery& delivery) {
    const std::uint64_t queue = delivery.queue.value;
    ModelMessage* expected = head(queue);
    INFO("queue " << queue << " offset " << delivery.offset.value);
    // What expired on the way dies now; on_dead tells later.
    for (; expected != nullptr && expected->offset != delivery.offset.value; expected = head(queue)) {
      REQUIRE(expected->expires_ms <= shard.clock.wall_ms());
      expected->place = Place::dead;
    }
    REQUIRE(expected != nullptr);
    REQUIRE(expected->offset == delivery.offset.value);
    REQUIRE(base::as_text(delivery.message.body) == expected->body);
    REQUIRE(delivery.message.routing_key == "key");
    if (expected->delivered) REQUIRE(delivery.redelivered);
    if (!crashed_ && !expected->delivered) REQUIRE(!delivery.redelivered);
    if (options[queue].quorum) REQUIRE(delivery.delivery_count == expected->failed);
    expected->delivered = true;
    expected->returned = false;
    if (no_ack_.contains(holder)) return forget(queue, expected->offset);
    expected->place = Place::out;
    expected->holder = holder;
    expected->delivered_ms = shard.clock.monotonic_ms();
  }
  void on_confirms(std::span<const Confirm> all) override {
    for (const auto& each : all) {
      REQUIRE(each.accepted);
      REQUIRE(confirmed_.insert(each.origin.number).second);
    }
  }
  void on_dead(const WorkDelivery& letter, DeadReason reason) override {
    const std::uint64_t queue = letter.queue.value;
    ModelMessage* message = find(queue, letter.offset.value);
    INFO("queue " << queue << " offset " << letter.offset.value);
    REQUIRE(message != nullptr);
    REQUIRE(base::as_text(letter.message.body) == message->body);
    if (reason == DeadReason::expired) {
      REQUIRE(message->place != Place::out);
      REQUIRE(message->expires_ms <= shard.clock.wall_ms());
      for (const auto& each : model_[queue].messages) {
        const bool before = each.offset < message->offset && each.priority == message->priority;
        REQUIRE_FALSE((before && each.place == Place::ready && each.returned == message->returned));
      }
    } else if (reason == DeadReason::maxlen) {
      REQUIRE(message == head(queue));
      REQUIRE(count(queue, Place::ready) > *options[queue].length_max);
    } else {
      REQUIRE(message->place == Place::dead);
    }
    message->place = Place::dead;
    to_bury_.emplace_back(queue, letter.offset.value);
  }

  // The first to come is active until it goes; in a quorum queue until one of higher priority is there and it
  // has settled all.
  void on_active_changed(base::QueueId id, ConsumerId consumer, bool is_active) override {
    ModelQueue& queue = model_[id.value];
    REQUIRE(options[id.value].single_active);
    if (!is_active) {
      REQUIRE(queue.active == consumer.value);
      REQUIRE(options[id.value].quorum);
      REQUIRE(held_by(id.value, consumer.value) == 0);
      REQUIRE(best_of(queue).first != consumer.value);
      queue.active = 0;
      return;
    }
    if (queue.active != 0) {  // it timed out, which is told next
      REQUIRE(oldest_ms(id.value, queue.active) >= options[id.value].consumer_timeout_ms.value_or(INT64_MAX));
      left(id.value, queue.active);
    }
    REQUIRE(best_of(queue).first == consumer.value);
    queue.active = consumer.value;
  }
  void on_consumer_timeout(base::QueueId id, ConsumerId consumer) override {
    REQUIRE(options[id.value].consumer_timeout_ms);
    REQUIRE(oldest_ms(id.value, consumer.value) >= *options[id.value].consumer_timeout_ms);
    consumers_.erase(consumer.value);
    stopped_.erase(consumer.value);
    left(id.value, consumer.value);
    give_back_all(id.value, consumer.value);
  }

  static std::pair<std::uint64_t, int> best_of(const ModelQueue& queue) {
    std::pair<std::uint64_t, int> best{0, INT32_MIN};
    for (const auto& each : queue.consumers)
      if (each.second > best.second) best = each;
    return best;
  }
  std::uint64_t held_by(std::uint64_t queue, std::uint64_t holder) {
    std::uint64_t n = 0;
    for (const auto& each : model_[queue].messages) n += each.place == Place::out && each.holder == holder;
    return n;
  }
  std::int64_t oldest_ms(std::uint64_t queue, std::uint64_t holder) {
    std::int64_t oldest = 0;
    for (const auto& each : model_[queue].messages)
      if (each.place == Place::out && each.holder == holder)
        oldest = std::max(oldest, shard.clock.monotonic_ms() - each.delivered_ms);
    return oldest;
  }
  // Before the queues tell who is active next.
  void left(std::uint64_t queue, std::uint64_t consumer) {
    std::erase_if(model_[queue].consumers, [&](const auto& each) { return each.first == consumer; });
    if (model_[queue].active == consumer) model_[queue].active = 0;
  }
  void give_back_all(std::uint64_t queue, std::uint64_t holder) {
    for (auto& each : model_[queue].messages)
      if (each.place == Place::out && each.holder == holder) give_back(queue, each, true);
  }

  // ---- what happens
  void step() {
    switch (random_() % 40) {
      case 0:
        return power_or_kill(static_cast<int>(random_() % 3));
      case 1:
        return purge_one(any_queue());
      case 2:
        pass(static_cast<std::int64_t>(random_() % 300));
        return end();
      case 3:
      case 4:
        return remove_one();
      case 5:
      case 6:
      case 7:
        return add_one(any_queue());
      case 8:
      case 9:
        return get_one(any_queue());
      default:
        break;
    }
    if (random_() % 3 == 0) return end();
    random_() % 2 == 0 ? publish_some() : settle_some();
  }

  void publish_confirmed() {
    publish(1, "sync", ++number_);
    ModelMessage message;
    message.offset = model_[1].next_offset++;
    message.body = "sync";
    model_[1].messages.push_back(message);
  }
  void publish_some() {
    for (std::uint64_t n = random_() % 8; n > 0; --n) {
      auto with = meta();
      with.persistent = random_() % 5 != 0;
      with.has_priority = random_() % 2 == 0;
      with.priority = static_cast<std::uint8_t>(random_() % 8);
      if (random_() % 5 == 0)
        with.expires_at_ms = with.received_at_ms + static_cast<std::int64_t>(random_() % 400);
      std::vector<std::uint64_t> targets;
      for (const auto& [id, each] : options)
        if (random_() % 3 == 0 && (with.expires_at_ms == 0 || may_expire(id))) targets.push_back(id);
      const std::uint64_t number = ++number_;
      const std::string body = "m" + std::to_string(number) + std::string(random_() % 100, 'x');
      for (const auto id : targets) {
        const WorkOptions& of = options[id];
        ModelMessage message;
        message.offset = model_[id].next_offset++;
        message.body = body;
        message.number = number;
        message.persistent = of.durable && (with.persistent || of.quorum);
        if (of.quorum) message.priority = with.has_priority ? with.priority : 4;
        if (!of.quorum && with.has_priority) message.priority = std::min(with.priority, of.priority_max);
        if (of.message_ttl_ms) message.expires_ms = with.received_at_ms + *of.message_ttl_ms;
        if (with.expires_at_ms != 0) message.expires_ms = std::min(message.expires_ms, with.expires_at_ms);
        model_[id].messages.push_back(message);
      }
      publish(targets, body, with, number);
    }
  }

  // A consumer has an id that says its queue.
  void add_one(std::uint64_t queue) {
    if (consumers_.size() > 12) return;
    const std::uint64_t id = ++consumer_ * 10 + queue;
    ConsumerOptions with;
    with.prefetch = static_cast<std::uint32_t>(random_() % 6);
    with.priority = static_cast<std::int32_t>(random_() % 3);
    with.no_ack = random_() % 6 == 0;
    if (with.no_ack) no_ack_.insert(id);
    consumers_.insert(id);
    model_[queue].consumers.emplace_back(id, with.priority);
    REQUIRE(consume(queue, id, with));
  }
  void remove_one() {
    if (consumers_.empty()) return;
    auto at = consumers_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % consumers_.size()));
    const bool requeue = random_() % 3 != 0;
    left(*at % 10, *at);
    queues->remove_consumer(ConsumerId{*at}, requeue);
    stopped_.erase(*at);
    if (requeue) give_back_all(*at % 10, *at);
    consumers_.erase(at);
  }
  void get_one(std::uint64_t queue) {
    const bool no_ack = random_() % 3 == 0;
    const std::uint64_t holder = no_ack ? 20 + queue : 10 + queue;  // never among consumers
    if (no_ack) no_ack_.insert(holder);
    queues->get(base::QueueId{queue}, ConsumerId{holder}, no_ack, [&](const WorkDelivery* each) {
      if (each != nullptr) return check_delivery(holder, *each);
      if (!may_expire(queue)) REQUIRE(head(queue) == nullptr);
    });
  }
  void give_back(std::uint64_t queue, ModelMessage& message, bool failed) {
    message.place = Place::ready;
    const WorkOptions& of = options[queue];
    if (!of.quorum) return;
    message.returned = true;
    if (failed && ++message.failed > of.delivery_limit.value_or(UINT32_MAX)) message.place = Place::dead;
  }
  void settle_some() {
    const std::uint64_t queue = any_queue();
    std::map<std::uint64_t, std::vector<std::uint64_t>> by_holder;
    for (const auto& each : model_[queue].messages)
      if (each.place == Place::out && random_() % 2 == 0) by_holder[each.holder].push_back(each.offset);
    for (const auto& [holder, offsets] : by_holder) {
      const auto how = static_cast<Settlement>(random_() % 8 < 5 ? 0 : random_() % 4);
      for (const auto offset : offsets) {
        if (how == Settlement::accepted || (how == Settlement::rejected && !options[queue].dead_letters))
          forget(queue, offset);
        else if (how == Settlement::rejected)
          find(queue, offset)->place = Place::dead;
        else
          give_back(queue, *find(queue, offset), how == Settlement::failed);
      }
      settle(queue, holder, offsets, how);
    }
  }
  void purge_one(std::uint64_t queue) {
    REQUIRE(queues->purge(base::QueueId{queue}) == count(queue, Place::ready));
    std::vector<std::uint64_t> ready;
    for (const auto& each : model_[queue].messages)
      if (each.place == Place::ready) ready.push_back(each.offset);
    for (const auto offset : ready) forget(queue, offset);
  }

  void end() {
    for (const auto& [queue, offset] : std::exchange(to_bury_, {})) {
      if (random_() % 4 == 0) {
        to_bury_.emplace_back(queue, offset);
        continue;
      }
      queues->dead_letter_done(base::QueueId{queue}, base::Offset{offset});
      forget(queue, offset);
    }
    for (const auto id : std::exchange(stopped_, {})) queues->set_ready(ConsumerId{id}, true);
    shard.clock.advance(1);
    turn();
    for (const auto& [id, of] : options) {
      INFO("queue " << id);
      REQUIRE(stats(id).ready == count(id, Place::ready));
      REQUIRE(stats(id).unacked == count(id, Place::out));
      if (of.length_max) REQUIRE(stats(id).ready <= *of.length_max);
      std::uint64_t bytes = 0;
      for (const auto& each : model_[id].messages)
        if (each.place == Place::ready) bytes += each.body.size();
      REQUIRE(stats(id).ready_bytes == bytes);
      const ModelQueue& queue = model_[id];
      if (of.single_active) REQUIRE((queue.active != 0) == !queue.consumers.empty());
      for (const auto& [consumer, priority] : queue.consumers)
        if (of.consumer_timeout_ms) REQUIRE(oldest_ms(id, consumer) < *of.consumer_timeout_ms);
    }
    saved_ = model_;
  }

  // 0: killed, what turns have written is there; 1: closed; 2: power cut after a sync.
  void power_or_kill(int how) {
    if (how == 2) publish_confirmed();
    if (how != 0) end();
    model_ = saved_;
    if (how == 1) queues->close();
    queues.reset();
    shard.background.run_all();
    shard.mail.run_all();
    if (how == 2) shard.disk.lose_power(random_() % 2 == 0 ? 0 : random_() % 5000);
    for (auto* gauge :
         {&metrics.ready, &metrics.unacked, &metrics.messages, &metrics.bytes, &metrics.consumers})
      gauge->set(0);
    consumers_.clear();
    stopped_.clear();
    to_bury_.clear();
    crashed_ = true;
    open();
    for (auto& [id, queue] : model_) {
      std::erase_if(queue.messages, [&](const auto& each) { return !each.persistent; });
      for (auto& each : queue.messages) {
        each.place = Place::ready;
        each.returned = false;
      }
      REQUIRE(stats(id).next_offset.value >= (options[id].durable ? queue.next_offset : 0));
      queue.next_offset = stats(id).next_offset.value;
      queue.consumers.clear();
      queue.active = 0;
      INFO("queue " << id << " restart " << how);
      REQUIRE(stats(id).ready == queue.messages.size());
    }
    end();
  }
  // Everything left comes in the model's order.
  void drain() {
    for (const auto& [id, of] : options) {
      no_ack_.insert(30 + id);
      for (bool more = true; more;)
        queues->get(base::QueueId{id}, ConsumerId{30 + id}, true, [&, queue = id](const WorkDelivery* each) {
          more = each != nullptr;
          if (more) check_delivery(30 + queue, *each);
        });
    }
    turn();
    for (const auto& [id, of] : options) {
      REQUIRE(stats(id).ready == 0);
      REQUIRE(stats(id).ready_bytes == 0);
    }
    CHECK(metrics.ready.get() == 0);
    CHECK(metrics.lost.get() == 0);
  }

  std::mt19937_64 random_;
  Model model_;
  Model saved_;  // as it was when the last turn ended
  std::uint64_t number_ = 0, consumer_ = 10;
  std::set<std::uint64_t> consumers_, no_ack_, stopped_;
  std::set<std::uint64_t> confirmed_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> to_bury_;
  bool crashed_ = false;
};

}  // namespace

TEST_CASE("random lives of work queues are what the model says") {
  const auto seed = GENERATE(range(1, 30));
  CAPTURE(seed);
  Life life(static_cast<std::uint64_t>(seed));
  life.run(600);
}
