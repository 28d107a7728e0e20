// SPDX-License-Identifier: Apache-2.0
// Subscriptions, credit, Deliver in both versions, single active consumers.
#include "harness.h"

using namespace sluice;
using namespace sluice::streamproto;
using namespace sluice::streamproto::test;

namespace {

Subscribe subscribe(std::uint8_t id, std::string_view stream, std::uint16_t credit = 10,
                    Properties properties = {}) {
  return {id, stream, OffsetSpec::first(), credit, std::move(properties)};
}

std::string chunk() {
  const base::ByteBuffer example = from_hex(Deliver::examples[0]);
  return std::string(base::as_text(example).substr(9));
}

std::size_t delivered(Peer& peer) {
  std::size_t frames = 0;
  while (auto frame = peer.take()) {
    CHECK(read_frame(*frame, 0).frame.key() == Key::deliver);
    ++frames;
  }
  return frames;
}

}  // namespace

TEST_CASE("subscribing tells its errors in order") {
  Peer peer;
  peer.open();
  peer.broker.streams["down"] = base::Errc::stream_unavailable;
  peer.broker.forbidden = {{broker::Permission::read, "secret"}};
  const std::string long_name(256, 'n');
  const auto ask = [&](const Subscribe& request) { return peer.ask<SubscribeResponse>(request); };
  CHECK(ask(subscribe(0, "s")) == ResponseCode::ok);
  CHECK(ask(subscribe(0, "secret")) == ResponseCode::access_refused);
  CHECK(ask(subscribe(1, "secret", 1, {{"name", long_name}})) == ResponseCode::access_refused);
  CHECK(ask(subscribe(1, "nope", 1, {{"name", long_name}})) == ResponseCode::precondition_failed);
  CHECK(ask(subscribe(0, "nope")) == ResponseCode::stream_does_not_exist);
  CHECK(ask(subscribe(0, "down")) == ResponseCode::stream_not_available);
  CHECK(ask(subscribe(0, "s")) == ResponseCode::subscription_id_already_exists);
  CHECK(ask(subscribe(1, "s", 1, {{"single-active-consumer", "true"}})) == ResponseCode::precondition_failed);
  peer.broker.consumer_error = base::Errc::precondition_failed;
  CHECK(ask(subscribe(1, "s", 1, {{"filter-expr", "("}})) == ResponseCode::precondition_failed);
  peer.broker.consumer_error.reset();
  CHECK(ask(subscribe(1, "s")) == ResponseCode::ok);
  CHECK(peer.broker.consumers.size() == 2);
  CHECK(peer.ask<UnsubscribeResponse>(Unsubscribe{1}) == ResponseCode::ok);
  CHECK(peer.ask<UnsubscribeResponse>(Unsubscribe{1}) == ResponseCode::subscription_id_does_not_exist);
  CHECK(peer.broker.consumers.size() == 1);
}

TEST_CASE("the request reaches the broker whole") {
  Peer peer;
  peer.open();
  Subscribe request = subscribe(4, "s", 10, {{"name", "app"}, {"filter.0", "kr"}, {"super-stream", "ss"}});
  request.offset_spec = OffsetSpec::timestamp(-5);
  CHECK(peer.ask<SubscribeResponse>(request) == ResponseCode::ok);
  REQUIRE(peer.broker.subscribed.has_value());
  CHECK(peer.broker.subscribed->vhost == "/");
  CHECK(peer.broker.subscribed->name == "app");
  CHECK(peer.broker.subscribed->super_stream == "ss");
  CHECK(peer.broker.subscribed->subscription_id == 4);
  CHECK(peer.broker.subscribed->offset.kind == broker::OffsetSpec::Kind::timestamp);
  CHECK(peer.broker.subscribed->offset.timestamp_ms == -5);
  CHECK(peer.broker.subscribed->properties.size() == 3);
  std::vector<broker::ConsumerRow> rows;
  peer.broker.client->list_consumers(rows);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].activity_status == "up");
  CHECK(rows[0].offset_lag == 5);
}

TEST_CASE("chunks leave in groups of more than half the initial credit") {
  Peer peer;
  peer.open();
  for (int i = 0; i < 30; ++i) peer.broker.consumer.chunks.push_back(chunk());
  peer.send(subscribe(7, "s", 10), 1);
  CHECK(peer.expect<SubscribeResponse>().message.code == ResponseCode::ok);
  const auto first = peer.expect<Deliver>();
  CHECK(first.message.subscription_id == 7);
  CHECK(first.message.chunk.header.chunk_id == 100);
  CHECK(delivered(peer) == 9);
  for (int i = 0; i < 5; ++i) peer.send(Credit{7, 1});
  CHECK(delivered(peer) == 0);
  peer.send(Credit{7, 1});
  CHECK(delivered(peer) == 6);
  CHECK(peer.metrics.messages_delivered.get() == 48);

  // At the end of the log what is left of the credit is used as soon as there is more.
  peer.send(Credit{7, 20});
  CHECK(delivered(peer) == 14);
  peer.broker.consumer.chunks.push_back(chunk());
  peer.broker.client->on_readable(peer.broker.consumers[0]);
  CHECK(delivered(peer) == 1);
}

