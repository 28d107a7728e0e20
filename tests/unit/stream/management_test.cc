// SPDX-License-Identifier: Apache-2.0
// Streams, superstreams, metadata, offsets, statistics; and any bytes at all on an open connection.
#include <random>

#include "harness.h"

using namespace sluice;
using namespace sluice::streamproto;
using namespace sluice::streamproto::test;

TEST_CASE("creating and deleting streams") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<CreateResponse>(Create{"new", {{"max-age", "6h"}}}) == ResponseCode::ok);
  CHECK(peer.broker.arguments.at("max-age") == "6h");
  CHECK(peer.ask<CreateResponse>(Create{"new", {}}) == ResponseCode::stream_already_exists);
  for (const auto& [error, code] :
       {std::pair{base::Errc::precondition_failed, ResponseCode::precondition_failed},
        std::pair{base::Errc::access_refused, ResponseCode::access_refused},
        std::pair{base::Errc::io_failed, ResponseCode::internal_error}}) {
    peer.broker.next_error = error;
    CHECK(peer.ask<CreateResponse>(Create{"another", {}}) == code);
  }
  peer.broker.next_error.reset();
  CHECK(peer.ask<DeleteResponse>(Delete{"new"}) == ResponseCode::ok);
  CHECK(peer.ask<DeleteResponse>(Delete{"new"}) == ResponseCode::stream_does_not_exist);
}

TEST_CASE("metadata has a code per stream") {
  Peer peer;
  peer.open();
  peer.broker.streams["down"] = base::Errc::stream_unavailable;
  peer.broker.streams["secret"] = base::Errc::access_refused;
  peer.send(Metadata{{"s", "down", "nope", "secret"}}, 1);
  const auto metadata = peer.expect<MetadataResponse>();
  REQUIRE(metadata.message.brokers.size() == 1);
  CHECK(metadata.message.brokers[0].host == "127.0.0.1");
  CHECK(metadata.message.brokers[0].port == 5552);
  const auto& streams = metadata.message.streams;
  REQUIRE(streams.size() == 4);
  CHECK(streams[0].code == ResponseCode::ok);
  CHECK(streams[0].leader == 0);
  CHECK(streams[1].code == ResponseCode::stream_not_available);
  CHECK(streams[1].leader == no_broker);
  CHECK(streams[2].code == ResponseCode::stream_does_not_exist);
  CHECK(streams[3].code == ResponseCode::access_refused);
}

TEST_CASE("superstreams") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<CreateSuperStreamResponse>(CreateSuperStream{"ss", {"ss-0", "ss-1"}, {"0", "1"}, {}}) ==
        ResponseCode::ok);
  peer.send(Partitions{"ss"}, 1);
  CHECK(peer.expect<PartitionsResponse>().message.streams == std::vector<std::string_view>{"ss-0", "ss-1"});
  peer.send(Route{"k", "ss"}, 1);
  CHECK(peer.expect<RouteResponse>().message.streams.size() == 2);
  CHECK(peer.ask<PartitionsResponse>(Partitions{"nope"}) == ResponseCode::stream_does_not_exist);
  CHECK(peer.ask<RouteResponse>(Route{"k", "nope"}) == ResponseCode::stream_does_not_exist);
  CHECK(peer.ask<DeleteSuperStreamResponse>(DeleteSuperStream{"ss"}) == ResponseCode::ok);
  CHECK(peer.ask<DeleteSuperStreamResponse>(DeleteSuperStream{"ss"}) == ResponseCode::stream_does_not_exist);
}

TEST_CASE("offsets are stored without an answer and found again") {
  Peer peer;
  peer.open();
  CHECK(peer.ask<QueryOffsetResponse>(QueryOffset{"app", "s"}) == ResponseCode::no_offset);
  peer.send(StoreOffset{"app", "s", 100});
  CHECK(peer.quiet());
  peer.send(QueryOffset{"app", "s"}, 1);
  CHECK(peer.expect<QueryOffsetResponse>().message.offset == 100);
  const std::string long_name(256, 'n');
  peer.send(StoreOffset{long_name, "s", 100});
  peer.send(StoreOffset{"lost", "nope", 100});
  peer.broker.forbidden = {{broker::Permission::read, "s"}};
  peer.send(StoreOffset{"refused", "s", 100});
  CHECK(peer.quiet());
  CHECK(peer.broker.offsets.size() == 1);
  CHECK(peer.ask<QueryOffsetResponse>(QueryOffset{"app", "s"}) == ResponseCode::access_refused);
  CHECK(peer.ask<QueryOffsetResponse>(QueryOffset{"app", "nope"}) == ResponseCode::stream_does_not_exist);
}

TEST_CASE("statistics and offset specs") {
  Peer peer;
  peer.open();
  peer.send(StreamStats{"s"}, 1);
  const auto stats = peer.expect<StreamStatsResponse>();
  REQUIRE(stats.message.statistics.size() == 4);
  CHECK(stats.message.statistics[3] == Statistic{"committed_offset", 12});
  CHECK(peer.ask<StreamStatsResponse>(StreamStats{"nope"}) == ResponseCode::stream_does_not_exist);
  peer.send(ResolveOffsetSpec{"s", OffsetSpec::last(), {}}, 1);
  CHECK(peer.expect<ResolveOffsetSpecResponse>().message.offset_spec == OffsetSpec::at(10));
  peer.broker.next_error = base::Errc::no_offset;
  CHECK(peer.ask<ResolveOffsetSpecResponse>(ResolveOffsetSpec{"s", OffsetSpec::next(), {}}) ==
        ResponseCode::no_offset);
}

TEST_CASE("any bytes on an open connection end it with a code at most") {
  std::mt19937_64 random(1);
  std::vector<base::ByteBuffer> frames;
  for_each_command(AllCommands{}, [&]<Command T>() {
    for (const std::string_view example : T::examples) frames.push_back(from_hex(example));
  });
  for (int round = 0; round < 3000; ++round) {
    Peer peer;
    peer.open();
    for (int i = 0; i < 8 && peer.closing() == Closing::no; ++i) {
      base::ByteBuffer bytes = frames[random() % frames.size()];
      if (random() % 2 == 0) bytes[4 + random() % (bytes.size() - 4)] = static_cast<std::uint8_t>(random());
      if (random() % 8 == 0)
        bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1U << (random() % 8));
      peer.feed(bytes);
    }
    while (peer.take()) {
    }
    peer.tick(200'000);
    CHECK(peer.closing() != Closing::no);
  }
}
