// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

TEST_CASE("hello: declare, publish, consume, ack") {
  Peer peer;
  peer.ready();
  peer.declare("hello");
  peer.publish(1, "hello", "Hello World!");
  CHECK(peer.consume("hello").starts_with("amq.ctag-"));
  peer.turn();
  CHECK(peer.delivered("Hello World!") == 1);
  peer.send(1, BasicAck{1, false});
  CHECK(peer.messaging.settlements ==
        std::vector<std::pair<std::uint64_t, broker::Settlement>>{{0, broker::Settlement::accepted}});
  peer.send(0, ConnectionClose{200, "bye", 0, 0});
  peer.expect<ConnectionCloseOk>();
  CHECK(peer.session->closing() == Closing::after_flush);
  CHECK(peer.broker.client == nullptr);
}

TEST_CASE("bytes may come one at a time") {
  Peer peer;
  peer.ready();
  peer.declare("q");
  base::ByteBuffer bytes;
  write_method(1, BasicPublish{0, "", "q", false, false}, bytes);
  write_content(1, Peer::no_properties, base::as_bytes("abcdef"), 10, bytes);
  for (const std::uint8_t byte : bytes) peer.feed(base::ByteView(&byte, 1));
  REQUIRE(peer.messaging.queues["q"].ready.size() == 1);
  CHECK(peer.messaging.queues["q"].ready.front().second.body == "abcdef");
}
