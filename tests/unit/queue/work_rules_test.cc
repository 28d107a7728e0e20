// SPDX-License-Identifier: Apache-2.0
// The rules of work queues, one by one (reference queues-and-amqp.md, sections 5 and 6.3).
#include <catch2/catch.hpp>

#include "support/work_world.h"

using namespace sluice;
using namespace sluice::queue;
using test::WorkWorld;

namespace {

WorkOptions quorum() {
  WorkOptions options;
  options.quorum = true;
  return options;
}

ConsumerOptions prefetch(std::uint32_t limit, std::int32_t priority = 0) {
  ConsumerOptions options;
  options.prefetch = limit;
  options.priority = priority;
  return options;
}

void publish_all(WorkWorld& world, std::string_view letters) {
  for (const char& letter : letters) world.publish(1, std::string_view(&letter, 1));
}

}  // namespace

TEST_CASE("classic queues requeue to the original position") {
  WorkWorld world;
  publish_all(world, "abcd");
  REQUIRE(world.consume(1, 7, prefetch(3)));
  world.turn();
  world.queues->set_prefetch(ConsumerId{7}, 1);
  world.settle(1, 7, {1}, Settlement::requeued);
  world.settle(1, 7, {0}, Settlement::requeued);
  world.settle(1, 7, {2});
  world.clear();
  for (int i = 0; i < 4; ++i) {
    world.turn();
    if (world.deliveries.empty()) break;
    world.settle(1, 7, {world.deliveries.back().offset});
  }
  CHECK(world.bodies() == "a b d");
  CHECK(world.deliveries[0].redelivered);
  CHECK(!world.deliveries[2].redelivered);
}

TEST_CASE("quorum queues deliver what was returned first, and count failures") {
  WorkWorld world({{1, quorum()}});
  publish_all(world, "abc");
  CHECK(world.get(1)->body == "a");
  CHECK(world.get(1)->body == "b");
  world.settle(1, 999, {1}, Settlement::requeued);
  const auto returned = world.get(1);
  CHECK(returned->body == "b");
  CHECK(returned->acquired == 1);
  CHECK(returned->failed == 0);
  world.settle(1, 999, {1}, Settlement::failed);
  world.settle(1, 999, {0}, Settlement::failed);
  world.turn();
  world.restart();
  CHECK(world.get(1)->failed == 1);
  const auto again = world.get(1);
  CHECK(again->body == "b");
  CHECK(again->failed == 1);
  CHECK(again->acquired == 2);
}

TEST_CASE("the delivery limit ends a message that fails") {
  auto options = quorum();
  options.delivery_limit = 2;
  options.dead_letters = true;
  WorkWorld world({{1, options}});
  publish_all(world, "a");
  for (int i = 0; i < 3; ++i) {
    REQUIRE(world.get(1));
    world.settle(1, 999, {0}, Settlement::failed);
  }
  CHECK(!world.get(1));
  world.turn();
  REQUIRE(world.dead.size() == 1);
  CHECK(world.dead[0].reason == DeadReason::delivery_limit);
  world.queues->dead_letter_done(base::QueueId{1}, base::Offset{0});
  world.turn();
  world.restart();
  CHECK(world.stats().ready == 0);
}

TEST_CASE("delayed retries wait longer with every failure") {
  auto options = quorum();
  options.retry_delay = RetryDelay::failed;
  options.retry_delay_min_ms = 1000;
  options.retry_delay_max_ms = 1500;
  WorkWorld world({{1, options}});
  publish_all(world, "a");
  REQUIRE(world.get(1));
  world.settle(1, 999, {0}, Settlement::failed);
  world.pass(900);
  CHECK(!world.get(1));
  CHECK(world.stats().unacked == 0);
  world.pass(200);
  REQUIRE(world.get(1));
  world.settle(1, 999, {0}, Settlement::requeued);
  REQUIRE(world.get(1));
  world.settle(1, 999, {0}, Settlement::failed);
  world.pass(1400);
  CHECK(!world.get(1));
  world.pass(200);
  CHECK(world.get(1));
}

