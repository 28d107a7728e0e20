// SPDX-License-Identifier: Apache-2.0
// What the broker does around work queues: dead letters, delayed messages, recent history, alarms, limits of
// a channel whose queues are on several shards.
#include "unit/broker/messaging_world.h"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("a rejected message goes to its dead letter queue and tells of it, time after time") {
  const auto shards = GENERATE(1u, 2u);
  World world(shards);
  make_queue(world, "work", table({{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}}));
  make_queue(world, "dead", table({{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "work"}}));
  TestSession one(world, 0);
  // A publisher's own x-death is not believed.
  const WithHeaders forged(table({{"x-death", base::FieldArray{}}, {"mine", true}}));
  one.publish("", "work", "m", 0, forged.properties);
  for (std::int64_t round = 1; round <= 3; ++round) {
    CHECK(one.get("work") == "m+0");
    one.settle(one.events.got.back(), broker::Settlement::rejected);
    CHECK(one.get("dead") == "m+0");
    const auto headers = headers_of(one.events.got.back().properties);
    const auto* deaths = headers.find("x-death")->as<base::FieldArray>();
    REQUIRE(deaths);
    CHECK(deaths->size() == (round == 1 ? 1 : 2));
    const auto& newest = *deaths->front().as<base::FieldTable>();
    CHECK(newest.find("queue")->text() == "work");
    CHECK(newest.find("count")->integer() == round);
    CHECK(headers.find("x-first-death-queue")->text() == "work");
    CHECK(headers.find("mine"));
    one.settle(one.events.got.back(), broker::Settlement::rejected);
  }
}

TEST_CASE("a missing dead letter exchange drops") {
  World world(2);
  make_queue(world, "work", table({{"x-dead-letter-exchange", "missing"}}));
  TestSession one(world, 0);
  one.publish("", "work", "m");
  CHECK(one.get("work") == "m+0");
  one.settle(one.events.got.back(), broker::Settlement::rejected);
  CHECK(one.get("work") == "empty");
}

