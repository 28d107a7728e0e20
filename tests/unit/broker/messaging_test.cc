// SPDX-License-Identifier: Apache-2.0
// Publishing, consuming and settling over one and several shards, with work queues in memory.
#include "unit/broker/messaging_world.h"

using namespace sluice;
using namespace sluice::test;

TEST_CASE("a message goes to a queue of any shard, is confirmed, delivered and settled") {
  const auto shards = GENERATE(1u, 2u, 3u);
  World world(shards);
  make_queue(world, "a");
  make_queue(world, "b");
  for (const std::string queue : {"a", "b"}) {
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      TestSession publisher(world, shard), consumer(world, shards - 1 - shard);
      CHECK(publisher.publish("", queue, "one", 1) == "ok");
      CHECK(publisher.publish("", queue, "two", 2) == "ok");
      CHECK(publisher.events.take().empty());  // never inside the call
      world.settle();
      CHECK(publisher.events.take() == "ack1:1, ack1:2");
      CHECK(consumer.consume(queue, "c", 1) == "ok");
      CHECK(consumer.events.take() == "c1:one");
      consumer.settle(consumer.events.got[0]);
      CHECK(consumer.events.take() == "c1:two");
      consumer.settle(consumer.events.got[1], broker::Settlement::requeued);
      CHECK(consumer.events.take() == "c1:two!");
      consumer.settle(consumer.events.got[2]);
      CHECK(publisher.get(queue) == "empty");
      publisher.disconnect();
      consumer.disconnect();
      world.settle();
    }
  }
}

TEST_CASE("a channel or client that goes gives back what it has not settled") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  for (const std::string queue : {"a", "b"}) {
    TestSession one(world, 0), two(world, 1);
    one.publish("", queue, "m");
    CHECK(one.consume(queue, "c") == "ok");
    CHECK(one.events.take() == "c1:m");
    one.messaging().close_channel(one.caller, 1, ignore);
    world.settle();
    CHECK(two.get(queue) == "m+0");
    two.disconnect();
    world.settle();
    CHECK(one.get(queue, true) == "m+0");
    CHECK(one.events.got.back().redelivered);
    one.disconnect();
  }
}

TEST_CASE("a cancel or a close is answered when nobody counts the consumer any more") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  REQUIRE(world.create(0, "s") == "ok");
  TestSession one(world, 0);
  const auto consumers = [&](const char* name) -> std::uint32_t {
    const auto* record = world.set().broker(base::ShardId{0}).catalog().queue("/", name);
    auto& owner = world.set().broker(world.set().owner_of(record->log()));
    if (record->is_stream()) return owner.owner().counts(record->log()).readers;
    return owner.shard_messaging().owner().queues().stats(base::QueueId{record->log_id})->consumers;
  };
  for (const char* queue : {"a", "b", "s"}) {
    for (const bool cancel : {true, false}) {
      CAPTURE(queue, cancel);
      CHECK(one.consume(queue, "c", 1) == "ok");
      CHECK(consumers(queue) == 1);
      CHECK(one.ask<>([&](auto done) {
        broker::Answer<> answer = [&consumers, queue, done](broker::Outcome<> outcome) mutable {
          CHECK(consumers(queue) == 0);
          done(std::move(outcome));
        };
        if (cancel)
          one.messaging().cancel(one.caller, 1, "c", std::move(answer));
        else
          one.messaging().close_channel(one.caller, 1, std::move(answer));
      }) == "ok");
    }
  }
}

TEST_CASE("what is on its way to a cancelled consumer returns to the queue") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  for (const std::string queue : {"a", "b"}) {
    TestSession one(world, 0), two(world, 1);
    CHECK(one.consume(queue, "c") == "ok");
    CHECK(two.consume(queue, "c") == "ok");
    for (int i = 0; i < 10; ++i) one.publish("", queue, "m");
    for (std::uint32_t i = 0; i < 2; ++i) world.at(i).on_turn_end();
    one.messaging().cancel(one.caller, 1, "c", ignore);
    two.messaging().cancel(two.caller, 1, "c", ignore);
    const auto seen = one.events.got.size() + two.events.got.size();
    world.settle();
    CHECK(one.events.got.size() + two.events.got.size() == seen);
    // What was delivered before the cancel can still be settled.
    for (const auto& got : one.events.got) one.settle(got);
    for (const auto& got : two.events.got) two.settle(got);
    for (std::size_t i = seen; i < 10; ++i) CHECK(one.get(queue, true).starts_with("m+"));
    CHECK(one.get(queue, true) == "empty");
    one.disconnect();
    two.disconnect();
  }
}

