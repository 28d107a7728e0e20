// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

namespace {

BasicPublish to(std::string_view key) {
  return {0, "", key, false, false};
}

std::vector<std::string> bodies(Peer& peer, const std::string& queue) {
  std::vector<std::string> result;
  for (const auto& [offset, message] : peer.messaging.queues[queue].ready) result.push_back(message.body);
  return result;
}

}  // namespace

TEST_CASE("content comes in one frame, in many, empty, and mixed with other channels") {
  Peer peer;
  peer.ready();
  peer.open_channel(2);
  peer.declare("q");
  peer.publish(1, "q", "one piece");
  peer.publish(1, "q", "");
  peer.send(1, to("q"));
  peer.send(2, to("q"));
  peer.send_header(1, 6);
  peer.send_body(1, "abc");
  peer.send_header(2, 3);
  peer.send_body(2, "xyz");
  peer.send_body(1, "");
  peer.send_body(1, "def");
  CHECK(bodies(peer, "q") == std::vector<std::string>{"one piece", "", "xyz", "abcdef"});
  CHECK(peer.metrics.messages_received.get() == 4);
  // Properties travel as they came.
  message::BasicProperties properties;
  properties.content_type = "text/plain";
  properties.priority = 200;
  const auto encoded = Peer::properties(properties);
  peer.publish(1, "q", std::string(300'000, 'x'), encoded);
  CHECK(peer.messaging.queues["q"].ready.back().second.properties == encoded);
  CHECK(peer.messaging.queues["q"].ready.back().second.body.size() == 300'000);
}

TEST_CASE("content out of order") {
  struct Case {
    std::function<void(Peer&)> act;
    std::string text;
    MethodId method = BasicPublish::id;
  };
  const std::string no_header =
      "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead";
  const std::string no_body = "UNEXPECTED_FRAME - expected content body, got non content body frame instead";
  const std::vector<Case> cases = {
      {[](Peer& p) { p.send_header(1, 0); },
       "UNEXPECTED_FRAME - expected method frame, got non method frame instead",
       {}},
      {[](Peer& p) { p.send(1, to("q")), p.send_body(1, "x"); }, no_header},
      {[](Peer& p) { p.send(1, to("q")), p.send(1, BasicQos{}); }, no_header},
      {[](Peer& p) { p.send(1, to("q")), p.send_header(1, 4), p.send(1, BasicQos{}); }, no_body},
      {[](Peer& p) { p.send(1, to("q")), p.send_header(1, 4), p.send_header(1, 4); }, no_body},
      {[](Peer& p) { p.send(1, to("q")), p.send_header(1, 4, Peer::no_properties, 50); },
       "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead"},
      {[](Peer& p) { p.send(1, to("q")), p.send_header(1, 2), p.send_body(1, "xxx"); },
       "UNEXPECTED_FRAME - content body is larger than its header says"},
      {[](Peer& p) {
         p.send(1, to("q")), p.send_frame(FrameType::header, 1, std::vector<std::uint8_t>{0, 60});
       },
       "FRAME_ERROR - malformed content header"},
      {[](Peer& p) { p.send(1, BasicPublish{0, "", "q", false, true}), p.send_header(1, 0); },
       "NOT_IMPLEMENTED - immediate=true"},
      {[](Peer& p) { p.send_header(7, 0); }, "CHANNEL_ERROR - expected 'channel.open'", {}},
  };
  for (const Case& one : cases) {
    Peer peer;
    peer.ready();
    one.act(peer);
    CHECK(peer.connection_error() == one.text);
    CHECK(peer.last_method == one.method);
  }
}

TEST_CASE("a message above the limit is refused at its header") {
  Options options;
  options.max_message_size.value = 100;
  Peer peer(options);
  peer.ready();
  peer.declare("q");
  peer.send(1, to("q"));
  peer.send_header(1, 101);
  CHECK(peer.channel_error() ==
        "PRECONDITION_FAILED - message size 101 is larger than configured max size 100");
  CHECK(peer.last_method == BasicPublish::id);
  peer.open_channel(1);
  peer.publish(1, "q", std::string(101, 'x'));
  CHECK(peer.channel_error() ==
        "PRECONDITION_FAILED - message size 101 is larger than configured max size 100");
  peer.open_channel(1);
  peer.publish(1, "q", std::string(100, 'x'));
  CHECK(bodies(peer, "q").size() == 1);
}

TEST_CASE("unfinished messages are bounded over all channels") {
  Options options;
  options.max_message_size.value = 200 << 20;
  Peer peer(options);
  peer.ready();
  const std::string part(120'000, 'x');
  base::ByteBuffer frame;
  base::ByteWriter writer(frame);
  writer.write(std::uint8_t{3});
  writer.write(std::uint16_t{1});
  writer.write(static_cast<std::uint32_t>(part.size()));
  writer.write_bytes(base::as_bytes(part));
  writer.write(frame_end);
  for (std::uint16_t channel = 1; channel <= 3; ++channel) {
    if (channel > 1) peer.open_channel(channel);
    peer.send(channel, to("q"));
    peer.send_header(channel, 200 << 20);
    base::store_be(frame.data() + 1, channel);
    for (int i = 0; i < 1'700 && peer.transport.outbox().empty(); ++i) peer.feed(frame);
  }
  CHECK(peer.connection_error().starts_with(
      "RESOURCE_ERROR - more than 419430400 bytes of unfinished messages"));
}

TEST_CASE("confirms: batched where contiguous, single where not, nacks") {
  Peer peer;
  peer.ready();
  peer.declare("q");
  peer.send(1, ConfirmSelect{});
  peer.expect<ConfirmSelectOk>();
  peer.send(1, ConfirmSelect{});
  peer.expect<ConfirmSelectOk>();
  for (int i = 0; i < 6; ++i) peer.publish(1, "q", "m");
  const auto answer = [&](std::vector<std::uint64_t> numbers, bool accepted = true) {
    peer.messaging.client->on_published(1, numbers, accepted);
  };
  const auto ack = [&] {
    const auto method = peer.expect<BasicAck>();
    return std::pair(method->delivery_tag, method->multiple);
  };
  answer({2, 4});
  CHECK(ack() == std::pair<std::uint64_t, bool>(2, false));
  CHECK(ack() == std::pair<std::uint64_t, bool>(4, false));
  answer({1, 3});
  CHECK(ack() == std::pair<std::uint64_t, bool>(3, true));
  answer({5}, false);
  CHECK(peer.expect<BasicNack>()->delivery_tag == 5);
  answer({6});
  CHECK(ack() == std::pair<std::uint64_t, bool>(6, false));
  CHECK(peer.quiet());
  CHECK(peer.metrics.messages_confirmed.get() == 5);
  CHECK(peer.metrics.messages_received_confirm.get() == 6);
}

TEST_CASE("confirm numbers against a simple model") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Confirms confirms;
    std::vector<std::uint64_t> open;
    std::uint64_t last = 0;
    std::set<std::uint64_t> unanswered_by_client;
    for (int step = 0; step < 60; ++step) {
      for (auto n = random() % 40; n > 0; --n) {
        last = confirms.take();
        open.push_back(last);
        unanswered_by_client.insert(last);
      }
      std::shuffle(open.begin(), open.end(), random);
      std::vector<std::uint64_t> batch;
      for (auto n = random() % 40; n > 0 && !open.empty(); --n) {
        batch.push_back(open.back());
        open.pop_back();
      }
      std::ranges::sort(batch);
      confirms.answer(batch, [&](std::uint64_t number, bool multiple) {
        if (!multiple) {
          REQUIRE(unanswered_by_client.erase(number) == 1);
          return;
        }
        while (!unanswered_by_client.empty() && *unanswered_by_client.begin() <= number) {
          unanswered_by_client.erase(unanswered_by_client.begin());
        }
      });
      REQUIRE(unanswered_by_client == std::set<std::uint64_t>(open.begin(), open.end()));
      REQUIRE(confirms.outstanding() == open.size());
    }
  }
}

TEST_CASE("a mandatory message that nobody takes comes back before its confirm") {
  Peer peer;
  peer.ready();
  peer.send(1, ConfirmSelect{});
  peer.expect<ConfirmSelectOk>();
  message::BasicProperties properties;
  properties.message_id = "id";
  const auto encoded = Peer::properties(properties);
  peer.publish(1, "nobody", "body", encoded, "", true);
  peer.turn();
  const auto returned = peer.expect<BasicReturn>();
  CHECK(returned->reply_code == 312);
  CHECK(returned->reply_text == "NO_ROUTE");
  CHECK(returned->exchange.empty());
  CHECK(returned->routing_key == "nobody");
  const Content content = peer.expect_content();
  CHECK(content.properties == encoded);
  CHECK(content.body == "body");
  CHECK(peer.expect<BasicAck>()->delivery_tag == 1);
  peer.publish(1, "nobody", "body");
  peer.turn();
  CHECK(peer.expect<BasicAck>()->delivery_tag == 2);
  peer.publish(1, "k", "body", Peer::no_properties, "nope");
  CHECK(peer.channel_error() == "NOT_FOUND - no exchange 'nope' in vhost '/'");
}

TEST_CASE("an alarm stops publishes, and only them") {
  Peer peer;
  peer.ready({"connection.blocked"});
  peer.declare("q");
  peer.messaging.client->on_blocked("low on memory");
  CHECK(peer.broker.client->describe().connection_state == "blocking");
  peer.send(1, BasicQos{0, 1, false});
  peer.expect<BasicQosOk>();
  CHECK(peer.session->reading());
  peer.publish(1, "q", "waits");
  CHECK(peer.expect<ConnectionBlocked>()->reason == "low on memory");
  CHECK_FALSE(peer.session->reading());
  CHECK(bodies(peer, "q").empty());
  CHECK(peer.broker.client->describe().connection_state == "blocked");
  peer.tick(500'000);  // no heartbeat can be seen, none is missed
  CHECK(peer.session->closing() == Closing::no);
  peer.drain();
  peer.output.clear();
  peer.messaging.client->on_blocked(std::nullopt);
  peer.expect<ConnectionUnblocked>();
  CHECK(peer.session->reading());
  peer.offer();
  CHECK(bodies(peer, "q") == std::vector<std::string>{"waits"});

  Peer other;  // without the capability: the same without words
  other.ready();
  other.declare("q");
  other.messaging.client->on_blocked("low on disk");
  other.publish(1, "q", "waits");
  CHECK(other.quiet());
  CHECK_FALSE(other.session->reading());
  other.messaging.client->on_blocked(std::nullopt);
  CHECK(other.quiet());
}

TEST_CASE("flow stops publishes until the broker has room") {
  Peer peer;
  peer.ready({"connection.blocked"});
  peer.declare("q");
  peer.messaging.client->on_flow(false);
  peer.publish(1, "q", "waits");
  CHECK(peer.quiet());
  CHECK_FALSE(peer.session->reading());
  CHECK(peer.broker.client->describe().connection_state == "flow");
  peer.messaging.client->on_flow(true);
  peer.offer();
  CHECK(bodies(peer, "q").size() == 1);
}