TEST_CASE("delayed messages wait, survive a restart, can be listed and cancelled") {
  const auto shards = GENERATE(1u, 2u);
  World world(shards);
  make_exchange(world, "later", "x-delayed-message", table({{"x-delayed-type", "direct"}}));
  make_queue(world, "a");
  bind(world, "later", "a", "k");
  const WithHeaders in_a_minute(table({{"x-delay", std::int32_t{60'000}}}));
  {
    TestSession one(world, shards - 1);
    CHECK(one.publish("later", "k", "m", 1, in_a_minute.properties) == "ok");
    CHECK(one.publish("later", "k", "cancelled", 2, in_a_minute.properties) == "ok");
    CHECK(one.publish("later", "k", "now", 3) == "ok");
    world.settle();
    std::ranges::sort(one.events.events);
    CHECK(one.events.take() == "ack1:1, ack1:2, ack1:3");
    CHECK(one.get("a", true) == "now+0");
    one.disconnect();
  }
  world.settle();
  world.restart();
  auto& schedule = world.set().broker(base::ShardId{0}).shard_messaging().schedule();
  const auto rows = world.ask<std::vector<broker::ScheduledRow>>(
      [&](auto done) { schedule.list("/", 100, std::move(done)); });
  REQUIRE(rows);
  REQUIRE(rows->size() == 2);
  CHECK(rows->front().exchange == "later");
  const auto cancel = [&](std::string vhost) {
    return World::word(
        world.ask<>([&](auto done) { schedule.cancel(std::move(vhost), rows->at(1).id, std::move(done)); }));
  };
  CHECK(cancel("other") == "not found");
  CHECK(cancel("/") == "ok");
  CHECK(cancel("/") == "not found");
  TestSession one(world, 0);
  world.tick();
  CHECK(one.get("a") == "empty");
  world.tick(60'000);
  world.tick();
  CHECK(one.get("a", true) == "m+0");
  CHECK(headers_of(one.events.got.back().properties).find("x-delay")->integer() == -60'000);
  CHECK(one.get("a") == "empty");
  world.tick();
  CHECK(
      world.ask<std::vector<broker::ScheduledRow>>([&](auto done) { schedule.list("", 9, std::move(done)); })
          ->empty());
}

TEST_CASE("a new binding gets the recent messages of all shards once") {
  const auto shards = GENERATE(1u, 3u);
  World world(shards);
  make_exchange(world, "recent", "x-recent-history", table({{"x-recent-history-length", std::int32_t{3}}}));
  make_queue(world, "a");
  for (std::uint32_t i = 0; i < 6; ++i) {
    TestSession one(world, i % shards);
    world.ports.clock.advance(1);
    one.publish("recent", "k", std::to_string(i));
    world.settle();
    one.disconnect();
  }
  bind(world, "recent", "a");
  world.settle();
  TestSession one(world, 0);
  for (const auto* body : {"3+2", "4+1", "5+0"}) CHECK(one.get("a", true) == body);
  CHECK(one.get("a") == "empty");
}

TEST_CASE("an exchange that delays does so behind other exchanges and for dead letters") {
  const auto shards = GENERATE(1u, 3u);
  World world(shards);
  make_exchange(world, "in", "fanout");
  make_exchange(world, "later", "x-delayed-message", table({{"x-delayed-type", "direct"}}));
  for (const auto* queue : {"a", "b"}) make_queue(world, queue);
  make_queue(world, "work", table({{"x-dead-letter-exchange", "later"}, {"x-dead-letter-routing-key", "k"}}));
  bind(world, "in", "later", "", true);
  bind(world, "in", "b");
  bind(world, "later", "a", "k");
  TestSession one(world, shards - 1);
  const WithHeaders in_a_minute(table({{"x-delay", std::int32_t{60'000}}}));
  CHECK(one.publish("in", "k", "m", 1, in_a_minute.properties) == "ok");
  world.settle();
  CHECK(one.events.take() == "ack1:1");
  CHECK(one.get("b", true) == "m+0");
  CHECK(one.get("a") == "empty");
  world.tick(60'000);
  world.tick();
  CHECK(one.get("a", true) == "m+0");
  CHECK(one.events.got.back().exchange == "in");
  CHECK(one.get("b") == "empty");

  CHECK(one.publish("", "work", "d", 0, in_a_minute.properties) == "ok");
  CHECK(one.get("work") == "d+0");
  one.settle(one.events.got.back(), broker::Settlement::rejected);
  world.tick();
  CHECK(one.get("a") == "empty");
  CHECK(one.get("work") == "empty");
  world.tick(60'000);
  world.tick();
  CHECK(one.get("a") == "d+0");
  CHECK(headers_of(one.events.got.back().properties).find("x-first-death-queue")->text() == "work");
  CHECK(one.events.got.back().exchange == "later");
}

TEST_CASE("an exchange that keeps recent messages does so behind other exchanges and for dead letters") {
  World world(2);
  make_exchange(world, "in", "fanout");
  make_exchange(world, "recent", "x-recent-history");
  make_queue(world, "a");
  make_queue(world, "work", table({{"x-dead-letter-exchange", "recent"}}));
  bind(world, "in", "recent", "", true);
  TestSession one(world, 0), two(world, 1);
  CHECK(one.publish("in", "k", "m") == "ok");
  world.settle();
  world.ports.clock.advance(1);
  CHECK(two.publish("", "work", "d") == "ok");
  CHECK(two.get("work") == "d+0");
  two.settle(two.events.got.back(), broker::Settlement::rejected);
  bind(world, "recent", "a");
  world.settle();
  CHECK(one.get("a", true) == "m+1");
  CHECK(one.get("a", true) == "d+0");
}

TEST_CASE("keys in BCC route, also when the message dies, and nobody sees them") {
  World world(2);
  make_exchange(world, "dead", "direct");
  make_queue(world, "a", table({{"x-dead-letter-exchange", "dead"}}));
  for (const auto* queue : {"b", "c", "d"}) make_queue(world, queue);
  bind(world, "dead", "c", "b");
  bind(world, "dead", "d", "shown");
  TestSession one(world, 0);
  base::FieldArray hidden, shown;
  hidden.emplace_back(std::string("b"));
  shown.emplace_back(std::string("shown"));
  const WithHeaders keys(table({{"BCC", hidden}, {"CC", shown}}));
  CHECK(one.publish("", "a", "m", 0, keys.properties) == "ok");
  CHECK(one.get("b", true) == "m+0");
  CHECK_FALSE(headers_of(one.events.got.back().properties).find("BCC"));
  CHECK(headers_of(one.events.got.back().properties).find("CC"));
  CHECK(one.get("a") == "m+0");
  CHECK_FALSE(headers_of(one.events.got.back().properties).find("BCC"));
  one.settle(one.events.got.back(), broker::Settlement::rejected);
  CHECK(one.get("d", true) == "m+0");
  CHECK(one.get("c", true) == "m+0");
  const auto headers = headers_of(one.events.got.back().properties);
  CHECK_FALSE(headers.find("BCC"));
  const auto& death = *headers.find("x-death")->as<base::FieldArray>()->front().as<base::FieldTable>();
  const auto& routed = *death.find("routing-keys")->as<base::FieldArray>();
  REQUIRE(routed.size() == 2);
  CHECK(routed[0].text() == "a");
  CHECK(routed[1].text() == "shown");
}

TEST_CASE("topic permissions restrict the keys of a topic exchange, CC and BCC included") {
  World world(2);
  make_exchange(world, "t", "topic");
  make_queue(world, "a");
  auto& first = world.set().broker(base::ShardId{0});
  const broker::TopicPermissionRecord only{"/", "guest", "t", "^{username}\\.", "^{vhost}news"};
  TestSession one(world, 1);
  CHECK(one.publish("t", "else", "m") == "ok");
  REQUIRE(
      world.ask([&](auto done) { first.send_command(broker::PutTopicPermission{only}, std::move(done)); }));
  CHECK(one.publish("t", "guest.x", "m") == "ok");
  CHECK(one.publish("t", "else", "m") == "403");
  CHECK(one.publish("amq.topic", "else", "m") == "ok");
  base::FieldArray more;
  more.emplace_back(std::string("else"));
  CHECK(one.publish("t", "guest.x", "m", 0, WithHeaders(table({{"BCC", more}})).properties) == "403");
  const auto bind_with = [&](std::string_view key) {
    broker::BindingSpec spec{"t", "a", std::string(key), true, {}};
    return one.ask<>([&](auto answer) { one.messaging().bind(one.caller, spec, std::move(answer)); });
  };
  CHECK(bind_with("/news.#") == "ok");
  CHECK(bind_with("news.#") == "403");
  REQUIRE(world.ask([&](auto done) {
    first.send_command(broker::ClearTopicPermissions{"/", "guest", ""}, std::move(done));
  }));
  CHECK(one.publish("t", "else", "m") == "ok");
}

TEST_CASE("alarms tell every client, also one that comes later, and consumers go on") {
  broker::BrokerOptions options;
  options.memory_watermark_absolute = base::ByteSize{1000};
  World world(2, options);
  make_queue(world, "a");
  TestSession one(world, 1);
  auto& broker = world.set().broker(base::ShardId{1});
  broker.set_alarm(broker::ShardBroker::Alarm::memory, true);
  world.settle();
  CHECK(one.events.take() == "blocked low on memory");
  broker.set_alarm(broker::ShardBroker::Alarm::disk, true);
  world.settle();
  CHECK(one.events.take() == "blocked low on memory & disk");
  TestSession two(world, 1);
  world.settle();
  CHECK(two.events.take() == "blocked low on memory & disk");
  one.publish("", "a", "m");
  CHECK(two.get("a", true) == "m+0");
  broker.set_alarm(broker::ShardBroker::Alarm::memory, false);
  broker.set_alarm(broker::ShardBroker::Alarm::disk, false);
  world.settle();
  CHECK(one.events.take() == "unblocked");
}

TEST_CASE("a channel's limit holds over queues of several shards") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  TestSession one(world, 0);
  one.messaging().set_channel_prefetch(one.caller, 1, 3);
  CHECK(one.consume("a", "c") == "ok");
  CHECK(one.consume("b", "d") == "ok");
  for (int i = 0; i < 5; ++i) {
    one.publish("", "a", "m");
    one.publish("", "b", "m");
  }
  world.settle();
  std::size_t settled = 0;
  for (std::size_t seen = 3; seen <= 9; ++seen) {
    REQUIRE(one.events.got.size() == seen);
    one.settle(one.events.got[settled++]);
  }
  one.messaging().cancel(one.caller, 1, "c", ignore);
  one.messaging().cancel(one.caller, 1, "d", ignore);
  world.settle();
  CHECK(one.events.got.size() == 10);
  for (; settled < 10; ++settled) one.settle(one.events.got[settled], broker::Settlement::requeued);
  CHECK(one.get("a", true).starts_with("m+"));
}