TEST_CASE("a message for queues of several shards is confirmed once, when all have it") {
  World world(3);
  for (const auto* name : {"a", "b", "c"}) make_queue(world, name);
  base::FieldTable headers;
  headers.entries.emplace_back("CC", base::FieldArray{std::string("b"), std::string("c")});
  base::ByteBuffer encoded;
  base::ByteWriter writer(encoded);
  base::write_field_table(writer, headers);
  message::BasicProperties properties;
  properties.headers = base::FieldTableView(base::ByteView(encoded).subspan(4));
  TestSession one(world, 1);
  CHECK(one.publish("", "a", "m", 1, properties) == "ok");
  CHECK(one.publish("", "a", "n", 2) == "ok");
  world.settle();
  std::ranges::sort(one.events.events);
  CHECK(one.events.take() == "ack1:1, ack1:2");
  CHECK(one.get("a", true) == "m+1");
  CHECK(one.get("b", true) == "m+0");
  CHECK(one.get("c", true) == "m+0");
}

TEST_CASE("unroutable messages are confirmed, and returned when they are mandatory") {
  World world(2);
  TestSession one(world, 0);
  CHECK(one.publish("", "nowhere", "m", 1) == "ok");
  CHECK(one.publish("", "nowhere", "m", 2, {}, true) == "returned");
  CHECK(one.publish("missing", "k", "m", 3) == "404");
  world.settle();
  CHECK(one.events.take() == "ack1:1, ack1:2");
}

TEST_CASE("a queue that refuses makes the confirm a nack") {
  World world(2);
  for (const auto* name : {"a", "b"}) {
    base::FieldTable arguments;
    arguments.entries.emplace_back("x-max-length", std::int32_t{1});
    arguments.entries.emplace_back("x-overflow", std::string("reject-publish"));
    make_queue(world, name, arguments);
    TestSession one(world, 0);
    one.publish("", name, "m", 1);
    one.publish("", name, "n", 2);
    world.settle();
    CHECK(one.events.take() == "ack1:1, nack1:2");
    one.disconnect();
  }
}

TEST_CASE("confirms of a closed channel do not reach its successor") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  TestSession one(world, 0);
  for (const auto* name : {"a", "b"}) {
    one.publish("", name, "m", 1);
    one.messaging().close_channel(one.caller, 1, ignore);
    one.messaging().set_channel_prefetch(one.caller, 1, 0);
    world.settle();
    CHECK(one.events.take().empty());
  }
}

TEST_CASE("refusals of consume and publish") {
  World world(2);
  make_queue(world, "a");
  TestSession one(world, 0), two(world, 1);
  CHECK(one.consume("missing", "c") == "404");
  CHECK(one.consume("a", "c", 0, false, true) == "ok");
  CHECK(two.consume("a", "c") == "403");
  CHECK(two.get("missing") == "404");
  message::BasicProperties properties;
  properties.user_id = "somebody";
  CHECK(one.publish("", "a", "m", 0, properties) == "406");
  properties.user_id = "guest";
  properties.expiration = "soon";
  CHECK(one.publish("", "a", "m", 0, properties) == "406");
}

TEST_CASE("a deleted queue cancels its consumers") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  TestSession one(world, 0), two(world, 1);
  for (const auto* name : {"a", "b"}) {
    CHECK(one.consume(name, "c") == "ok");
    CHECK(two.consume(name, "d") == "ok");
    one.publish("", name, "m");
    world.settle();
    remove_queue(world, name);
    CHECK(one.events.take().ends_with("cancelled 1:c"));
    CHECK(two.events.take().ends_with("cancelled 1:d"));
    for (const auto& got : one.events.got) one.settle(got);  // too late, and harmless
    for (const auto& got : two.events.got) two.settle(got);
  }
}

