// SPDX-License-Identifier: Apache-2.0
// A client of an AMQP 0-9-1 session in one thread: feeds bytes, reads what the session sends, plays the
// clock. Behind the session are FakeBroker and FakeMessaging.
#pragma once

#include <catch2/catch.hpp>
#include <memory>

#include "amqp/session.h"
#include "message/properties.h"
#include "support/fake_broker.h"
#include "support/fake_messaging.h"
#include "support/fake_transport.h"
#include "support/test_shard.h"

namespace sluice::amqp::test {

using wire::BasicConsume;
using wire::BasicConsumeOk;
using wire::BasicDeliver;
using wire::BasicPublish;
using wire::ChannelClose;
using wire::ChannelCloseOk;
using wire::ChannelOpen;
using wire::ChannelOpenOk;
using wire::ConnectionClose;
using wire::ConnectionCloseOk;
using wire::ConnectionOpen;
using wire::ConnectionOpenOk;
using wire::ConnectionStart;
using wire::ConnectionStartOk;
using wire::ConnectionTune;
using wire::ConnectionTuneOk;
using wire::decode;
using wire::decode_content_header;
using wire::Frame;
using wire::frame_end;
using wire::FrameReader;
using wire::FrameType;
using wire::MethodId;
using wire::protocol_header;
using wire::QueueDeclare;
using wire::QueueDeclareOk;
using wire::write_content;
using wire::write_method;
using Closing = base::Session::Closing;

// A method with the bytes it points into.
template <class M>
struct Received {
  std::uint16_t channel = 0;
  M method;
  base::ByteBuffer bytes;
  const M* operator->() const { return &method; }
};

struct Content {
  base::ByteBuffer properties;
  std::string body;
};

class Peer {
 public:
  explicit Peer(Options options = {}) : node{std::move(options), "cluster", "0.1.0"} {
    session = std::make_unique<Session>(context, transport);
  }

  void feed(base::ByteView bytes) {
    input.insert(input.end(), bytes.begin(), bytes.end());
    offer();
  }
  void offer() {
    if (session->closing() != Closing::no) return;
    const std::size_t used = session->on_bytes(input);
    input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(used));
  }
  template <class M>
  void send(std::uint16_t channel, const M& method) {
    base::ByteBuffer bytes;
    write_method(channel, method, bytes);
    feed(bytes);
  }
  void send_frame(FrameType type, std::uint16_t channel, base::ByteView payload,
                  std::uint8_t end = frame_end) {
    base::ByteBuffer bytes;
    base::ByteWriter writer(bytes);
    writer.write(static_cast<std::uint8_t>(type));
    writer.write(channel);
    writer.write(static_cast<std::uint32_t>(payload.size()));
    writer.write_bytes(payload);
    writer.write(end);
    feed(bytes);
  }
  void send_header(std::uint16_t channel, std::uint64_t body_bytes, base::ByteView properties = no_properties,
                   std::uint16_t class_id = 60) {
    base::ByteBuffer payload;
    base::ByteWriter writer(payload);
    writer.write(class_id);
    writer.write(std::uint16_t{0});
    writer.write(body_bytes);
    writer.write_bytes(properties);
    send_frame(FrameType::header, channel, payload);
  }
  void send_body(std::uint16_t channel, std::string_view part) {
    send_frame(FrameType::body, channel, base::as_bytes(part));
  }
  // The whole message in one piece of input.
  void publish(std::uint16_t channel, std::string_view key, std::string_view body,
               base::ByteView properties = no_properties, std::string_view exchange = "",
               bool mandatory = false) {
    base::ByteBuffer bytes;
    write_method(channel, BasicPublish{0, exchange, key, mandatory, false}, bytes);
    write_content(channel, properties, base::as_bytes(body), frame_bytes, bytes);
    feed(bytes);
  }
  static base::ByteBuffer properties(const message::BasicProperties& properties) {
    base::ByteBuffer bytes;
    message::encode_properties(properties, bytes);
    return bytes;
  }

  void drain() { transport.take_sent(output); }
  // The bytes of the next frame; empty when there is none.
  base::ByteBuffer take() {
    drain();
    Frame frame;
    FrameReader reader(output);
    if (reader.next(0, frame) != FrameReader::Status::frame) return {};
    const auto end = output.begin() + static_cast<std::ptrdiff_t>(reader.used_bytes());
    base::ByteBuffer bytes(output.begin(), end);
    output.erase(output.begin(), end);
    return bytes;
  }
  static Frame frame_of(const base::ByteBuffer& bytes) {
    Frame frame;
    FrameReader reader(bytes);
    reader.next(0, frame);
    return frame;
  }
  bool quiet() { return take().empty(); }

