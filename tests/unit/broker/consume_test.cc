// SPDX-License-Identifier: Apache-2.0
// Groups of single active consumers, filters, offsets, statistics, listings, alarms and back-pressure through
// the broker's own interface.
#include "world.h"

using namespace sluice;
using namespace sluice::test;
using Kind = broker::OffsetSpec::Kind;

namespace {

broker::SubscribeRequest single_active(std::string_view stream, std::string_view super_stream = {}) {
  auto request = World::request(stream, Kind::first);
  request.name = "group";
  request.single_active = true;
  request.super_stream = super_stream;
  return request;
}

}  // namespace

TEST_CASE("consume: single active consumers on several shards") {
  World world(2);
  REQUIRE(world.create(0, "a") == "ok");
  FakeClient first, second;
  first.name = "one";
  const auto f = world.at(0).add_client(first);
  const auto s = world.at(1).add_client(second);
  REQUIRE(world.at(0).add_publisher(f, 9, "/", "a", ""));
  world.publish(0, f, 9, 1, {"m0"});
  world.settle();
  world.publish(0, f, 9, 2, {"m1"});
  world.settle();

  auto nameless = single_active("a");
  nameless.name.clear();
  CHECK(world.subscribe(0, f, 1, nameless).error().code == base::Errc::precondition_failed);
  bool answered = false;
  broker::Consumer* one = nullptr;
  auto request = single_active("a");
  request.subscription_id = 77;
  world.at(0).add_consumer(f, 1, request, [&](auto consumer) {
    REQUIRE(consumer);
    one = *consumer;
    answered = first.events.empty();  // the answer goes before the update
  });
  world.settle();
  CHECK(answered);
  const auto two = world.subscribe(1, s, 1, single_active("a"));
  REQUIRE(two);
  CHECK(first.take() == "update 1 active");
  CHECK(second.take().empty());

  FakeSink sink;
  CHECK(one->deliver(5, sink) == 0);  // nothing before the client has answered
  world.at(0).consumer_updated(f, 1, broker::OffsetSpec{Kind::offset, 1, 0});
  world.settle();
  CHECK(first.take() == "readable 1");
  CHECK(one->deliver(5, sink) == 1);
  CHECK(sink.bodies.back() == "m1");
  CHECK((*two)->deliver(5, sink) == 0);

  const auto members = world.ask<std::vector<broker::GroupMemberRow>>(
      [&](auto done) { world.at(1).list_group_members("/", "a", "group", std::move(done)); });
  REQUIRE(members);
  REQUIRE(members->size() == 2);
  CHECK(members->at(0).state == "active");
  CHECK(members->at(0).subscription_id == 77);
  CHECK(members->at(0).connection_name == "one");
  CHECK(members->at(1).state == "waiting");
  const auto groups =
      world.ask<std::vector<broker::GroupRow>>([&](auto done) { world.at(1).list_groups(std::move(done)); });
  REQUIRE(groups->size() == 1);
  CHECK(groups->at(0).consumers == 2);
  CHECK(groups->at(0).partition_index == -1);

  world.at(0).remove_client(f);  // vanishes
  world.settle();
  CHECK(second.take() == "update 1 active");
  world.at(1).consumer_updated(s, 1, std::nullopt);
  world.settle();
  CHECK(second.take() == "readable 1");
  FakeSink all;
  CHECK((*two)->deliver(5, all) == 2);  // from where the subscription said
  world.at(1).remove_consumer(s, 1);
  world.settle();
  CHECK(
      world.ask<std::vector<broker::GroupRow>>([&](auto done) { world.at(0).list_groups(std::move(done)); })
          ->empty());
}

TEST_CASE("consume: single active consumers of a superstream rebalance") {
  World world(2);
  REQUIRE(world.create_super(0, "s", {"s-0", "s-1"}, {"0", "1"}) == "ok");
  FakeClient a, b;
  const auto ia = world.at(0).add_client(a);
  const auto ib = world.at(1).add_client(b);
  for (Token p = 0; p < 2; ++p) {
    REQUIRE(world.subscribe(0, ia, p, single_active("s-" + std::to_string(p), "s")));
    world.at(0).consumer_updated(ia, p, std::nullopt);
  }
  world.settle();
  a.take();
  for (Token p = 0; p < 2; ++p)
    REQUIRE(world.subscribe(1, ib, p, single_active("s-" + std::to_string(p), "s")));
  CHECK(a.take() == "update 1 inactive");
  CHECK(b.take().empty());
  world.at(0).consumer_updated(ia, 1, std::nullopt);  // has stepped down
  world.settle();
  CHECK(b.take() == "update 1 active");
  CHECK(world.subscribe(1, ib, 9, single_active("s-1")).error().code == base::Errc::precondition_failed);
  world.at(1).remove_client(ib);
  world.settle();
  CHECK(a.take() == "update 1 active");
}

