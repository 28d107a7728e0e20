// SPDX-License-Identifier: Apache-2.0
// When something does not come off: a journal that fails, dead letters whose target is not there or full,
// consumers that settle nothing. With the real work queues on a disk in memory.
#include "unit/broker/messaging_world.h"

using namespace sluice;
using namespace sluice::test;

namespace {

message::BasicProperties persistent() {
  message::BasicProperties properties;
  properties.delivery_mode = 2;
  return properties;
}

base::FieldTable at_least_once() {
  return table({{"x-dead-letter-exchange", "dlx"},
                {"x-dead-letter-strategy", "at-least-once"},
                {"x-overflow", "reject-publish"}});
}

std::string purge(TestSession& session, const std::string& queue) {
  return session.ask<std::uint64_t>(
      [&](auto answer) { session.messaging().purge_queue(session.caller, queue, std::move(answer)); });
}

}  // namespace

TEST_CASE("a journal that fails: nacks, cancelled consumers, clear words; what was confirmed comes back") {
  const bool far = GENERATE(false, true);
  World world(2);
  make_queue(world, "a", {}, "classic", true);
  make_queue(world, "b", {}, "classic", true);
  const std::string queue = far ? "a" : "b", other = far ? "b" : "a";
  {
    TestSession one(world, 0), two(world, 1);
    two.caller.cancel_notify = true;
    CHECK(one.publish("", queue, "kept", 1, persistent()) == "ok");
    world.settle();
    CHECK(one.events.take() == "ack1:1");
    CHECK(two.consume(queue, "c", 1) == "ok");
    CHECK(two.events.take() == "c1:kept");
    world.ports.disk.fail_sync();
    CHECK(one.publish("", queue, "refused", 2, persistent()) == "ok");
    world.settle();
    CHECK(one.events.take() == "nack1:2");
    CHECK(two.events.take() == "cancelled 1:c");
    CHECK(one.publish("", queue, "refused", 3) == "ok");
    world.settle();
    CHECK(one.events.take() == "nack1:3");
    two.settle(two.events.got.back());  // is not heard
    CHECK(two.consume(queue, "d") == "404");
    CHECK(two.get(queue) == "404");
    CHECK(purge(two, queue) == "404");
    CHECK(world.ports.logger.has("make room on the disk or repair it, then restart the broker"));
    // The other shard has a journal of its own.
    CHECK(one.publish("", other, "m", 4, persistent()) == "ok");
    world.settle();
    CHECK(one.events.take() == "ack1:4");
    CHECK(two.get(other, true) == "m+0");
    for (int i = 0; i < 20; ++i) world.tick();
    one.disconnect();
    two.disconnect();
  }
  world.settle();
  world.restart();
  TestSession one(world, 0);
  CHECK(one.get(queue, true).starts_with("kept+"));
  CHECK(one.events.got.back().redelivered);
}

