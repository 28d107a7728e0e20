// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

using namespace sluice;
using namespace sluice::amqp;
using namespace sluice::amqp::test;
using namespace sluice::amqp::wire;

using Settled = std::vector<std::pair<std::uint64_t, broker::Settlement>>;

namespace {

// A ready peer whose queue q has so many messages "0", "1", ...
void fill(Peer& peer, int messages) {
  peer.ready({"consumer_cancel_notify"});
  peer.declare("q");
  for (int i = 0; i < messages; ++i) peer.publish(1, "q", std::to_string(i));
}

void expect_delivered(Peer& peer, int from, int to) {
  for (int i = from; i < to; ++i) peer.delivered(std::to_string(i));
}

}  // namespace

TEST_CASE("deliveries are split by the frame size") {
  Peer peer;
  peer.open({}, {10, 8'192, 0});
  peer.open_channel();
  peer.declare("q");
  const std::string body(20'000, 'b');
  peer.publish(1, "q", body);
  peer.consume("q", "tag");
  peer.turn();
  const auto deliver = peer.expect<BasicDeliver>();
  CHECK(deliver->consumer_tag == "tag");
  CHECK(deliver->routing_key == "q");
  CHECK_FALSE(deliver->redelivered);
  CHECK(Peer::frame_of(peer.take()).type == FrameType::header);
  for (const std::size_t size : {8'184u, 8'184u, 3'632u}) {
    CHECK(Peer::frame_of(peer.take()).payload.size() == size);
  }
  CHECK(peer.quiet());
}

TEST_CASE("settling: single, multiple, all, out of order; per source and read one call") {
  Peer peer;
  fill(peer, 8);
  peer.consume("q");
  peer.turn();
  expect_delivered(peer, 0, 8);
  base::ByteBuffer bytes;
  write_method(1, BasicAck{3, false}, bytes);
  write_method(1, BasicAck{2, true}, bytes);
  write_method(1, BasicAck{5, false}, bytes);
  peer.feed(bytes);
  using enum broker::Settlement;
  CHECK(peer.messaging.settlements == Settled{{2, accepted}, {0, accepted}, {1, accepted}, {4, accepted}});
  CHECK(peer.messaging.settle_calls == 1);
  peer.messaging.settlements.clear();
  peer.send(1, BasicReject{4, false});
  peer.send(1, BasicNack{0, true, false});
  CHECK(peer.messaging.settlements == Settled{{3, rejected}, {5, rejected}, {6, rejected}, {7, rejected}});
  CHECK(peer.metrics.messages_settled.get() == 4);
  peer.send(1, BasicAck{0, true});
  CHECK(peer.quiet());
  peer.send(1, BasicAck{8, true});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - unknown delivery tag 8");
}

TEST_CASE("what was settled stays settled when the channel or the connection ends in the same read") {
  using enum broker::Settlement;
  base::ByteBuffer ack, end;
  write_method(1, BasicAck{1, false}, ack);
  write_method(1, ChannelClose{200, "bye", 0, 0}, end);
  const auto settled_with = [&](base::ByteBuffer last) {
    Peer peer;
    fill(peer, 1);
    peer.consume("q");
    peer.turn();
    peer.delivered("0");
    base::ByteBuffer bytes = ack;
    bytes.insert(bytes.end(), last.begin(), last.end());
    peer.messaging.calls.clear();
    peer.feed(bytes);
    CHECK((peer.messaging.calls.empty() || peer.messaging.settled_before_close));
    return peer.messaging.settlements == Settled{{0, accepted}};
  };
  CHECK(settled_with(end));
  end.clear();
  write_method(0, ConnectionClose{200, "bye", 0, 0}, end);
  CHECK(settled_with(end));
  end.clear();
  write_method(1, BasicAck{99, false}, end);  // a channel error
  CHECK(settled_with(end));
  end.clear();
  write_method(1, BasicPublish{0, "nope", "k", false, false}, end);
  write_content(1, Peer::no_properties, {}, 0, end);
  CHECK(settled_with(end));
  end.clear();
  write_method(1, ChannelOpen{}, end);  // an error of the connection
  CHECK(settled_with(end));
}

TEST_CASE("requeue and recover bring messages back, marked") {
  Peer peer;
  fill(peer, 2);
  peer.consume("q");
  peer.turn();
  expect_delivered(peer, 0, 2);
  peer.send(1, BasicReject{1, true});
  peer.turn();
  const auto again = peer.expect<BasicDeliver>();
  CHECK(again->redelivered);
  CHECK(again->delivery_tag == 3);
  CHECK(peer.expect_content().body == "0");
  peer.send(1, BasicRecover{true});
  peer.expect<BasicRecoverOk>();
  peer.turn();
  CHECK(peer.delivered("0") == 4);
  CHECK(peer.delivered("1") == 5);
  peer.send(1, BasicRecoverAsync{true});
  CHECK(peer.quiet());
  peer.turn();
  CHECK(peer.delivered("0") == 6);
  CHECK(peer.metrics.classic.redelivered.get() == 5);
}

TEST_CASE("no-ack deliveries take tags but leave nothing to settle") {
  Peer peer;
  fill(peer, 1);
  peer.consume("q", "loose", true);
  peer.turn();
  CHECK(peer.delivered("0") == 1);
  peer.send(1, BasicAck{1, false});
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - unknown delivery tag 1");
  CHECK(peer.metrics.classic.consume_auto_ack.get() == 1);
}

TEST_CASE("prefetch: per consumer as it is when it begins, and shared") {
  Peer peer;
  fill(peer, 5);
  peer.send(1, BasicQos{0, 2, false});
  peer.expect<BasicQosOk>();
  peer.consume("q");
  peer.turn();
  expect_delivered(peer, 0, 2);
  CHECK(peer.quiet());
  peer.send(1, BasicAck{1, false});
  peer.turn();
  expect_delivered(peer, 2, 3);
  peer.send(1, BasicQos{0, 7, true});
  peer.expect<BasicQosOk>();
  CHECK(peer.messaging.calls.back() == "channel prefetch 7");
  std::vector<broker::ChannelRow> rows;
  peer.broker.client->list_channels(rows);
  CHECK(rows[0].prefetch_count == 2);
  CHECK(rows[0].global_prefetch_count == 7);
  CHECK(rows[0].messages_unacknowledged == 2);
  CHECK(rows[0].consumer_count == 1);
}

TEST_CASE("consumer tags: made up, kept, refused when in use") {
  Peer peer;
  fill(peer, 0);
  const std::string first = peer.consume("q"), second = peer.consume("q");
  CHECK(first.size() == 31);
  CHECK(first != second);
  CHECK(peer.consume("q", "mine") == "mine");
  peer.send(1, BasicCancel{"mine", false});
  CHECK(peer.expect<BasicCancelOk>()->consumer_tag == "mine");
  CHECK(peer.consume("q", "mine") == "mine");
  peer.send(1, BasicCancel{"nobody", false});
  CHECK(peer.expect<BasicCancelOk>()->consumer_tag == "nobody");
  CHECK(peer.metrics.consumers.get() == 3);
  BasicConsume again;
  again.queue = "q";
  again.consumer_tag = "mine";
  peer.send(1, again);
  CHECK(peer.connection_error() == "NOT_ALLOWED - attempt to reuse consumer tag 'mine'");
  CHECK(peer.metrics.consumers.get() == 0);
}

TEST_CASE("nothing is answered before the broker has removed a cancelled consumer") {
  Peer peer;
  fill(peer, 0);
  peer.consume("q", "mine");
  for (const bool no_wait : {false, true}) {
    peer.messaging.hold_answers = true;
    peer.send(1, BasicCancel{"mine", no_wait});
    peer.send(1, BasicQos{0, 1, false});
    CHECK(peer.quiet());
    peer.messaging.hold_answers = false;
    peer.messaging.answer_held();
    peer.offer();
    if (!no_wait) CHECK(peer.expect<BasicCancelOk>()->consumer_tag == "mine");
    peer.expect<BasicQosOk>();
    peer.consume("q", "mine");
  }
  peer.messaging.hold_answers = true;
  peer.send(1, ChannelClose{});
  CHECK(peer.quiet());
  peer.messaging.answer_held();
  peer.expect<ChannelCloseOk>();
  peer.messaging.hold_answers = false;
  peer.open_channel();
}

TEST_CASE("consumers per channel are limited where the option says so") {
  Options options;
  options.consumer_max_per_channel = 1;
  options.default_consumer_prefetch = 9;
  Peer peer(options);
  fill(peer, 0);
  peer.consume("q");
  CHECK(peer.messaging.calls.back() == "consume q prefetch 9");
  BasicConsume second;
  second.queue = "q";
  peer.send(1, second);
  CHECK(peer.connection_error() == "NOT_ALLOWED - reached maximum (1) of consumers per channel");
}

TEST_CASE("consuming what is not there") {
  Peer peer;
  peer.ready();
  BasicConsume method;
  peer.send(1, method);
  CHECK(peer.channel_error() == "NOT_FOUND - no previously declared queue");
  peer.open_channel();
  method.queue = "nope";
  peer.send(1, method);
  CHECK(peer.channel_error() == "NOT_FOUND - no queue 'nope' in vhost '/'");
  CHECK(peer.last_method == BasicConsume::id);
}

TEST_CASE("the server cancels a consumer: said to those who understand") {
  Peer peer;
  fill(peer, 0);
  peer.consume("q", "c");
  peer.messaging.client->on_consumer_cancelled(1, "c");
  const auto cancel = peer.expect<BasicCancel>();
  CHECK(cancel->consumer_tag == "c");
  CHECK(cancel->no_wait);
  peer.send(1, BasicCancelOk{"c"});
  CHECK(peer.quiet());
  CHECK(peer.messaging.caller.cancel_notify);
  CHECK(peer.consume("q", "c") == "c");

  Peer plain;
  plain.ready();
  plain.declare("q");
  plain.consume("q", "c");
  plain.messaging.client->on_consumer_cancelled(1, "c");
  CHECK(plain.quiet());
}

TEST_CASE("late deliveries for what is gone are dropped") {
  Peer peer;
  fill(peer, 1);
  peer.consume("q", "c");
  broker::Delivery delivery;
  peer.messaging.client->on_delivered(1, "unknown", delivery);
  peer.messaging.client->on_delivered(9, "c", delivery);
  peer.send(1, BasicAck{77, false});
  peer.expect<ChannelClose>();
  peer.messaging.client->on_delivered(1, "c", delivery);
  peer.messaging.client->on_consumer_cancelled(1, "c");
  peer.messaging.client->on_published(1, std::vector<std::uint64_t>{1}, true);
  peer.messaging.client->on_channel_refused(1, {406, "late", false});
  CHECK(peer.quiet());
}

TEST_CASE("get: one message, its count, or nothing") {
  Peer peer;
  fill(peer, 2);
  BasicGet get;
  get.queue = "q";
  peer.send(1, get);
  const auto got = peer.expect<BasicGetOk>();
  CHECK(got->delivery_tag == 1);
  CHECK(got->message_count == 1);
  CHECK(got->routing_key == "q");
  CHECK(peer.expect_content().body == "0");
  get.no_ack = true;
  peer.send(1, get);
  CHECK(peer.expect<BasicGetOk>()->delivery_tag == 2);
  CHECK(peer.expect_content().body == "1");
  peer.send(1, get);
  peer.expect<BasicGetEmpty>();
  peer.send(1, BasicAck{1, false});
  CHECK(peer.messaging.settlements.size() == 1);
  CHECK(peer.metrics.classic.get_manual_ack.get() == 1);
  CHECK(peer.metrics.classic.get_auto_ack.get() == 1);
  CHECK(peer.metrics.get_empty.get() == 1);
}

TEST_CASE("a full outbox stops deliveries until it is drained") {
  Peer peer;
  fill(peer, 0);
  const std::string body(100'000, 'x');
  for (int i = 0; i < 30; ++i) peer.publish(1, "q", body);
  peer.consume("q", "c", true);
  peer.drain();
  peer.output.clear();
  peer.turn();
  CHECK_FALSE(peer.messaging.ready);
  CHECK(peer.transport.outbox().pending_bytes() < base::Outbox::high_water_bytes + 110'000);
  CHECK(peer.session->reading());
  peer.drain();
  peer.session->on_drained();
  CHECK(peer.messaging.ready);
}

TEST_CASE("direct reply-to: requests carry the key, replies come to its consumer") {
  constexpr std::string_view pseudo = "amq.rabbitmq.reply-to";
  Peer peer;
  peer.ready();
  peer.declare("rpc");
  message::BasicProperties properties;
  properties.reply_to = pseudo;
  properties.correlation_id = "42";
  const auto request = Peer::properties(properties);
  CHECK(peer.consume(pseudo, "replies", true) == "replies");
  peer.publish(1, "rpc", "question", request);
  const auto& kept = peer.messaging.queues["rpc"].ready.front().second;
  const auto rewritten = message::decode_properties(kept.properties);
  REQUIRE(rewritten);
  CHECK(rewritten->reply_to == "amq.rabbitmq.reply-to.opaque1");
  CHECK(rewritten->correlation_id == "42");
  peer.publish(1, *rewritten->reply_to, "answer");
  peer.turn();
  CHECK(peer.expect<BasicDeliver>()->consumer_tag == "replies");
  CHECK(peer.expect_content().body == "answer");
}

TEST_CASE("direct reply-to has rules") {
  constexpr std::string_view pseudo = "amq.rabbitmq.reply-to";
  Peer peer;
  peer.ready();
  BasicConsume consume;
  consume.queue = pseudo;
  peer.send(1, consume);
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - reply consumer cannot acknowledge");
  peer.open_channel();
  message::BasicProperties properties;
  properties.reply_to = pseudo;
  peer.publish(1, "q", "question", Peer::properties(properties));
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - fast reply consumer does not exist");
  peer.open_channel();
  peer.consume(pseudo, "one", true);
  consume.no_ack = true;
  peer.send(1, consume);
  CHECK(peer.channel_error() == "PRECONDITION_FAILED - reply consumer already set");
  peer.open_channel();
  peer.consume(pseudo, "one", true);
  peer.send(1, BasicCancel{"one", false});
  peer.expect<BasicCancelOk>();
  CHECK(peer.consume(pseudo, "two", true) == "two");
}

TEST_CASE("unsettled deliveries against a simple model") {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    Unsettled unsettled;
    std::map<std::uint64_t, std::uint64_t> model;  // tag -> offset
    std::set<std::uint64_t> marked;
    std::uint64_t tag = 0;
    for (int step = 0; step < 600; ++step) {
      const auto what = random() % 20;
      if (what < 10) {
        tag += 1 + (random() % 5 == 0 ? random() % 3 : 0);
        unsettled.add(tag, Unsettled::Source{random() % 3}, base::Offset{tag * 10});
        model[tag] = tag * 10;
      } else if (what < 16) {
        const std::uint64_t which = tag == 0 ? 0 : random() % (tag + 2);
        const bool known = model.contains(which) && !marked.contains(which);
        std::uint64_t offset = 0;
        REQUIRE(unsettled.settle(which, [&](const auto& entry) { offset = entry.offset.value; }) == known);
        if (known) REQUIRE(offset == model[which]);
        if (known) model.erase(which);
      } else if (what < 17) {
        const std::uint64_t which = tag == 0 ? 0 : random() % (tag + 1);
        const bool known = which == 0 || (model.contains(which) && !marked.contains(which));
        std::vector<std::uint64_t> taken, wanted;
        REQUIRE(unsettled.settle_up_to(which, [&](const auto& entry) { taken.push_back(entry.tag); }) ==
                known);
        for (auto at = model.begin(); known && at != model.end() && (which == 0 || at->first <= which);) {
          if (marked.contains(at->first)) {
            ++at;
            continue;
          }
          wanted.push_back(at->first);
          at = model.erase(at);
        }
        REQUIRE(taken == wanted);
      } else if (what < 19) {
        const std::uint64_t which = tag == 0 ? 0 : random() % (tag + 1);
        const bool known = model.contains(which) && !marked.contains(which);
        REQUIRE(unsettled.mark(which, false, [](const auto&) {}) == known);
        if (known) marked.insert(which);
      } else if (random() % 2 == 0) {
        unsettled.unmark_all();
        marked.clear();
      } else {
        unsettled.drop_marked();
        for (const std::uint64_t one : std::exchange(marked, {})) model.erase(one);
      }
      REQUIRE(unsettled.size() == model.size() - marked.size());
    }
  }
}
