// SPDX-License-Identifier: Apache-2.0
// The first message that a connection publishes or asks for takes it to the shard of its queue.
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

namespace {

// A connection on shard 0 of two, with a channel and a queue of shard 1 that both shards know.
struct Traveller : Peer {
  Traveller() {
    node.contexts = {&context, &other_context};
    other.add_queue("q");
    messaging.home = base::ShardId{1};
    ready();
    declare("q");
  }
  ~Traveller() { session.reset(); }  // before the shard it may be on
  void arrive() {
    REQUIRE(transport.moved_to == base::ShardId{1});
    session->on_moved(base::ShardId{1}, transport);
    offer();
  }
  bool asked_for_home() const {
    return std::ranges::any_of(messaging.calls, [](const auto& call) { return call.starts_with("home of"); });
  }

  sluice::test::FakeBroker other_broker;
  sluice::test::FakeMessaging other;
  Metrics other_metrics;
  Context other_context{shard.shard, other_broker, other, node, other_metrics};
};

}  // namespace

TEST_CASE("the first message goes with the connection to the shard of its queue") {
  Traveller peer;
  peer.publish(1, "q", "first");
  CHECK(peer.messaging.queues["q"].ready.empty());
  CHECK_FALSE(peer.session->reading());
  CHECK(peer.metrics.connections.get() == 0);
  CHECK(peer.metrics.channels.get() == 0);
  peer.arrive();
  CHECK(peer.session->reading());
  CHECK(peer.other.queues["q"].ready.size() == 1);
  CHECK(peer.other_metrics.connections.get() == 1);
  CHECK(peer.other_metrics.channels.get() == 1);
  CHECK(peer.other.calls.empty());  // it stays there whatever it does
}

TEST_CASE("a consumer goes to its queue, and is answered there") {
  Traveller peer;
  BasicConsume method;
  method.consumer_tag = "t";
  peer.send(1, method);  // the queue declared last
  CHECK(peer.messaging.consumers.empty());
  peer.arrive();
  CHECK(peer.expect<BasicConsumeOk>()->consumer_tag == "t");
  CHECK(peer.other.consumers.size() == 1);
  peer.publish(1, "q", "m");
  peer.other.turn();
  peer.delivered("m");
}

TEST_CASE("a connection moves once, and not with anything outstanding") {
  Traveller peer;
  SECTION("a transaction is open") {
    peer.send(1, TxSelect{});
    peer.expect<TxSelectOk>();
    peer.publish(1, "q", "m");
    CHECK_FALSE(peer.asked_for_home());
  }
  SECTION("its first use is of queues of this shard") {
    peer.messaging.home.reset();
    peer.publish(1, "q", "m");
    peer.messaging.home = base::ShardId{1};
    peer.publish(1, "q", "m");
    CHECK(peer.messaging.queues["q"].ready.size() == 2);
  }
  SECTION("the transport cannot") {
    peer.transport.movable = false;
    peer.publish(1, "q", "m");
    CHECK(peer.messaging.queues["q"].ready.size() == 1);
  }
  CHECK_FALSE(peer.transport.moved_to);
  CHECK(peer.session->reading());
}

TEST_CASE("a connection that ends on its way is counted as ended") {
  Traveller peer;
  CHECK(peer.node.open_connections == 1);
  peer.publish(1, "q", "first");
  peer.session.reset();
  CHECK(peer.node.open_connections == 0);
  CHECK(peer.node.open_channels == 0);
}
