// SPDX-License-Identifier: Apache-2.0
// Publishers, Publish in both versions, confirms, refusals, credit.
#include "harness.h"

using namespace sluice;
using namespace sluice::streamproto;
using namespace sluice::streamproto::test;

TEST_CASE("declaring a publisher tells its errors in order") {
  Peer peer;
  peer.open();
  const auto declare = [&](std::uint8_t id, std::string_view reference, std::string_view stream) {
    return peer.ask<DeclarePublisherResponse>(DeclarePublisher{id, reference, stream});
  };
  const std::string long_reference(256, 'r');
  peer.broker.forbidden = {{broker::Permission::write, "secret"}};
  peer.broker.streams["down"] = base::Errc::stream_unavailable;
  CHECK(declare(0, "", "s") == ResponseCode::ok);
  CHECK(declare(1, long_reference, "s") == ResponseCode::precondition_failed);
  CHECK(declare(1, long_reference, "secret") == ResponseCode::access_refused);
  CHECK(declare(0, "", "secret") == ResponseCode::access_refused);
  CHECK(declare(0, "", "nope") == ResponseCode::precondition_failed);
  CHECK(declare(1, "", "nope") == ResponseCode::stream_does_not_exist);
  CHECK(declare(1, "", "down") == ResponseCode::stream_not_available);
  CHECK(declare(1, "r", "s") == ResponseCode::ok);
  CHECK(declare(2, "r", "s") == ResponseCode::precondition_failed);
  CHECK(declare(2, "", "s") == ResponseCode::ok);
  CHECK(peer.broker.publishers.size() == 3);
  CHECK(peer.metrics.precondition_failed.get() == 3);

  Peer alarmed;
  alarmed.open();
  alarmed.broker.alarm = true;
  CHECK(alarmed.session->reading());
  CHECK(alarmed.ask<DeclarePublisherResponse>(DeclarePublisher{0, "", "secret"}) ==
        ResponseCode::precondition_failed);
}

TEST_CASE("publishers are deleted once and their ids can be used again") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<DeletePublisherResponse>(DeletePublisher{9}) == ResponseCode::publisher_does_not_exist);
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{9, "", "s"}) == ResponseCode::ok);
  peer.publish(9, {1, 2});
  const broker::Token old = peer.broker.published.at(0).publisher;
  CHECK(peer.ask<DeletePublisherResponse>(DeletePublisher{9}) == ResponseCode::ok);
  CHECK(peer.ask<DeletePublisherResponse>(DeletePublisher{9}) == ResponseCode::publisher_does_not_exist);
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{9, "", "s"}) == ResponseCode::ok);
  peer.broker.client->on_confirmed(old, std::vector<std::uint64_t>{1, 2});
  CHECK(peer.quiet());  // late
}

TEST_CASE("messages of both versions reach the broker and are confirmed") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{3, "", "s"}) == ResponseCode::ok);
  base::ByteBuffer bytes;
  PublishFrameWriter first(bytes, 3, 1);
  first.add(1, base::as_bytes("one"), "ignored");
  first.finish();
  PublishFrameWriter second(bytes, 3, 2);
  second.add(2, base::as_bytes("two"), "kr");
  second.add_sub_batch(3, Compression::zstd, 2, 100, base::as_bytes("packed"), "jp");
  second.finish();
  peer.feed(bytes);
  REQUIRE(peer.broker.published.size() == 3);
  CHECK(peer.broker.published[0].filter.empty());
  CHECK(peer.broker.published[1].filter == "kr");
  CHECK(peer.broker.published[1].body == "two");
  CHECK(peer.broker.published[2].is_sub_batch);
  CHECK(peer.broker.published[2].body == "packed");
  const std::vector<std::uint64_t> ids{1, 2, 3};
  peer.broker.client->on_confirmed(peer.broker.published[0].publisher, ids);
  const auto confirm = peer.expect<PublishConfirm>();
  CHECK(confirm.message.publisher_id == 3);
  CHECK(confirm.message.publishing_ids.size() == 3);
  CHECK(peer.transport.wakes > 0);
  std::vector<broker::PublisherRow> rows;
  peer.broker.client->list_publishers(rows);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].messages_published == 3);
  CHECK(rows[0].messages_confirmed == 3);
  peer.broker.client->on_refused(peer.broker.published[0].publisher, ids, base::Errc::stream_unavailable);
  CHECK(peer.expect<PublishError>().message.failures[0].code == ResponseCode::stream_not_available);
}