TEST_CASE("consume: filters, refused expressions, unsubscribing before the answer") {
  World world(2);
  REQUIRE(world.create(0, "a") == "ok");
  FakeClient client;
  const auto id = world.at(0).add_client(client);
  REQUIRE(world.at(0).add_publisher(id, 1, "/", "a", ""));
  world.publish(0, id, 1, 1, {"seoul"}, "KR");
  world.settle();
  world.publish(0, id, 1, 2, {"paris"}, "FR");
  world.settle();
  world.publish(0, id, 1, 3, {"busan"}, "KR");
  world.settle();

  auto request = World::request("a", Kind::first);
  request.properties = {{"filter.0", "KR"}, {"filter-mode", "exact"}};
  const auto consumer = world.subscribe(0, id, 2, request);
  REQUIRE(consumer);
  FakeSink sink;
  CHECK((*consumer)->deliver(10, sink) == 2);
  CHECK(sink.bodies == std::vector<std::string>{"seoul", "busan"});
  CHECK((*consumer)->progress().chunks_skipped == 1);
  CHECK(world
            .ask<std::uint64_t>([&](auto done) {
              auto from_one = request;
              from_one.offset = {Kind::offset, 1, 0};
              world.at(1).resolve_offset(guest, from_one, std::move(done));
            })
            .value() == 2);

  request.properties = {{"filter-expr", "country ="}};
  CHECK(world.subscribe(0, id, 3, request).error().code == base::Errc::precondition_failed);
  CHECK(world.ports.logger.has("filter refused"));
  request.properties = {{"filter-mode", "sometimes"}};
  CHECK(world.subscribe(0, id, 4, request).error().code == base::Errc::precondition_failed);

  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    FakeClient other;
    const auto o = world.at(shard).add_client(other);
    bool answered = false;
    world.at(shard).add_consumer(o, 5, World::request("a", Kind::first), [&](auto) { answered = true; });
    world.at(shard).remove_consumer(o, 5);
    world.settle();
    CHECK(answered);
    world.at(shard).add_consumer(o, 6, World::request("a", Kind::first), [](auto) {});
    world.at(shard).remove_client(o);
    world.settle();
  }
  const auto rows = world.ask<std::vector<broker::StreamRow>>(
      [&](auto done) { world.at(1).list_streams(std::move(done)); });
  REQUIRE(rows->size() == 1);
  CHECK(rows->at(0).consumers == 1);
  CHECK(rows->at(0).publishers == 1);
  CHECK(rows->at(0).messages == 3);
  CHECK(rows->at(0).state == "running");
}

TEST_CASE("consume: offsets and statistics") {
  World world(2);
  REQUIRE(world.create(0, "a") == "ok");
  const auto query = [&](std::string_view reference) {
    return world.ask<std::uint64_t>(
        [&](auto done) { world.at(1).query_offset("/", "a", reference, std::move(done)); });
  };
  const auto stats = [&] {
    return *world.ask<broker::StreamStats>(
        [&](auto done) { world.at(1).stream_stats(guest, "/", "a", std::move(done)); });
  };
  CHECK(query("r").error().code == base::Errc::no_offset);
  CHECK(stats().first_chunk_id == -1);
  CHECK(stats().committed_offset == -1);
  world.at(1).store_offset("/", "a", "r", 7);
  CHECK(query("r").value() == 7);
  world.at(1).store_offset("/", "a", "r", 3);  // lower is accepted
  CHECK(query("r").value() == 3);
  const auto reset = [&](std::string_view reference) {
    return World::word(
        world.ask([&](auto done) { world.at(0).reset_offset("/", "a", reference, std::move(done)); }));
  };
  CHECK(reset("r") == "ok");
  CHECK(query("r").value() == 0);
  CHECK(reset("unknown") == "no offset");

  FakeClient client;
  const auto id = world.at(0).add_client(client);
  REQUIRE(world.at(0).add_publisher(id, 1, "/", "a", "writer"));
  world.publish(0, id, 1, 5, {"x", "y", "z"});
  world.settle();
  world.publish(0, id, 1, 8, {"x"});
  world.settle();
  CHECK(stats().first_chunk_id == 0);
  CHECK(stats().last_chunk_id == 3);
  CHECK(stats().committed_chunk_id == 3);
  CHECK(stats().committed_offset == 3);
  const auto rows = world.ask<std::vector<broker::TrackingRow>>(
      [&](auto done) { world.at(1).list_tracking("/", "a", std::move(done)); });
  REQUIRE(rows->size() == 2);
  CHECK(rows->at(0).type == "offset");
  CHECK(rows->at(1).type == "writer");
  CHECK(rows->at(1).tracking_value == 8);

  REQUIRE(world.remove(0, "a") == "ok");
  REQUIRE(world.create(0, "a") == "ok");
  CHECK(query("r").error().code == base::Errc::no_offset);  // went with the stream
  CHECK(world
            .ask<std::vector<broker::ConnectionRow>>(
                [&](auto done) { world.at(1).list_connections(std::move(done)); })
            ->size() == 1);
  CHECK(world
            .ask<std::vector<broker::PublisherRow>>(
                [&](auto done) { world.at(1).list_publishers(std::move(done)); })
            ->size() == 1);
  CHECK(world
            .ask<std::vector<broker::ConsumerRow>>(
                [&](auto done) { world.at(1).list_consumers(std::move(done)); })
            ->size() == 1);
}

