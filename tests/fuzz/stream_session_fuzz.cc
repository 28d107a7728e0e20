// SPDX-License-Identifier: Apache-2.0
// Any bytes as a client of the stream protocol, before and after Open, in pieces, with events of the broker
// in between. Whatever comes in: nothing crashes, the session uses up no more than it was given, what it
// sends is well-formed frames, and a connection that is over stays over.
#include "base/check.h"
#include "stream/session.h"
#include "support/fake_broker.h"
#include "support/fed_session.h"
#include "support/test_shard.h"

using namespace sluice;
using namespace sluice::streamproto;

namespace {

class World {
 public:
  World() {
    broker_.streams["s"] = std::nullopt;
    broker_.streams["down"] = base::Errc::stream_unavailable;
    for (int i = 0; i < 4; ++i) broker_.consumer.chunks.emplace_back(60, 'c');
  }

  void open() {
    base::ByteBuffer bytes;
    encode(PeerProperties{}, 0, bytes);
    encode(SaslHandshake{}, 0, bytes);
    const std::string plain("\0guest\0guest", 12);
    encode(SaslAuthenticate{"PLAIN", base::as_bytes(plain)}, 0, bytes);
    encode(TuneResponse{4096, 10}, 0, bytes);
    encode(Open{"/"}, 0, bytes);
    encode(DeclarePublisher{0, "ref", "s"}, 0, bytes);
    encode(Subscribe{0, "s", OffsetSpec::first(), 2, {}}, 0, bytes);
    feed(bytes);
    INVARIANT(feeder_.all_used() && broker_.client != nullptr, "not open");
  }

  void feed(base::ByteView piece) {
    feeder_.feed(piece);
    drain();
  }

  void event(std::uint8_t what) {
    const bool over = feeder_.is_over();
    broker::Client* client = broker_.client;
    if (client != nullptr && !broker_.published.empty() && what % 8 == 0) {
      client->on_confirmed(broker_.published.back().publisher, std::vector<std::uint64_t>{1, 2});
    }
    if (client != nullptr && !broker_.consumers.empty() && what % 8 == 1)
      client->on_readable(broker_.consumers.back());
    if (client != nullptr && !broker_.consumers.empty() && what % 8 == 2) {
      client->on_consumer_update(broker_.consumers.back(), (what & 8) != 0);
    }
    if (client != nullptr && what % 8 == 3) client->on_stream_lost("/", "s");
    if (what % 8 == 4) broker_.hold_answers = true;
    if (what % 8 == 5) broker_.hold_answers = false, broker_.answer_held();
    if (what % 8 >= 6) {
      shard_.clock.advance(100 * what);
      session_.on_tick(shard_.clock.monotonic_ms());
    }
    drain();
    if (over) INVARIANT(feeder_.is_over(), "came back");
  }

 private:
  void drain() {
    const base::ByteBuffer output = wire_.take_sent();
    FrameReader reader(output, 0);
    FrameRead read = reader.next();
    while (read.status == FrameStatus::complete) read = reader.next();
    INVARIANT(reader.consumed_bytes() == output.size(), "an outbox that is not frames");
  }

  test::TestShard shard_;
  test::FakeBroker broker_;
  stream::Node node_{{}, "fuzz", "0"};
  stream::Metrics metrics_;
  stream::Context context_{shard_.shard, broker_, node_, metrics_};
  test::FakeTransport wire_;
  stream::Session session_{context_, wire_};
  test::Feeder feeder_{session_};
};

}  // namespace

// First byte: bit 0 opens the connection first, bit 1 cuts the rest into pieces at bytes of value 0xFE, each
// followed by an event; else it is one piece.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  World world;
  if ((data[0] & 1) != 0) world.open();
  base::ByteView rest(data + 1, size - 1);
  while ((data[0] & 2) != 0 && !rest.empty()) {
    std::size_t cut = 0;
    while (cut < rest.size() && rest[cut] != 0xFE) ++cut;
    world.feed(rest.first(cut));
    if (cut + 1 < rest.size()) world.event(rest[cut + 1]);
    rest = rest.subspan(std::min(rest.size(), cut + 2));
  }
  world.feed(rest);
  for (std::uint8_t what = 0; what < 8; ++what) world.event(what);
  return 0;
}