  // The next frame, which must be an M.
  template <class M>
  Received<M> expect() {
    Received<M> received;
    received.bytes = take();
    const Frame frame = frame_of(received.bytes);
    INFO("expecting " << M::name << ", got " << describe(frame));
    REQUIRE(frame.type == FrameType::method);
    REQUIRE(base::load_be<std::uint32_t>(frame.payload.data()) == M::id.packed());
    auto method = decode<M>(frame.payload.subspan(4));
    REQUIRE(method.has_value());
    received.channel = frame.channel;
    received.method = *method;
    return received;
  }
  Content expect_content() {
    Content content;
    const base::ByteBuffer bytes = take();
    const Frame frame = frame_of(bytes);
    REQUIRE(frame.type == FrameType::header);
    const auto header = decode_content_header(frame.payload);
    REQUIRE(header.has_value());
    content.properties.assign(header->properties.begin(), header->properties.end());
    while (content.body.size() < header->body_bytes) {
      const base::ByteBuffer part = take();
      REQUIRE(frame_of(part).type == FrameType::body);
      content.body += base::as_text(frame_of(part).payload);
    }
    return content;
  }
  // "NAME - text" of the channel.close that comes now; answers it.
  std::string channel_error(std::uint16_t channel = 1) {
    const auto close = expect<ChannelClose>();
    CHECK(close.channel == channel);
    std::string text(close->reply_text);
    last_method = {close->class_id, close->method_id};
    send(channel, ChannelCloseOk{});
    return text;
  }
  // The same of connection.close; the connection is over afterwards.
  std::string connection_error() {
    const auto close = expect<ConnectionClose>();
    CHECK(close.channel == 0);
    std::string text(close->reply_text);
    last_method = {close->class_id, close->method_id};
    send(0, ConnectionCloseOk{});
    CHECK(session->closing() != Closing::no);
    return text;
  }

  void tick(std::int64_t ms) {
    shard.clock.advance(ms);
    session->on_tick(shard.clock.monotonic_ms());
  }
  // One turn of the shard's loop: the broker's news, then input that waited.
  void turn() {
    messaging.turn();
    offer();
  }

  void start(std::string_view password = "guest", std::vector<std::string> capabilities = {},
             std::string_view mechanism = "PLAIN") {
    feed(protocol_header);
    expect<ConnectionStart>();
    base::FieldTable announced, table;
    for (const std::string& name : capabilities) announced.set(name, true);
    table.set("capabilities", announced);
    table.set("connection_name", "tester");
    base::ByteBuffer bytes;
    base::ByteWriter writer(bytes);
    base::write_field_table(writer, table);
    const std::string response = std::string(1, '\0').append("guest").append(1, '\0').append(password);
    send(0, ConnectionStartOk{base::FieldTableView(base::ByteView(bytes).subspan(4)), mechanism, response,
                              "en_US"});
  }
  void open(std::vector<std::string> capabilities = {}, ConnectionTuneOk limits = {2047, 131'072, 60}) {
    start("guest", std::move(capabilities));
    expect<ConnectionTune>();
    send(0, limits);
    if (limits.frame_max != 0) frame_bytes = limits.frame_max;
    send(0, ConnectionOpen{"/", "", false});
    expect<ConnectionOpenOk>();
  }
  void open_channel(std::uint16_t channel = 1) {
    send(channel, ChannelOpen{});
    CHECK(expect<ChannelOpenOk>().channel == channel);
  }
  // An open connection with channel 1 and, if named, a queue.
  void ready(std::vector<std::string> capabilities = {}) {
    open(std::move(capabilities));
    open_channel();
  }
  void declare(std::string_view queue, std::uint16_t channel = 1) {
    QueueDeclare method;
    method.queue = queue;
    send(channel, method);
    expect<QueueDeclareOk>();
  }
  std::string consume(std::string_view queue, std::string_view tag = "", bool no_ack = false,
                      std::uint16_t channel = 1) {
    BasicConsume method;
    method.queue = queue;
    method.consumer_tag = tag;
    method.no_ack = no_ack;
    send(channel, method);
    return std::string(expect<BasicConsumeOk>()->consumer_tag);
  }
  std::uint64_t delivered(std::string_view body) {
    const auto deliver = expect<BasicDeliver>();
    CHECK(expect_content().body == body);
    return deliver->delivery_tag;
  }

  static constexpr std::uint8_t no_properties[2] = {0, 0};
  sluice::test::TestShard shard;
  sluice::test::FakeBroker broker;
  sluice::test::FakeMessaging messaging;
  Node node;
  Metrics metrics;
  Context context{shard.shard, broker, messaging, node, metrics};
  sluice::test::FakeTransport transport{5672};
  std::unique_ptr<Session> session;
  base::ByteBuffer input, output;
  std::uint32_t frame_bytes = 131'072;
  MethodId last_method;

 private:
  static std::string describe(const Frame& frame) {
    if (frame.type != FrameType::method) return fmt::format("frame type {}", static_cast<int>(frame.type));
    std::string text = fmt::format("method {:x}", base::load_be<std::uint32_t>(frame.payload.data()));
    if (base::load_be<std::uint32_t>(frame.payload.data()) == ChannelClose::id.packed()) {
      text += std::string(base::as_text(frame.payload.subspan(6)));
    }
    return text;
  }
};

}  // namespace sluice::amqp::test