TEST_CASE("an unknown publisher is told for every id") {
  Peer peer;
  peer.open();
  peer.publish(5, {7, 8});
  const auto error = peer.expect<PublishError>();
  CHECK(error.message.publisher_id == 5);
  REQUIRE(error.message.failures.size() == 2);
  CHECK(error.message.failures[1].publishing_id == 8);
  CHECK(error.message.failures[1].code == ResponseCode::publisher_does_not_exist);
  CHECK(peer.metrics.publisher_does_not_exist.get() == 2);
}

TEST_CASE("a bad sub-batch refuses itself and all that follow") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{0, "", "s"}) == ResponseCode::ok);
  base::ByteBuffer bytes;
  PublishFrameWriter writer(bytes, 0, 1);
  writer.add(1, base::as_bytes("good"));
  writer.add_sub_batch(2, Compression::zstd, 0, 100, base::as_bytes("packed"));
  writer.add(3, base::as_bytes("good, but after it"));
  writer.finish();
  peer.feed(bytes);
  CHECK(peer.broker.published.size() == 1);
  const auto error = peer.expect<PublishError>();
  REQUIRE(error.message.failures.size() == 2);
  CHECK(error.message.failures[0].publishing_id == 2);
  CHECK(error.message.failures[1].publishing_id == 3);
  CHECK(error.message.failures[1].code == ResponseCode::precondition_failed);
  CHECK(peer.closing() == Closing::no);
}

TEST_CASE("entries that do not parse close the connection") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{0, "", "s"}) == ResponseCode::ok);
  peer.feed(from_hex("00000016 0002 0001 00 00000001 0000000000000001 00000009 61"));
  CHECK(peer.broker.published.empty());
  CHECK(peer.expect<Close>().message.closing_code == ResponseCode::unknown_frame);
}

TEST_CASE("the socket is not read without credit, until enough is confirmed") {
  stream::Options options;
  options.initial_credits = 10;
  options.credits_required_for_unblocking = 4;
  Peer peer(options);
  peer.open();
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{0, "", "s"}) == ResponseCode::ok);
  peer.publish(0, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(peer.session->reading());
  peer.publish(0, {10, 11});
  CHECK_FALSE(peer.session->reading());
  CHECK(peer.broker.client->describe().connection_state == "blocked");
  peer.publish(0, {12});
  CHECK(peer.broker.published.size() == 11);
  CHECK_FALSE(peer.input.empty());
  const broker::Token token = peer.broker.published[0].publisher;
  peer.broker.client->on_confirmed(token, std::vector<std::uint64_t>{1, 2, 3, 4, 5});
  CHECK_FALSE(peer.session->reading());
  peer.broker.client->on_confirmed(token, std::vector<std::uint64_t>{6});
  CHECK(peer.session->reading());
  peer.offer();
  CHECK(peer.broker.published.size() == 12);
  CHECK(peer.metrics.publishers_blocked.get() == 1);

  // What a deleted publisher had outstanding does not stay debited.
  peer.publish(0, {13, 14, 15, 16});
  CHECK_FALSE(peer.session->reading());
  peer.broker.client->on_stream_lost("/", "s");
  CHECK(peer.session->reading());
}

TEST_CASE("the broker stops and starts the reading of publishing connections only") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<DeclarePublisherResponse>(DeclarePublisher{0, "", "s"}) == ResponseCode::ok);
  peer.broker.client->on_flow(false);
  CHECK_FALSE(peer.session->reading());
  peer.broker.client->on_flow(true);
  CHECK(peer.session->reading());
  peer.broker.alarm = true;
  peer.publish(0, {1});
  CHECK_FALSE(peer.session->reading());  // seen at once, not only when told
  peer.broker.client->on_flow(true);
  CHECK(peer.session->reading());
}

TEST_CASE("publisher sequences") {
  Peer peer;
  peer.open();
  peer.send(QueryPublisherSequence{"ref", "s"}, 1);
  CHECK(peer.expect<QueryPublisherSequenceResponse>().message.sequence == 42);
  peer.send(QueryPublisherSequence{"other", "s"}, 1);
  CHECK(peer.expect<QueryPublisherSequenceResponse>().message.sequence == 0);
  CHECK(peer.ask<QueryPublisherSequenceResponse>(QueryPublisherSequence{"ref", "nope"}) ==
        ResponseCode::stream_does_not_exist);
  peer.broker.forbidden = {{broker::Permission::read, "nope"}};
  CHECK(peer.ask<QueryPublisherSequenceResponse>(QueryPublisherSequence{"ref", "nope"}) ==
        ResponseCode::access_refused);
}