TEST_CASE("higher priorities come first") {
  SECTION("classic: up to x-max-priority, none is 0") {
    WorkOptions options;
    options.priority_max = 5;
    WorkWorld world({{1, options}});
    world.publish(1, "none");
    world.publish_prioritised(1, "1", 1);
    world.publish_prioritised(1, "9", 9);
    world.publish_prioritised(1, "5", 5);
    REQUIRE(world.consume(1, 7));
    world.turn();
    CHECK(world.bodies() == "9 5 1 none");
  }
  SECTION("classic without it: all alike") {
    WorkWorld world;
    world.publish_prioritised(1, "1", 1);
    world.publish_prioritised(1, "9", 9);
    REQUIRE(world.consume(1, 7));
    world.turn();
    CHECK(world.bodies() == "1 9");
  }
  SECTION("quorum: always, none is 4") {
    WorkWorld world({{1, quorum()}});
    world.publish_prioritised(1, "3", 3);
    world.publish(1, "none");
    world.publish_prioritised(1, "5", 5);
    world.publish_prioritised(1, "200", 200);
    world.publish_prioritised(1, "31", 31);
    world.turn();
    world.restart();
    REQUIRE(world.consume(1, 7));
    world.turn();
    CHECK(world.bodies() == "200 31 5 none 3");
  }
}

TEST_CASE("consumers take turns; higher priority first, blocked ones passed over") {
  WorkWorld world;
  REQUIRE(world.consume(1, 1, prefetch(2)));
  REQUIRE(world.consume(1, 2, prefetch(2)));
  REQUIRE(world.consume(1, 3, prefetch(1, 10)));
  publish_all(world, "abcdefgh");
  world.turn();
  std::string order;
  for (const auto& each : world.deliveries) order += std::to_string(each.consumer);
  CHECK(order == "31212");
  world.queues->set_ready(ConsumerId{2}, false);
  world.settle(1, 2, {2, 4});
  world.clear();
  world.turn();
  CHECK(world.deliveries.empty());
  world.queues->set_ready(ConsumerId{2}, true);
  world.turn();
  CHECK(world.deliveries.size() == 2);
}

TEST_CASE("a listener that has enough stops its consumer") {
  WorkWorld world;
  publish_all(world, "abc");
  world.stop_after_delivery = true;
  REQUIRE(world.consume(1, 7));
  world.turn();
  CHECK(world.bodies() == "a");
  world.stop_after_delivery = false;
  world.queues->set_ready(ConsumerId{7}, true);
  world.turn();
  CHECK(world.bodies() == "a b c");
  world.clear();
  auto asks = prefetch(0);
  asks.ask_first = true;
  world.queues->remove_consumer(ConsumerId{7}, true);
  world.may_deliver_answer = false;
  REQUIRE(world.consume(1, 8, asks));
  world.turn();
  CHECK(world.deliveries.empty());
}

TEST_CASE("an exclusive consumer is alone; quorum queues ignore it") {
  auto exclusive = prefetch(0);
  exclusive.exclusive = true;
  WorkWorld world({{1, {}}, {2, quorum()}});
  REQUIRE(world.consume(1, 1, exclusive));
  CHECK(world.consume(1, 2).error().code == base::Errc::access_refused);
  world.queues->remove_consumer(ConsumerId{1}, true);
  CHECK(world.no_consumers == std::vector<std::uint64_t>{1});
  REQUIRE(world.consume(1, 2));
  CHECK(world.consume(1, 1, exclusive).error().code == base::Errc::access_refused);
  CHECK(world.consume(2, 5, exclusive));
  CHECK(world.consume(2, 6, exclusive));
}

TEST_CASE("one consumer is active, the next follows") {
  WorkOptions options;
  options.single_active = true;
  WorkWorld world({{1, options}});
  ConsumerOptions exclusive;
  exclusive.exclusive = true;
  CHECK(world.consume(1, 9, exclusive).error().code == base::Errc::access_refused);
  REQUIRE(world.consume(1, 1));
  REQUIRE(world.consume(1, 2));
  publish_all(world, "ab");
  world.turn();
  CHECK(world.deliveries.size() == 2);
  CHECK(world.deliveries[1].consumer == 1);
  CHECK(world.stats().active_consumer == ConsumerId{1});
  world.clear();
  world.queues->remove_consumer(ConsumerId{1}, true);
  CHECK(world.active == std::vector<std::pair<std::uint64_t, bool>>{{2, true}});
  world.turn();
  CHECK(world.bodies() == "a b");
  CHECK(world.deliveries[0].consumer == 2);
}