TEST_CASE("flow: the disk alarm stops publishers on all shards and lets them go on") {
  broker::BrokerOptions options;
  options.disk_free_limit = {1'000'000};
  World world(2, options);
  world.ports.disk.set_capacity(100'000'000);
  REQUIRE(world.create(0, "a") == "ok");
  FakeClient publisher, reader;
  const auto p = world.at(1).add_client(publisher);
  world.at(1).add_client(reader);
  REQUIRE(world.at(1).add_publisher(p, 1, "/", "a", ""));
  world.tick();
  CHECK(publisher.take().empty());
  world.ports.disk.set_capacity(1000);
  world.tick(10'000);
  CHECK(publisher.take() == "stop");
  CHECK(reader.take().empty());
  CHECK(world.at(1).disk_alarm());
  CHECK_FALSE(world.at(1).may_publish(p));
  world.ports.disk.set_capacity(100'000'000);
  world.tick(100);
  CHECK(publisher.take() == "go");
  CHECK_FALSE(world.at(0).disk_alarm());
}

TEST_CASE("flow: publishers stop while their log cannot keep up") {
  broker::BrokerOptions options;
  options.pending_bytes_max = {1 << 16};
  options.durability = log::Durability::synced;
  World world(2, options);
  REQUIRE(world.create(0, "a") == "ok");
  REQUIRE(world.create(0, "b") == "ok");
  for (const auto* stream : {"a", "b"}) {
    FakeClient client;
    const auto id = world.at(0).add_client(client);
    REQUIRE(world.at(0).add_publisher(id, 1, "/", stream, ""));
    world.settle();
    for (std::uint64_t i = 0; i < 8; ++i) world.publish(0, id, 1, i, {std::string(20'000, 'x')});
    for (int i = 0; i < 3; ++i) {  // turns without any background work: no sync ends
      world.mail.run_all();
      for (std::uint32_t shard = 0; shard < 2; ++shard) world.at(shard).on_turn_end();
    }
    CHECK(client.take() == "stop");
    CHECK(client.confirmed.empty());
    world.settle();
    CHECK(client.take() == "go");
    CHECK(client.confirmed[1].size() == 8);
    world.at(0).remove_client(id);
  }
}

TEST_CASE("flow: mailed frames towards a shard that does not take them") {
  World world(2);
  REQUIRE(world.create(0, "a") == "ok");
  const auto owner = world.set().owner_of(base::LogId{1}).value;
  const auto other = 1 - owner;
  FakeClient client;
  const auto id = world.at(other).add_client(client);
  REQUIRE(world.at(other).add_publisher(id, 1, "/", "a", ""));
  for (std::uint64_t i = 0; i < 40; ++i) world.publish(other, id, 1, i, {std::string(1 << 20, 'x')});
  world.at(other).on_turn_end();
  CHECK(client.take() == "stop");
  world.settle();
  CHECK(client.take() == "go");
  CHECK(client.confirmed[1].size() == 40);
}

TEST_CASE("failure: a log that cannot write takes its stream offline and says so everywhere") {
  World world(2);
  REQUIRE(world.create(0, "a") == "ok");
  REQUIRE(world.create(0, "b") == "ok");
  FakeClient here, there;
  const auto h = world.at(0).add_client(here);
  const auto t = world.at(1).add_client(there);
  REQUIRE(world.at(0).add_publisher(h, 1, "/", "a", ""));
  REQUIRE(world.at(1).add_publisher(t, 1, "/", "a", ""));
  REQUIRE(world.subscribe(1, t, 2, World::request("a", Kind::first)));
  world.ports.disk.fail_write(1);
  world.publish(0, h, 1, 1, {"x"});
  world.settle();
  CHECK(here.take() == "refused 1 1 stream not available, lost / a");
  CHECK(there.take() == "lost / a");
  CHECK(world.at(1).locate(guest, "/", "a").error == base::Errc::stream_unavailable);
  CHECK_FALSE(world.at(1).locate(guest, "/", "b").error);
  CHECK(world.at(1).add_publisher(t, 5, "/", "a", "").error().code == base::Errc::stream_unavailable);
  CHECK(world.subscribe(0, h, 6, World::request("a", Kind::first)).error().code ==
        base::Errc::stream_unavailable);
  const auto rows = world.ask<std::vector<broker::StreamRow>>(
      [&](auto done) { world.at(1).list_streams(std::move(done)); });
  for (const auto& row : *rows) CHECK(row.state.starts_with(row.name == "a" ? "down: " : "running"));
  CHECK(world.remove(1, "a") == "ok");
  CHECK(world.create(1, "a") == "ok");
  CHECK_FALSE(world.at(0).locate(guest, "/", "a").error);
}
