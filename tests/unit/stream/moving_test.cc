// SPDX-License-Identifier: Apache-2.0
// A connection goes on on the shard that owns the stream of its first publisher.
#include "harness.h"

using namespace sluice;
using namespace sluice::streamproto;
using namespace sluice::streamproto::test;

namespace {

// A second shard beside a peer's own.
struct Elsewhere {
  explicit Elsewhere(Peer& peer) : peer_(peer) {
    broker.streams = peer.broker.streams;
    peer.node.contexts = {&peer.context, &context};
    peer.broker.owner = base::ShardId{1};
    broker.owner = base::ShardId{1};
  }
  // What the runtime does after a move_to.
  void arrive() {
    transport.outbox().write(ByteView(peer_.output));
    peer_.session->on_moved(base::ShardId{1}, transport);
  }

  Peer& peer_;
  sluice::test::TestShard machine;
  base::Shard shard{
      base::ShardId{1}, 2, machine.clock, machine.random, machine.disk, machine.background, machine.mail,
      machine.logger};
  sluice::test::FakeBroker broker;
  stream::Metrics metrics;
  stream::Context context{shard, broker, peer_.node, metrics};
  sluice::test::FakeTransport transport;
};

}  // namespace

TEST_CASE("the first publisher moves its connection to the stream's shard") {
  Peer peer;
  Elsewhere elsewhere(peer);
  peer.open();
  base::ByteBuffer bytes;
  encode(Metadata{{"s"}}, 1, bytes);
  encode(DeclarePublisher{0, "", "s"}, 2, bytes);
  encode(StoreOffset{"app", "s", 5}, 0, bytes);
  peer.feed(bytes);
  REQUIRE(peer.transport.moved_to == base::ShardId{1});
  CHECK_FALSE(peer.session->reading());
  CHECK(peer.closing() == Closing::no);
  CHECK(peer.broker.client == nullptr);
  CHECK(peer.metrics.connections.get() == 0);
  peer.expect<MetadataResponse>();
  CHECK(peer.quiet());

  elsewhere.arrive();
  CHECK(peer.session->reading());
  REQUIRE(elsewhere.broker.client != nullptr);
  CHECK(elsewhere.metrics.connections.get() == 1);
  CHECK(peer.node.open_connections.load() == 1);
  peer.offer();
  CHECK(peer.input.empty());
  CHECK(elsewhere.broker.publishers.size() == 1);
  CHECK(elsewhere.broker.offsets.at("app") == 5);
  CHECK(peer.quiet());
  CHECK(elsewhere.transport.outbox().pending_bytes() == 14);

  peer.publish(0, {1, 2});
  CHECK(elsewhere.broker.published.size() == 2);
  CHECK(peer.broker.published.empty());
  CHECK(elsewhere.broker.client->describe().user == "guest");
  peer.session->on_closed();
  CHECK(elsewhere.broker.client == nullptr);
  CHECK(peer.node.open_connections.load() == 0);
  peer.session.reset();
  CHECK(elsewhere.metrics.connections.get() == 0);
  CHECK(elsewhere.metrics.connections_closed.get() == 1);
  CHECK(peer.metrics.connections_closed.get() == 0);
}

TEST_CASE("a connection stays where it is when moving is not possible or of no use") {
  Peer peer;
  Elsewhere elsewhere(peer);
  peer.open();
  const auto declare = [&](std::uint8_t id, std::string_view stream) {
    return peer.ask<DeclarePublisherResponse>(DeclarePublisher{id, "", stream});
  };
  CHECK(declare(0, "nope") == ResponseCode::stream_does_not_exist);
  peer.broker.owner = base::ShardId{0};
  CHECK(declare(0, "s") == ResponseCode::ok);
  peer.broker.owner = base::ShardId{1};
  CHECK(declare(1, "s") == ResponseCode::ok);  // has a publisher already
  CHECK(peer.ask<DeletePublisherResponse>(DeletePublisher{0}) == ResponseCode::ok);
  CHECK(peer.ask<DeletePublisherResponse>(DeletePublisher{1}) == ResponseCode::ok);
  peer.transport.movable = false;
  CHECK(declare(0, "s") == ResponseCode::ok);
  CHECK(peer.ask<DeletePublisherResponse>(DeletePublisher{0}) == ResponseCode::ok);
  peer.transport.movable = true;
  CHECK(peer.ask<SubscribeResponse>(Subscribe{0, "s", OffsetSpec::first(), 1, {}}) == ResponseCode::ok);
  CHECK(declare(0, "s") == ResponseCode::ok);  // has a subscription
  CHECK_FALSE(peer.transport.moved_to.has_value());
}

TEST_CASE("a connection that ends on its way leaves nothing behind") {
  Peer peer;
  Elsewhere elsewhere(peer);
  peer.open();
  peer.send(DeclarePublisher{0, "", "s"}, 2);
  REQUIRE(peer.transport.moved_to.has_value());
  peer.session->on_closed();
  peer.session.reset();
  CHECK(peer.node.open_connections.load() == 0);
  CHECK(peer.metrics.connections.get() == 0);
}