TEST_CASE("a quorum queue's active consumer makes room for a higher priority once drained") {
  auto options = quorum();
  options.single_active = true;
  WorkWorld world({{1, options}});
  REQUIRE(world.consume(1, 1));
  publish_all(world, "a");
  world.turn();
  REQUIRE(world.consume(1, 2, prefetch(0, 5)));
  publish_all(world, "b");
  world.turn();
  CHECK(world.bodies() == "a");
  world.clear();
  world.settle(1, 1, {0});
  CHECK(world.active == std::vector<std::pair<std::uint64_t, bool>>{{1, false}, {2, true}});
  world.turn();
  CHECK(world.bodies() == "b");
  CHECK(world.deliveries[0].consumer == 2);
}

TEST_CASE("full queues drop their head or refuse") {
  WorkOptions options;
  options.length_max = 2;
  SECTION("drop-head, what consumers do not take") {
    options.dead_letters = true;
    WorkWorld world({{1, options}});
    publish_all(world, "abcd");
    world.turn();
    CHECK(world.dead_bodies() == "a b");
    CHECK(world.dead[0].reason == DeadReason::maxlen);
    CHECK(world.stats().ready == 2);
    REQUIRE(world.consume(1, 7));
    publish_all(world, "efghij");
    world.turn();
    CHECK(world.bodies() == "c d e f g h i j");
  }
  SECTION("bytes") {
    options.length_max.reset();
    options.length_bytes_max = 2;  // of bodies
    WorkWorld world({{1, options}});
    publish_all(world, "abcd");
    world.turn();
    CHECK(world.stats().ready == 2);
    CHECK(world.stats().ready_bytes == 2);
  }
  SECTION("reject-publish") {
    options.overflow = Overflow::reject_publish;
    WorkWorld world({{1, options}, {2, {}}});
    world.publish(1, "a", 1);
    world.publish(1, "b", 2);
    world.publish({1, 2}, "c", world.meta(), 3);
    world.turn();
    CHECK(world.confirms == std::map<std::uint64_t, bool>{{1, true}, {2, true}, {3, false}});
    CHECK(world.stats(1).ready == 2);
    CHECK(world.stats(2).ready == 1);
    REQUIRE(world.consume(1, 7, prefetch(10)));
    world.publish(1, "d", 4);
    world.turn();
    CHECK(world.confirms[4]);
  }
  SECTION("reject-publish-dlx") {
    options.overflow = Overflow::reject_publish_dlx;
    options.dead_letters = true;
    WorkWorld world({{1, options}});
    publish_all(world, "ab");
    world.publish(1, "c", 3);
    world.turn();
    CHECK(!world.confirms[3]);
    CHECK(world.dead_bodies() == "c");
  }
}

TEST_CASE("messages expire at the head") {
  WorkOptions options;
  options.message_ttl_ms = 1000;
  options.dead_letters = true;
  WorkWorld world({{1, options}, {2, {}}});
  SECTION("the queue's time and the message's own, the shorter") {
    auto meta = world.meta();
    meta.expires_at_ms = meta.received_at_ms + 300;
    world.publish({1}, "short", meta);
    meta.expires_at_ms = meta.received_at_ms + 5000;
    world.publish({1}, "long", meta);
    world.turn();
    world.pass(400);
    REQUIRE(world.dead_bodies() == "short");
    CHECK(world.dead[0].reason == DeadReason::expired);
    world.pass(700);
    CHECK(world.dead_bodies() == "short long");
  }
  SECTION("not behind another that lives longer, but when it comes to the head") {
    auto meta = world.meta();
    world.publish({2}, "stays", meta);
    meta.expires_at_ms = meta.received_at_ms + 300;
    world.publish({2}, "goes", meta);
    world.pass(1000);
    CHECK(world.stats(2).ready == 2);
    CHECK(world.get(2)->body == "stays");
    CHECK(!world.get(2));
    world.settle(2, 999, {0}, Settlement::requeued);
    CHECK(world.get(2)->body == "stays");
  }
  SECTION("0: now or never") {
    auto meta = world.meta();
    meta.expires_at_ms = meta.received_at_ms;
    world.publish({2}, "never", meta);
    world.turn();
    world.pass(2);
    CHECK(world.stats(2).ready == 0);
    REQUIRE(world.consume(2, 7));
    world.publish({2}, "now", meta);
    world.turn();
    CHECK(world.bodies() == "now");
  }
  SECTION("requeued: its time goes on") {
    world.publish(1, "a");
    REQUIRE(world.get(1));
    world.pass(2000);
    CHECK(world.dead.empty());
    world.settle(1, 999, {0}, Settlement::requeued);
    world.turn();
    world.pass(2);
    CHECK(world.dead_bodies() == "a");
  }
  SECTION("after a restart") {
    world.publish(1, "a");
    world.turn();
    world.restart();
    world.pass(1001);
    CHECK(world.dead_bodies() == "a");
  }
}

