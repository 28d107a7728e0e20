// SPDX-License-Identifier: Apache-2.0
// Work queues over a real journal: publish, deliver, settle, get, purge, confirm, restart.
#include <catch2/catch.hpp>

#include "support/work_world.h"

using namespace sluice;
using namespace sluice::queue;
using test::WorkWorld;

TEST_CASE("work queues deliver in order and forget what is settled") {
  WorkWorld world;
  for (const auto* body : {"a", "b", "c"}) world.publish(1, body);
  REQUIRE(world.consume(1, 7));
  world.turn();
  CHECK(world.bodies() == "a b c");
  CHECK(world.stats().unacked == 3);
  world.settle(1, 7, {0, 2});
  world.turn();
  CHECK(world.stats().unacked == 1);
  CHECK(world.stats().ready == 0);
  world.queues->remove_consumer(ConsumerId{7}, true);
  CHECK(world.stats().ready == 1);
  const auto got = world.get(1);
  REQUIRE(got);
  CHECK(got->body == "b");
  CHECK(got->redelivered);
  CHECK(!world.get(1));
}

TEST_CASE("confirms come when the journal is synced") {
  WorkWorld world;
  world.shard.background.queued = true;
  world.publish(1, "a", 1);
  world.queues->end_turn();
  CHECK(world.confirms.empty());
  auto transient = world.meta();
  transient.persistent = false;
  world.publish({1}, "b", transient, 2);
  world.publish({42}, "nowhere", world.meta(), 3);
  world.queues->end_turn();
  CHECK(world.confirms == std::map<std::uint64_t, bool>{{2, true}, {3, true}});
  world.turn();
  CHECK(world.confirms == std::map<std::uint64_t, bool>{{1, true}, {2, true}, {3, true}});
}

TEST_CASE("what was confirmed and not settled is there after a restart") {
  const bool clean = GENERATE(false, true);
  WorkWorld world;
  for (const auto* body : {"a", "b", "c", "d"}) world.publish(1, body);
  auto transient = world.meta();
  transient.persistent = false;
  world.publish({1}, "gone", transient);
  REQUIRE(world.consume(1, 7, {.prefetch = 2}));
  world.turn();
  world.settle(1, 7, {0});
  world.turn();
  CHECK(world.bodies() == "a b c");
  world.restart(clean);
  CHECK(world.stats().ready == 3);
  CHECK(world.stats().next_offset == base::Offset{5});
  REQUIRE(world.consume(1, 8));
  world.turn();
  CHECK(world.bodies() == "b c d");
  CHECK(world.deliveries[0].redelivered);
  CHECK(world.deliveries[1].redelivered);
  CHECK(!world.deliveries[2].redelivered);
  world.settle(1, 8, {1, 2, 3});
  world.turn();
  CHECK(world.stats().ready_bytes + world.stats().unacked_bytes == 0);
  world.restart(clean);
  CHECK(world.stats().ready == 0);
  CHECK(world.stats().ready_bytes == 0);
}

TEST_CASE("purge drops what is ready and keeps what is out") {
  WorkWorld world;
  for (const auto* body : {"a", "b", "c", "d"}) world.publish(1, body);
  REQUIRE(world.consume(1, 7, {.prefetch = 1}));
  world.turn();
  CHECK(world.queues->purge(base::QueueId{1}) == 3);
  world.publish(1, "e");
  world.turn();
  world.restart();
  CHECK(world.stats().ready == 2);
  CHECK(world.get(1)->body == "a");
  CHECK(world.get(1)->body == "e");
}
