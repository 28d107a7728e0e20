// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

TEST_CASE("channels open, close and open again") {
  Peer peer;
  peer.ready();
  peer.open_channel(60'000);
  std::vector<broker::ChannelRow> rows;
  peer.broker.client->list_channels(rows);
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].number == 60'000);
  CHECK(rows[1].state == "running");
  peer.send(1, ChannelClose{200, "bye", 0, 0});
  peer.expect<ChannelCloseOk>();
  peer.open_channel(1);
  CHECK(peer.metrics.channels.get() == 2);
  CHECK(peer.metrics.channels_opened.get() == 3);
  CHECK(peer.node.open_channels == 2);
  peer.session->on_closed();
  CHECK(peer.node.open_channels == 0);
  CHECK(peer.metrics.channels.get() == 0);
}

TEST_CASE("channels are limited per connection and per node") {
  Peer peer;
  peer.open({}, {2, 8'192, 0});
  peer.open_channel(1);
  peer.open_channel(2);
  peer.send(3, ChannelOpen{});
  CHECK(peer.connection_error() ==
        "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)");

  Options options;
  options.channel_max_per_node = 1;
  Peer second(options);
  second.ready();
  second.send(2, ChannelOpen{});
  CHECK(second.connection_error() ==
        "NOT_ALLOWED - number of channels opened on node 'cluster' has reached the maximum allowed limit of "
        "(1)");
}

TEST_CASE("a channel error closes the channel, which then ignores all but the answer") {
  Peer peer;
  peer.ready();
  peer.send(1, BasicAck{5, false});
  const auto close = peer.expect<ChannelClose>();
  CHECK(close->reply_code == 406);
  CHECK(close->reply_text == "PRECONDITION_FAILED - unknown delivery tag 5");
  CHECK(close->class_id == 60);
  CHECK(close->method_id == 80);
  peer.send(1, BasicQos{0, 1, false});
  peer.publish(1, "q", "lost");
  peer.send(1, ChannelOpen{});
  CHECK(peer.quiet());
  CHECK(peer.messaging.queues.empty());
  peer.send(1, ChannelClose{200, "crossed", 0, 0});
  peer.expect<ChannelCloseOk>();
  peer.send(1, ChannelCloseOk{});
  peer.open_channel(1);
  CHECK(peer.shard.logger.has("operation basic.ack caused a channel exception"));
}

TEST_CASE("errors of the connection, with RabbitMQ's texts") {
  struct Case {
    std::function<void(Peer&)> act;
    std::string text;
    MethodId method;
  };
  const std::vector<Case> cases = {
      {[](Peer& p) { p.send(3, BasicQos{0, 1, false}); },
       "CHANNEL_ERROR - expected 'channel.open'",
       {60, 10}},
      {[](Peer& p) { p.send(1, ChannelOpen{}); }, "CHANNEL_ERROR - second 'channel.open' seen", {20, 10}},
      {[](Peer& p) { p.send(0, ChannelOpen{}); },
       "CHANNEL_ERROR - unexpected method in connection state running",
       {20, 10}},
      {[](Peer& p) { p.send(0, ConnectionOpen{"/", "", false}); },
       "CHANNEL_ERROR - unexpected method in connection state running",
       {10, 40}},
      {[](Peer& p) { p.send(1, ConnectionClose{200, "", 0, 0}); },
       "COMMAND_INVALID - unimplemented method",
       {10, 50}},
      {[](Peer& p) { p.send(1, BasicQosOk{}); }, "COMMAND_INVALID - unimplemented method", {60, 11}},
      {[](Peer& p) { p.send(1, ChannelFlow{false}); }, "NOT_IMPLEMENTED - active=false", {20, 20}},
      {[](Peer& p) { p.send(1, BasicQos{5, 1, false}); }, "NOT_IMPLEMENTED - prefetch_size!=0 (5)", {60, 10}},
      {[](Peer& p) { p.send(1, BasicRecover{false}); }, "NOT_IMPLEMENTED - requeue=false", {60, 110}},
      {[](Peer& p) { p.send_frame(FrameType::method, 1, std::vector<std::uint8_t>{0, 50, 0, 10, 0, 0}); },
       "FRAME_ERROR - cannot decode <<0,0>>",
       {50, 10}},
      {[](Peer& p) { p.send_frame(FrameType::method, 1, std::vector<std::uint8_t>{0, 60, 0, 250}); },
       "COMMAND_INVALID - unimplemented method",
       {60, 250}},
      {[](Peer& p) { p.send_frame(FrameType::heartbeat, 1, {}); },
       "UNEXPECTED_FRAME - type 8, all octets = <<>>",
       {}},
  };
  for (const Case& one : cases) {
    Peer peer;
    peer.ready();
    one.act(peer);
    CHECK(peer.connection_error() == one.text);
    CHECK(peer.last_method == one.method);
    CHECK(peer.broker.client == nullptr);
  }
}

TEST_CASE("a frame that is none ends the connection at once") {
  const auto error_of = [](base::ByteView bytes) {
    Peer peer;
    peer.open({}, {10, 8'192, 0});
    peer.feed(bytes);
    const auto close = peer.expect<ConnectionClose>();
    CHECK(close->reply_code == 501);
    CHECK(peer.session->closing() == Closing::after_flush);
    return std::string(close->reply_text);
  };
  CHECK(error_of(std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0, 4, 0, 60, 0, 10, 0}) ==
        "FRAME_ERROR - type 1, all octets = <<0,60,0,10>>: {invalid_frame_end_marker,0}");
  CHECK(error_of(std::vector<std::uint8_t>{9, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c', 0xCE}) ==
        "FRAME_ERROR - type 9, all octets = <<\"abc\">>: unknown_frame");
  CHECK(error_of(std::vector<std::uint8_t>{1, 0, 1, 0, 0, 0x23, 0x28}) ==
        "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,9000,8184}");
}

TEST_CASE("a connection that is being closed waits for the answer, but not for ever") {
  Peer peer;
  peer.ready();
  peer.send(1, ChannelOpen{});
  peer.expect<ConnectionClose>();
  peer.send(1, BasicQos{0, 1, false});
  peer.publish(1, "q", "ignored");
  CHECK(peer.quiet());
  CHECK(peer.session->closing() == Closing::no);
  peer.tick(29'000);
  CHECK(peer.session->closing() == Closing::no);
  peer.tick(2'000);
  CHECK(peer.session->closing() == Closing::now);
}

TEST_CASE("small answers") {
  Peer peer;
  peer.ready();
  peer.send(1, ChannelFlow{true});
  CHECK(peer.expect<ChannelFlowOk>()->active);
  peer.send(1, AccessRequest{"/data", false, false, true, true, true});
  CHECK(peer.expect<AccessRequestOk>()->ticket == 1);
}

TEST_CASE("while the broker thinks, nothing more is read, and answers for channels that went are dropped") {
  Peer peer;
  peer.ready();
  peer.messaging.hold_answers = true;
  QueueDeclare declare;
  declare.queue = "q";
  peer.send(1, declare);
  CHECK_FALSE(peer.session->reading());
  peer.send(1, BasicQos{0, 1, false});
  CHECK(peer.quiet());
  peer.messaging.answer_held();
  CHECK(peer.session->reading());
  peer.offer();
  peer.expect<QueueDeclareOk>();
  peer.expect<BasicQosOk>();

  peer.send(1, declare);
  peer.messaging.client->on_channel_refused(1, {406, "delivery acknowledgement timed out", false});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - delivery acknowledgement timed out");
  peer.messaging.answer_held();
  peer.offer();
  CHECK(peer.quiet());
  peer.messaging.hold_answers = false;
  peer.open_channel(1);

  peer.messaging.hold_answers = true;
  peer.send(1, declare);
  peer.session.reset();
  peer.messaging.answer_held();  // finds nobody
}

TEST_CASE("refusals of the broker close what they say") {
  Peer peer;
  peer.ready();
  peer.messaging.next_refusal = broker::Refusal{404, "no queue 'q' in vhost '/'", false};
  QueueDeclare declare;
  declare.queue = "q";
  declare.passive = true;
  peer.send(1, declare);
  CHECK(peer.channel_error() == "NOT_FOUND - no queue 'q' in vhost '/'");
  CHECK(peer.last_method == QueueDeclare::id);
  peer.open_channel(1);
  peer.messaging.next_refusal = broker::Refusal{541, "stopped", true};
  declare.passive = false;
  peer.send(1, declare);
  CHECK(peer.connection_error() == "INTERNAL_ERROR - stopped");
}

TEST_CASE("long reply texts are cut") {
  CHECK(reply_text({406, std::string(300, 'x'), false}).size() == 255);
  CHECK(reply_text({406, std::string(300, 'x'), false}).ends_with("xxx..."));
}
