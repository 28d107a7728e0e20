// SPDX-License-Identifier: Apache-2.0
// The broker of one and of several shards: management, publishing, consuming, deletion, restart.
#include "world.h"

using namespace sluice;
using namespace sluice::test;
using Kind = broker::OffsetSpec::Kind;

TEST_CASE("broker: create, exists, delete, in the documented order of errors") {
  World world(2);
  CHECK(world.create(1, "a") == "ok");
  CHECK(world.at(0).stream_exists("/", "a"));
  CHECK(world.create(0, "a") == "stream exists");
  CHECK(world.create(0, "a", {{"max-length-bytes", "5"}}) == "precondition failed");
  CHECK(world.create(0, "amq.a") == "precondition failed");
  CHECK(world.create(0, "b", {{"max-age", "x"}}) == "precondition failed");
  const broker::Identity nobody{"nobody", {}};
  const auto refused = [&](std::string_view name, broker::StreamArguments arguments) {
    return World::word(world.ask(
        [&](auto done) { world.at(1).create_stream(nobody, "/", name, arguments, std::move(done)); }));
  };
  CHECK(refused("amq.a", {}) == "precondition failed");  // the name comes first
  CHECK(refused("b", {{"max-age", "x"}}) == "access refused");
  CHECK(world.at(0).locate(nobody, "/", "a").error == base::Errc::access_refused);
  CHECK(world.at(0).locate(guest, "/", "b").error == base::Errc::stream_not_found);
  CHECK_FALSE(world.at(1).locate(guest, "/", "a").error);
  CHECK(world.remove(0, "a") == "ok");
  CHECK(world.remove(1, "a") == "stream not found");
  CHECK(world.set().metrics(base::ShardId{0}).queues.get() == 0);
  CHECK(world.set().metrics(base::ShardId{0}).queues_created.get() == 1);
}

TEST_CASE("broker: superstreams over shards") {
  World world(3);
  CHECK(world.create_super(2, "s", {"s-0", "s-1", "s-2", "s-3"}, {"a", "b", "c", "d"}) == "ok");
  CHECK(world.create_super(1, "s", {"x"}, {"a"}) == "stream exists");
  CHECK(world.create_super(1, "t", {"x", "amq.y"}, {"a", "b"}) == "precondition failed");
  CHECK(world.create_super(1, "t", {"x", "y"}, {"a"}) == "precondition failed");
  CHECK(world.create_super(1, "t", std::vector<std::string>(1001, "x"),
                           std::vector<std::string>(1001, "x")) == "precondition failed");
  CHECK(world.at(1).partitions(guest, "/", "s")->size() == 4);
  CHECK(*world.at(0).route(guest, "/", "s", "c") == std::vector<std::string>{"s-2"});
  CHECK(world.at(0).route(guest, "/", "t", "c").error().code == base::Errc::superstream_not_found);
  const auto removed =
      world.ask([&](auto done) { world.at(0).delete_super_stream(guest, "/", "s", std::move(done)); });
  CHECK(removed);
  CHECK_FALSE(world.at(2).stream_exists("/", "s-3"));
}

