// SPDX-License-Identifier: Apache-2.0
// A session with a fake broker and a fake transport: send commands, look at the frames that come back.
#pragma once

#include <catch2/catch.hpp>

#include "stream/session.h"
#include "streamproto/hex.h"
#include "support/fake_broker.h"
#include "support/fake_transport.h"
#include "support/test_shard.h"

// Inside streamproto, so that the commands go by their own names.
namespace sluice::streamproto::test {

class Peer {
 public:
  explicit Peer(stream::Options options = {}) : node{std::move(options), "cluster", "0.1.0"} {
    broker.streams["s"] = std::nullopt;
    session = std::make_unique<stream::Session>(context, transport);
  }

  // Bytes to the session, after those it has not used up yet.
  void feed(base::ByteView bytes) {
    input.insert(input.end(), bytes.begin(), bytes.end());
    offer();
  }
  void offer() {
    const std::size_t used = session->on_bytes(input);
    input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(used));
  }
  template <Command T>
  void send(const T& message, std::uint32_t correlation = 0, std::uint16_t version = 1) {
    base::ByteBuffer bytes;
    encode(message, correlation, bytes, version);
    feed(bytes);
  }

  // The next frame the session has sent, taken from the outbox; empty when there is none.
  std::optional<base::ByteBuffer> take() {
    drain();
    const FrameRead read = read_frame(output, 0);
    if (read.status != FrameStatus::complete) return std::nullopt;
    base::ByteBuffer frame(output.begin(), output.begin() + static_cast<std::ptrdiff_t>(read.size_bytes));
    output.erase(output.begin(), output.begin() + static_cast<std::ptrdiff_t>(read.size_bytes));
    return frame;
  }
  void drain() { transport.take_sent(output); }

  // The next frame, which must be a T.
  template <Command T>
  Received<T> expect() {
    last = take().value_or(base::ByteBuffer{});
    INFO("a " << T::info.name << ", got " << to_hex(last));
    const FrameRead read = read_frame(last, 0);
    REQUIRE(read.status == FrameStatus::complete);
    auto received = decode<T>(read.frame);
    REQUIRE(received.has_value());
    return std::move(*received);
  }
  template <Command Response, Command Request>
  ResponseCode ask(const Request& request) {
    send(request, ++next_correlation);
    const auto received = expect<Response>();
    CHECK(received.correlation == next_correlation);
    return received.message.code;
  }
  bool quiet() { return !take().has_value(); }

  void tick(std::int64_t ms) {
    shard.clock.advance(ms);
    session->on_tick(shard.clock.monotonic_ms());
  }

  static SaslAuthenticate plain(std::string_view user, std::string_view password) {
    static thread_local std::string data;
    data = std::string(1, '\0').append(user).append(1, '\0').append(password);
    return {"PLAIN", base::as_bytes(data)};
  }
  void authenticate() {
    send(PeerProperties{}, 0);
    expect<PeerPropertiesResponse>();
    send(SaslHandshake{}, 1);
    expect<SaslHandshakeResponse>();
    send(plain("guest", "guest"), 2);
    CHECK(expect<SaslAuthenticateResponse>().message.code == ResponseCode::ok);
    expect<Tune>();
  }
  void open() {
    authenticate();
    send(TuneResponse{1 << 20, 60});
    send(Open{"/"}, 3);
    CHECK(expect<OpenResponse>().message.code == ResponseCode::ok);
  }
  void publish(std::uint8_t publisher, std::vector<std::uint64_t> ids, std::string_view body = "m") {
    base::ByteBuffer bytes;
    PublishFrameWriter writer(bytes, publisher, 1);
    for (const std::uint64_t id : ids) writer.add(id, base::as_bytes(body));
    writer.finish();
    feed(bytes);
  }
  base::Session::Closing closing() const { return session->closing(); }

  sluice::test::TestShard shard;
  sluice::test::FakeBroker broker;
  stream::Node node;
  stream::Metrics metrics;
  stream::Context context{shard.shard, broker, node, metrics};
  sluice::test::FakeTransport transport;
  std::unique_ptr<stream::Session> session;
  base::ByteBuffer input, output, last;
  std::uint32_t next_correlation = 100;
};

using Closing = base::Session::Closing;

}  // namespace sluice::streamproto::test