TEST_CASE("an unused queue says so") {
  WorkOptions options;
  options.expires_ms = 1000;
  WorkWorld world({{1, options}});
  world.turn();
  world.pass(900);
  world.queues->touch(base::QueueId{1});
  world.pass(900);
  CHECK(world.unused.empty());
  REQUIRE(world.consume(1, 7));
  world.pass(5000);
  CHECK(world.unused.empty());
  world.queues->remove_consumer(ConsumerId{7}, true);
  world.pass(900);
  CHECK(world.unused.empty());
  world.pass(200);
  world.pass(5000);
  CHECK(world.unused == std::vector<std::uint64_t>{1});
}

TEST_CASE("a consumer that settles nothing is removed") {
  auto options = quorum();
  options.consumer_timeout_ms = 1000;
  WorkWorld world({{1, options}});
  publish_all(world, "ab");
  REQUIRE(world.consume(1, 7));
  world.turn();
  world.settle(1, 7, {0});
  world.pass(900);
  CHECK(world.timed_out.empty());
  world.pass(200);
  CHECK(world.timed_out == std::vector<std::uint64_t>{7});
  CHECK(world.stats().ready == 1);
  CHECK(world.stats().consumers == 0);
}

TEST_CASE("rejected messages wait until their new queues have them") {
  WorkOptions options;
  options.dead_letters = true;
  WorkWorld world({{1, options}});
  constexpr std::uint64_t count = 600;
  for (std::uint64_t i = 0; i < count; ++i) world.publish(1, std::to_string(i));
  REQUIRE(world.consume(1, 7));
  world.turn();
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back(i);
  world.settle(1, 7, all, Settlement::rejected);
  world.turn();
  CHECK(world.dead.size() == dead_letters_in_flight_max);
  CHECK(world.stats().unacked == 0);
  for (std::size_t i = 0; i < 2 * count && world.stats().dead_lettered < count; ++i) {
    const auto dead = std::exchange(world.dead, {});
    for (const auto& each : dead) world.queues->dead_letter_done(base::QueueId{1}, base::Offset{each.offset});
    world.turn();
  }
  CHECK(world.stats().dead_lettered == count);
  world.restart();  // those under way at the end come back
  CHECK(world.stats().ready <= dead_letters_in_flight_max);
  CHECK(world.stats().ready > 0);
}

TEST_CASE("a failed disk refuses publishers and says why") {
  WorkWorld world;
  world.publish(1, "a", 1);
  world.turn();
  CHECK(world.confirms[1]);
  world.shard.disk.fail_sync();
  world.publish(1, "b", 2);
  world.turn();
  CHECK(!world.confirms[2]);
  CHECK(!world.offline.empty());
  world.publish(1, "c", 3);
  world.turn();
  CHECK(!world.confirms[3]);
}

TEST_CASE("deleted queues take all with them") {
  WorkWorld world({{1, {}}, {2, {}}});
  world.publish({1, 2}, "a", world.meta());
  REQUIRE(world.consume(1, 7));
  world.turn();
  world.queues->remove(base::QueueId{1});
  CHECK(!world.queues->stats(base::QueueId{1}));
  world.settle(1, 7, {0});
  world.queues->set_ready(ConsumerId{7}, true);
  world.queues->remove_consumer(ConsumerId{7}, true);
  world.turn();
  world.options.erase(1);
  world.restart();
  CHECK(world.get(2)->body == "a");
}