TEST_CASE("an auto-delete queue goes with its last consumer") {
  World world(2);
  make_queue(world, "a", {}, "classic", true);
  make_queue(world, "b", {}, "classic", true);
  TestSession one(world, 0);
  for (const auto* name : {"a", "b"}) {
    CHECK(one.get(name) == "empty");
    CHECK(one.consume(name, "c") == "ok");
    one.messaging().cancel(one.caller, 1, "c", ignore);
    world.settle();
    CHECK(one.get(name) == "404");
  }
}

TEST_CASE("a session that is full gets no more until it is ready") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  const std::string body(10'000, 'x');
  for (const std::string queue : {"a", "b"}) {
    TestSession one(world, 0);
    CHECK(one.consume(queue, "c", 0, true) == "ok");
    one.events.when_delivered = [&] { one.messaging().set_ready(one.caller, false); };
    for (int i = 0; i < 100; ++i) one.publish("", queue, body);
    world.settle();
    // From another shard what is in the window comes all the same.
    const auto first = one.events.got.size();
    CHECK(first < 40);
    one.events.when_delivered = nullptr;
    one.messaging().set_ready(one.caller, true);
    world.settle();
    CHECK(one.events.got.size() == 100);
    one.disconnect();
  }
}

TEST_CASE("a limit for the whole channel is shared by its consumers") {
  World world(2);
  make_queue(world, "a");
  make_queue(world, "b");
  for (const std::string queue : {"a", "b"}) {
    TestSession one(world, 0);
    one.messaging().set_channel_prefetch(one.caller, 1, 3);
    CHECK(one.consume(queue, "c") == "ok");
    CHECK(one.consume(queue, "d") == "ok");
    for (int i = 0; i < 10; ++i) one.publish("", queue, "m");
    world.settle();
    CHECK(one.events.got.size() == 3);
    one.settle(one.events.got[0]);
    one.settle(one.events.got[1], broker::Settlement::requeued);
    CHECK(one.events.got.size() == 5);
    one.messaging().set_channel_prefetch(one.caller, 1, 0);
    world.settle();
    CHECK(one.events.got.size() == 11);
    one.disconnect();
  }
}

TEST_CASE("publishers pause while the queues of a shard are behind") {
  World world(2, {}, 1, true);
  make_queue(world, "a");
  make_queue(world, "b");
  TestSession one(world, 0), idle(world, 0);
  one.publish("", "a", "m");
  one.publish("", "b", "m");
  for (auto* queues : world.queues) {
    queues->room = false;
    world.settle();
    CHECK(one.events.take() == "stop");
    queues->room = true;
    world.settle();
    CHECK(one.events.take() == "go");
    one.publish("", "a", "m");
    one.publish("", "b", "m");
  }
  CHECK(idle.events.take().empty());
}

TEST_CASE("direct replies find the requester, once, and nobody else") {
  World world(2);
  TestSession requester(world, 0), near(world, 0), far(world, 1);
  const auto key = requester.messaging().open_reply_to(requester.caller, 1, "r");
  CHECK(near.publish("", key, "one", 1) == "ok");
  CHECK(far.publish("", key, "two", 1) == "ok");
  auto wrong = key;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  CHECK(far.publish("", wrong, "three", 2) == "ok");
  world.settle();
  CHECK(near.events.take() == "ack1:1");
  CHECK(far.events.take() == "ack1:1, ack1:2");
  CHECK(requester.events.got.size() == 2);
  const auto declare = [&](const std::string& name) {
    broker::QueueSpec spec;
    spec.name = name;
    spec.passive = true;
    return far.ask<broker::QueueStatus>(
        [&](auto answer) { far.messaging().declare_queue(far.caller, spec, std::move(answer)); });
  };
  CHECK(declare(key) == "ok");
  CHECK(declare(wrong) == "404");
  requester.messaging().cancel(requester.caller, 1, "r", ignore);
  CHECK(declare(key) == "404");
  far.publish("", key, "late");
  world.settle();
  CHECK(requester.events.got.size() == 2);
}
