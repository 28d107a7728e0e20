// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

namespace {

void select(Peer& peer) {
  peer.send(1, TxSelect{});
  peer.expect<TxSelectOk>();
}

}  // namespace

TEST_CASE("confirm and tx exclude each other") {
  Peer peer;
  peer.ready();
  select(peer);
  select(peer);
  peer.send(1, ConfirmSelect{});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - cannot switch from tx to confirm mode");
  peer.open_channel();
  peer.send(1, ConfirmSelect{});
  peer.expect<ConfirmSelectOk>();
  peer.send(1, TxSelect{});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - cannot switch from confirm to tx mode");
  peer.open_channel();
  peer.send(1, TxCommit{});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - channel is not transactional");
  peer.open_channel();
  peer.send(1, TxRollback{});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - channel is not transactional");
}

TEST_CASE("publishes reach the broker at commit, which is answered when all are safe") {
  Peer peer;
  peer.ready();
  peer.declare("q");
  select(peer);
  peer.publish(1, "q", "one");
  peer.publish(1, "q", "two");
  CHECK(peer.messaging.queues["q"].ready.empty());
  std::vector<broker::ChannelRow> rows;
  peer.broker.client->list_channels(rows);
  CHECK(rows[0].transactional);
  CHECK(rows[0].messages_uncommitted == 2);
  peer.send(1, TxCommit{});
  CHECK(peer.messaging.queues["q"].ready.size() == 2);
  CHECK(peer.quiet());
  CHECK_FALSE(peer.session->reading());
  peer.turn();
  peer.expect<TxCommitOk>();
  CHECK(peer.session->reading());

  peer.publish(1, "q", "three");
  peer.send(1, TxRollback{});
  peer.expect<TxRollbackOk>();
  peer.send(1, TxCommit{});
  peer.expect<TxCommitOk>();
  CHECK(peer.messaging.queues["q"].ready.size() == 2);
}

TEST_CASE("settlements wait for commit, and come back with rollback") {
  Peer peer;
  peer.ready();
  peer.declare("q");
  for (const char* body : {"1", "2", "3"}) peer.publish(1, "q", body);
  select(peer);
  peer.consume("q");
  peer.turn();
  for (const char* body : {"1", "2", "3"}) peer.delivered(body);
  peer.send(1, BasicAck{2, true});
  CHECK(peer.messaging.settlements.empty());
  peer.send(1, TxRollback{});
  peer.expect<TxRollbackOk>();
  peer.send(1, TxCommit{});
  peer.expect<TxCommitOk>();
  CHECK(peer.messaging.settlements.empty());
  peer.send(1, BasicAck{1, false});
  peer.send(1, BasicNack{3, false, true});
  peer.send(1, TxCommit{});
  peer.expect<TxCommitOk>();
  CHECK(peer.messaging.settlements ==
        std::vector<std::pair<std::uint64_t, broker::Settlement>>{{0, broker::Settlement::accepted},
                                                                  {2, broker::Settlement::requeued}});
  peer.send(1, BasicAck{1, false});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - unknown delivery tag 1");
}

TEST_CASE("a commit of which a part is refused, or that goes nowhere") {
  Peer peer;
  peer.ready();
  peer.declare("q");
  select(peer);
  peer.publish(1, "q", "one");
  peer.messaging.accept_publishes = false;
  peer.send(1, TxCommit{});
  peer.turn();
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - partial tx completion");
  CHECK(peer.session->reading());

  peer.open_channel();
  select(peer);
  peer.publish(1, "k", "one", Peer::no_properties, "nope");
  CHECK(peer.channel_error() == "NOT_FOUND - no exchange 'nope' in vhost '/'");
  CHECK(peer.session->reading());

  peer.open_channel();
  peer.messaging.accept_publishes = true;
  select(peer);
  peer.publish(1, "nobody", "back", Peer::no_properties, "", true);
  peer.send(1, TxCommit{});
  peer.turn();
  peer.expect<BasicReturn>();
  CHECK(peer.expect_content().body == "back");
  peer.expect<TxCommitOk>();
}

TEST_CASE("a transaction has a largest size") {
  Peer peer;
  peer.ready();
  select(peer);
  const std::string body(8 << 20, 'x');
  for (int i = 0; i < 7; ++i) peer.publish(1, "q", body);
  CHECK(peer.quiet());
  peer.publish(1, "q", body);
  CHECK(peer.channel_error().starts_with("PRECONDITION_FAILED - the transaction is larger than"));
}