TEST_CASE("what a failed journal does not take is kept where it came from") {
  World world(2);
  make_exchange(world, "later", "x-delayed-message", table({{"x-delayed-type", "direct"}}));
  make_queue(world, "a");
  make_queue(world, "work", table({{"x-dead-letter-exchange", "later"}, {"x-dead-letter-routing-key", "k"}}));
  make_queue(world, "b");
  bind(world, "later", "a", "k");
  const auto owner = [&](const char* name) {
    const auto log = world.set().broker(base::ShardId{0}).catalog().queue("/", name)->log();
    return world.set().owner_of(log);
  };
  REQUIRE(owner("a") != owner("work"));
  {
    TestSession one(world, 0);
    const WithHeaders in_a_minute(table({{"x-delay", std::int32_t{60'000}}}));
    CHECK(one.publish("later", "k", "delayed", 1, in_a_minute.properties) == "ok");
    auto properties = persistent();
    CHECK(one.publish("", "work", "dead", 2, properties) == "ok");
    world.settle();
    CHECK(one.get("work") == "dead+0");
    world.ports.disk.fail_sync();
    CHECK(one.publish("", "a", "m", 3, properties) == "ok");
    world.settle();
    CHECK(one.get("a") == "404");
    one.settle(one.events.got.back(), broker::Settlement::rejected);
    world.tick(60'000);
    for (int i = 0; i < 5; ++i) world.tick(1000);
    one.disconnect();
  }
  world.settle();
  world.restart();
  for (int i = 0; i < 3; ++i) world.tick(1000);
  TestSession one(world, 0);
  CHECK(one.get("work", true) == "dead+0");
  std::string got;
  for (std::string body; (body = one.get("a", true)) != "empty";) got += body.substr(0, body.find('+')) + " ";
  CHECK(got.find("delayed ") != std::string::npos);
}

TEST_CASE("dead letters at least once wait for an exchange, for a queue and for room") {
  const auto shards = GENERATE(1u, 2u);
  World world(shards);
  make_queue(world, "work", at_least_once(), "quorum");
  TestSession one(world, shards - 1);
  const auto reject_one = [&](std::string_view body) {
    CHECK(one.publish("", "work", body) == "ok");
    CHECK(one.get("work") == std::string(body) + "+0");
    one.settle(one.events.got.back(), broker::Settlement::rejected);
  };
  reject_one("first");
  for (int i = 0; i < 3; ++i) world.tick(1000);
  make_exchange(world, "dlx", "fanout");
  for (int i = 0; i < 3; ++i) world.tick(1000);
  make_queue(world, "dead", table({{"x-max-length", std::int32_t{1}}, {"x-overflow", "reject-publish"}}));
  bind(world, "dlx", "dead");
  for (int i = 0; i < 3; ++i) world.tick(1000);
  reject_one("second");  // finds the queue full
  for (int i = 0; i < 3; ++i) world.tick(1000);
  CHECK(one.get("dead", true) == "first+0");
  world.tick(1000);
  CHECK(one.get("dead", true) == "second+0");
  for (int i = 0; i < 3; ++i) world.tick(1000);
  CHECK(one.get("dead") == "empty");
  CHECK(one.get("work") == "empty");
  one.disconnect();
  world.settle();
  world.restart();
  TestSession two(world, 0);
  CHECK(two.get("work") == "empty");
}

TEST_CASE("dead letters at least once that found no room are there after a restart") {
  World world(2);
  make_queue(world, "work", at_least_once(), "quorum");
  {
    TestSession one(world, 0);
    one.publish("", "work", "m");
    CHECK(one.get("work") == "m+0");
    one.settle(one.events.got.back(), broker::Settlement::rejected);
    world.tick(1000);
    CHECK(one.get("work") == "empty");
    one.disconnect();
  }
  world.settle();
  world.restart();
  TestSession one(world, 0);
  CHECK(one.get("work", true) == "m+0");
}

TEST_CASE("dead letters at most once are gone when their queue is full") {
  World world(2);
  make_queue(world, "work", table({{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "dead"}}));
  make_queue(world, "dead", table({{"x-max-length", std::int32_t{1}}, {"x-overflow", "reject-publish"}}));
  TestSession one(world, 0);
  for (const auto* body : {"first", "second"}) {
    one.publish("", "work", body);
    CHECK(one.get("work") == std::string(body) + "+0");
    one.settle(one.events.got.back(), broker::Settlement::rejected);
  }
  CHECK(one.get("dead", true) == "first+0");
  for (int i = 0; i < 3; ++i) world.tick(1000);
  CHECK(one.get("dead") == "empty");
}

TEST_CASE(
    "a consumer of a quorum queue that settles nothing is ended after the node's, queue's or own time") {
  broker::BrokerOptions options;
  options.consumer_timeout = base::DurationMs{5000};
  World world(2, options);
  make_queue(world, "classic");
  make_queue(world, "node", {}, "quorum");
  make_queue(world, "own", table({{"x-consumer-timeout", std::int32_t{2000}}}), "quorum");
  TestSession silent(world, 0), told(world, 1), publisher(world, 0);
  told.caller.cancel_notify = true;
  told.messaging().attach(told.caller, told.events);  // what it can was said when it connected
  for (const std::string queue : {"classic", "node", "own"}) {
    publisher.publish("", queue, "m");
    publisher.publish("", queue, "n");
    CHECK(silent.consume(queue, queue, 1, false, false,
                         queue == "own"    ? 2
                         : queue == "node" ? 3
                                           : 4) == "ok");
    CHECK(told.consume(queue, queue, 1) == "ok");
  }
  world.settle();
  silent.events.take();
  told.events.take();
  const auto pass = [&](int ms) {
    for (int i = 0; i < ms / 500; ++i) world.tick(500);
  };
  pass(1500);
  CHECK(silent.events.take().empty());
  pass(1000);
  CHECK(silent.events.take() == "refused 2:406");
  CHECK(told.events.take() == "cancelled 1:own");
  pass(3500);
  CHECK(silent.events.take() == "refused 3:406");
  CHECK(told.events.take() == "cancelled 1:node");
  pass(20'000);
  CHECK(silent.events.take().empty());  // classic queues do not look
  CHECK(told.events.take().empty());
  for (const auto* queue : {"node", "own"}) {
    CHECK(publisher.get(queue, true) == "m+1");
    CHECK(publisher.events.got.back().redelivered);
    CHECK(publisher.get(queue, true) == "n+0");
  }
}