TEST_CASE("broker: publish on one shard, log on another, consume on a third") {
  World world(3);
  for (const auto* name : {"a", "b", "c"}) REQUIRE(world.create(0, name) == "ok");
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    const auto stream = std::string(1, static_cast<char>('a' + shard));
    FakeClient publisher, reader;
    const auto p = world.at(0).add_client(publisher);
    const auto r = world.at(2).add_client(reader);
    REQUIRE(world.at(0).add_publisher(p, 1, "/", stream, ""));
    world.publish(0, p, 1, 10, {"one", "two"});
    CHECK(publisher.confirmed.empty());  // never from inside the call
    world.settle();
    CHECK(publisher.confirmed[1] == std::vector<std::uint64_t>{10, 11});

    const auto consumer = world.subscribe(2, r, 5, World::request(stream, Kind::first));
    REQUIRE(consumer);
    FakeSink sink;
    CHECK((*consumer)->deliver(10, sink) == 1);
    CHECK(sink.bodies == std::vector<std::string>{"one", "two"});
    CHECK((*consumer)->offset_lag() == 0);
    CHECK(reader.take().empty());
    world.publish(0, p, 1, 12, {"three"});
    world.settle();
    CHECK(reader.take() == "readable 5");
    world.publish(0, p, 1, 13, {"four"});
    world.settle();
    CHECK(reader.take().empty());  // told once until it looks
    CHECK((*consumer)->deliver(1, sink) == 1);
    CHECK((*consumer)->deliver(5, sink) == 1);
    CHECK(sink.bodies.back() == "four");
    CHECK((*consumer)->committed_chunk_id() == 3);
    CHECK((*consumer)->progress().messages_delivered == 4);

    world.at(0).remove_publisher(p, 1);
    world.publish(0, p, 1, 14, {"late"});
    world.at(0).remove_client(p);
    world.at(2).remove_client(r);
    world.settle();
  }
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(world.set().metrics(base::ShardId{i}).publishers.get() == 0);
    CHECK(world.set().metrics(base::ShardId{i}).consumers.get() == 0);
  }
}

TEST_CASE("broker: confirms never reach a client or publisher that is gone") {
  World world(2);
  REQUIRE(world.create(0, "a") == "ok");
  REQUIRE(world.create(0, "b") == "ok");
  for (const auto* stream : {"a", "b"}) {
    FakeClient stays;
    auto leaves = std::make_unique<FakeClient>();
    const auto s = world.at(1).add_client(stays);
    const auto l = world.at(1).add_client(*leaves);
    REQUIRE(world.at(1).add_publisher(s, 1, "/", stream, ""));
    REQUIRE(world.at(1).add_publisher(l, 1, "/", stream, ""));
    world.publish(1, l, 1, 1, {"x"});
    world.publish(1, s, 1, 2, {"y"});
    world.at(1).remove_client(l);
    leaves.reset();
    world.at(1).remove_publisher(s, 1);
    REQUIRE(world.at(1).add_publisher(s, 2, "/", stream, ""));
    world.publish(1, s, 2, 3, {"z"});
    world.settle();
    CHECK(stays.confirmed == std::map<Token, std::vector<std::uint64_t>>{{2, {3}}});
    world.at(1).remove_client(s);
  }
}

TEST_CASE("broker: deleting a stream while clients of all shards use it") {
  World world(3);
  REQUIRE(world.create(0, "a") == "ok");
  REQUIRE(world.create(0, "other") == "ok");
  std::vector<FakeClient> clients(3);
  std::vector<ClientId> ids;
  for (std::uint32_t i = 0; i < 3; ++i) {
    ids.push_back(world.at(i).add_client(clients[i]));
    REQUIRE(world.at(i).add_publisher(ids[i], 1, "/", "a", ""));
    REQUIRE(world.at(i).add_publisher(ids[i], 2, "/", "other", ""));
    REQUIRE(world.subscribe(i, ids[i], 3, World::request("a", Kind::next)));
  }
  for (std::uint32_t deleter = 0; deleter < 3; ++deleter) {
    INFO("deleted from shard " << deleter);
    world.at(deleter).delete_stream(guest, "/", "a", [&](base::Result<> result) {
      CHECK(result);
      clients[deleter].events.push_back("deleted");
    });
    for (std::uint32_t i = 0; i < 3; ++i)
      world.publish(i, ids[i], 1, 1, {"x"});  // answered, or lost with the stream
    for (std::uint32_t i = 0; i < 3; ++i) world.publish(i, ids[i], 2, 7, {"y"});
    world.settle();
    for (std::uint32_t i = 0; i < 3; ++i) {
      INFO("client of shard " << i);
      auto events = clients[i].take();
      if (i == deleter) {
        const auto answer = events.find("deleted"), news = events.find("lost / a");
        CHECK(answer != std::string::npos);
        CHECK((news != std::string::npos && answer < news));
      } else {
        CHECK(events.ends_with("lost / a"));
      }
      CHECK(clients[i].confirmed[2].back() == 7);
      // The tokens are gone, the stream is not there.
      CHECK(world.at(i).add_publisher(ids[i], 10 + deleter, "/", "a", "").error().code ==
            base::Errc::stream_not_found);
    }
    REQUIRE(world.create(deleter, "a") == "ok");
    for (std::uint32_t i = 0; i < 3; ++i) {
      REQUIRE(world.at(i).add_publisher(ids[i], 1, "/", "a", ""));
      REQUIRE(world.subscribe(i, ids[i], 3, World::request("a", Kind::next)));
    }
  }
  CHECK(world.ports.disk.list("/data/streams")->size() == 2);  // files of the deleted ones are gone
}