TEST_CASE("deliver version 2 carries the committed chunk id once asked for") {
  Peer peer;
  peer.open();
  peer.send(ExchangeCommandVersions{{{Key::deliver, 1, 2}}}, 1);
  CHECK(peer.expect<ExchangeCommandVersionsResponse>().message.commands.size() == 20);
  peer.broker.consumer.chunks.push_back(chunk());
  CHECK(peer.ask<SubscribeResponse>(subscribe(1, "s")) == ResponseCode::ok);
  CHECK(peer.expect<Deliver>().message.committed_chunk_id == 77);
}

TEST_CASE("credit for nobody is told, for the others silent") {
  Peer peer;
  peer.open();
  peer.send(Credit{3, 1});
  const auto error = peer.expect<CreditResponse>();
  CHECK(error.message.code == ResponseCode::subscription_id_does_not_exist);
  CHECK(error.message.subscription_id == 3);
}

TEST_CASE("nothing is produced while the outbox is full") {
  Peer peer;
  peer.open();
  const std::string large(300'000, 'x');
  for (int i = 0; i < 8; ++i) peer.broker.consumer.chunks.push_back(large);
  peer.send(subscribe(0, "s", 8), 1);
  CHECK(peer.broker.consumer.delivered == 4);
  CHECK(peer.session->reading());  // heartbeats of a slow reader are to be seen
  peer.send(Credit{0, 10});
  CHECK(peer.broker.consumer.delivered == 4);
  peer.drain();
  peer.session->on_drained();
  CHECK(peer.broker.consumer.delivered == 8);
}

TEST_CASE("a request waits for the answer to the one before it") {
  Peer peer;
  peer.open();
  peer.broker.hold_answers = true;
  peer.send(subscribe(0, "s"), 1);
  peer.send(Metadata{{"s"}}, 2);
  CHECK(peer.quiet());
  CHECK_FALSE(peer.session->reading());
  peer.broker.answer_held();
  CHECK(peer.session->reading());
  peer.expect<SubscribeResponse>();
  peer.offer();
  peer.expect<MetadataResponse>();
}

TEST_CASE("an answer for a session that is gone is dropped") {
  Peer peer;
  peer.open();
  peer.broker.hold_answers = true;
  peer.send(subscribe(0, "s"), 1);
  peer.session->on_closed();
  peer.session.reset();
  peer.broker.answer_held();
  CHECK(peer.metrics.connections.get() == 0);
}

TEST_CASE("a single active consumer is activated by its client's answer and steps down by it") {
  Peer peer;
  peer.open();
  peer.broker.consumer.chunks = {chunk(), chunk(), chunk()};
  CHECK(peer.ask<SubscribeResponse>(
            subscribe(2, "s", 1, {{"name", "app"}, {"single-active-consumer", "true"}})) == ResponseCode::ok);
  const broker::Token token = peer.broker.consumers.at(0);
  CHECK(peer.quiet());
  peer.send(Credit{2, 1});
  CHECK(peer.expect<CreditResponse>().message.code == ResponseCode::precondition_failed);  // and kept

  peer.broker.client->on_consumer_update(token, true);
  const auto update = peer.expect<ConsumerUpdate>();
  CHECK(update.correlation == 0);
  CHECK(update.message.active == 1);
  CHECK(peer.quiet());
  peer.send(ConsumerUpdateResponse{ResponseCode::ok, OffsetSpec::at(101)}, 0);
  REQUIRE(peer.broker.updates.size() == 1);
  CHECK(peer.broker.updates[0].second->offset == 101);
  CHECK(delivered(peer) == 2);

  peer.broker.client->on_consumer_update(token, false);
  const auto down = peer.expect<ConsumerUpdate>();
  CHECK(down.correlation == 1);
  CHECK(down.message.active == 0);
  peer.broker.client->on_readable(token);
  CHECK(peer.quiet());
  peer.send(ConsumerUpdateResponse{ResponseCode::ok, {OffsetType::none, 0}}, 1);
  REQUIRE(peer.broker.updates.size() == 2);
  CHECK_FALSE(peer.broker.updates[1].second.has_value());
  peer.send(ConsumerUpdateResponse{ResponseCode::ok, {OffsetType::none, 0}}, 1);
  CHECK(peer.broker.updates.size() == 2);
}

TEST_CASE("a client that does not answer a ConsumerUpdate is dropped after a minute") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<SubscribeResponse>(
            subscribe(2, "s", 1, {{"name", "app"}, {"single-active-consumer", "true"}})) == ResponseCode::ok);
  peer.broker.client->on_consumer_update(peer.broker.consumers.at(0), true);
  peer.expect<ConsumerUpdate>();
  peer.send(Heartbeat{});
  peer.tick(59'000);
  CHECK(peer.closing() == Closing::no);
  peer.tick(1'000);
  CHECK(peer.closing() == Closing::now);
}

TEST_CASE("a lost stream takes its publishers and subscriptions along") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<SubscribeResponse>(subscribe(2, "s")) == ResponseCode::ok);
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{0, "", "s"}) == ResponseCode::ok);
  peer.broker.client->on_stream_lost("/", "other");
  CHECK(peer.quiet());
  peer.broker.client->on_stream_lost("/", "s");
  const auto update = peer.expect<MetadataUpdate>();
  CHECK(update.message.code == ResponseCode::stream_not_available);
  CHECK(update.message.stream == "s");
  CHECK(peer.quiet());
  CHECK(peer.ask<UnsubscribeResponse>(Unsubscribe{2}) == ResponseCode::subscription_id_does_not_exist);
  CHECK(peer.ask<DeletePublisherResponse>(DeletePublisher{0}) == ResponseCode::publisher_does_not_exist);
}