TEST_CASE("broker: restart keeps streams, messages, sequences, offsets and users") {
  World world(2);
  REQUIRE(world.create(0, "a", {{"max-age", "7D"}}) == "ok");
  REQUIRE(world.create_super(0, "s", {"s-0", "s-1"}, {"0", "1"}) == "ok");
  REQUIRE(world.remove(0, "s-0") == "ok");
  {
    FakeClient client;
    const auto id = world.at(0).add_client(client);
    REQUIRE(world.at(0).add_publisher(id, 1, "/", "a", "ref"));
    world.publish(0, id, 1, 41, {"x", "y"});
    world.at(0).store_offset("/", "a", "reader", 1);
    world.at(1).store_offset("/", "s-1", "reader", 9);
    world.settle();
    world.at(0).store_offset("/", "a", "reader", 2);  // written by the stop itself
    CHECK(client.confirmed[1].size() == 2);
    world.at(0).remove_client(id);
  }
  world.restart();
  CHECK(world.create(1, "a", {{"max-age", "7D"}}) == "stream exists");
  CHECK(*world.at(1).partitions(guest, "/", "s") == std::vector<std::string>{"s-1"});
  CHECK(world.at(0).authenticate({.user = "guest", .password = "guest", .loopback = true}));
  CHECK(world.at(0).open_vhost(guest, "/"));
  const auto offset = [&](std::string_view stream) {
    return world.ask<std::uint64_t>(
        [&](auto done) { world.at(1).query_offset("/", stream, "reader", std::move(done)); });
  };
  CHECK(offset("a").value() == 2);
  CHECK(offset("s-1").value() == 9);
  CHECK(offset("none").error().code == base::Errc::stream_not_found);
  CHECK(world
            .ask<std::uint64_t>(
                [&](auto done) { world.at(1).publisher_sequence("/", "a", "ref", std::move(done)); })
            .value() == 42);

  FakeClient client;
  const auto id = world.at(1).add_client(client);
  REQUIRE(world.at(1).add_publisher(id, 1, "/", "a", "ref"));
  world.publish(1, id, 1, 42, {"y again", "z"});
  const auto consumer = world.subscribe(1, id, 2, World::request("a", Kind::first));
  REQUIRE(consumer);
  world.settle();
  CHECK(client.confirmed[1].size() == 2);
  FakeSink sink;
  (*consumer)->deliver(10, sink);
  CHECK(sink.bodies == std::vector<std::string>{"x", "y", "z"});
}

TEST_CASE("broker: files of a stream whose deletion a kill cut short go at the next start") {
  World world;
  REQUIRE(world.ports.disk.create_directories("/data/streams/77"));
  world.restart();
  CHECK_FALSE(world.ports.disk.exists("/data/streams/77"));
}

TEST_CASE("broker: a log that cannot be made takes its stream back") {
  World world(2);
  world.ports.disk.set_capacity(0);
  CHECK(world.create(1, "a") != "ok");
  CHECK(world.create_super(1, "s", {"s-0", "s-1"}, {"0", "1"}) != "ok");
  for (std::uint32_t i = 0; i < 2; ++i) {
    CHECK_FALSE(world.at(i).stream_exists("/", "a"));
    CHECK_FALSE(world.at(i).stream_exists("/", "s-1"));
  }
  world.ports.disk.set_capacity(1 << 30);
  CHECK(world.create(0, "a") == "ok");
  CHECK(world.create_super(1, "s", {"s-0", "s-1"}, {"0", "1"}) == "ok");
  world.tick();
  CHECK_FALSE(world.at(0).locate(guest, "/", "a").error);
}
