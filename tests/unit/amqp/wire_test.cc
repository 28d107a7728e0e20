// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <set>

#include "amqp/wire/content.h"
#include "amqp/wire/deliver.h"
#include "amqp/wire/methods.h"
#include "message/properties.h"

using namespace sluice;
using namespace sluice::amqp::wire;
using message::BasicProperties;
using message::decode_properties;
using message::encode_properties;

namespace {

const base::ByteBuffer sample_table = [] {
  base::FieldTable table;
  table.set("x-queue-type", "quorum");
  base::ByteBuffer bytes;
  base::ByteWriter writer(bytes);
  base::write_field_table(writer, table);
  return base::ByteBuffer(bytes.begin() + 4, bytes.end());
}();

// Every field gets a value of its own, so that swapped fields do not go unseen.
template <class M>
M filled() {
  M method;
  unsigned n = 1;
  base::for_each_field(method, [&](const auto& field, auto& member) {
    using T = std::remove_cvref_t<decltype(member)>;
    if constexpr (std::is_same_v<T, bool>) {
      member = n % 2 == 1;
    } else if constexpr (std::is_integral_v<T>) {
      member = static_cast<T>(n * 3);
    } else if constexpr (std::is_same_v<T, base::FieldTableView>) {
      member = T(sample_table);
    } else {
      member = field.name;
    }
    ++n;
  });
  return method;
}

template <class M>
bool equal(const M& a, const M& b) {
  bool same = true;
  base::for_each_field(a, [&](const auto& field, const auto& member) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, base::FieldTableView>) {
      same = same && std::ranges::equal(member.bytes(), (b.*(field.member)).bytes());
    } else {
      same = same && member == b.*(field.member);
    }
  });
  return same;
}

std::string hex(base::ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02X}", byte);
  return text;
}

}  // namespace

TEST_CASE("every method survives a round trip and refuses every truncation") {
  std::set<std::uint32_t> ids;
  Methods::for_each([&]<class M>(std::type_identity<M>) {
    INFO(M::name);
    CHECK(ids.insert(M::id.packed()).second);
    const M method = filled<M>();
    base::ByteBuffer bytes;
    encode(method, bytes);
    const auto back = decode<M>(bytes);
    REQUIRE(back);
    CHECK(equal(method, *back));
    for (std::size_t size = 0; size < bytes.size(); ++size)
      CHECK_FALSE(decode<M>(base::ByteView(bytes).first(size)));
  });
  CHECK(ids.size() == 66);
}

TEST_CASE("bytes as the specification lays them out") {
  base::ByteBuffer bytes;
  QueueDeclare declare;
  declare.queue = "q";
  declare.durable = true;
  declare.no_wait = true;
  write_method(1, declare, bytes);
  CHECK(hex(bytes) ==
        "010001"
        "0000000D"
        "0032000A"
        "0000"
        "0171"
        "12"
        "00000000"
        "CE");
  bytes.clear();
  write_method(0, ConnectionTune{2047, 131072, 60}, bytes);
  CHECK(hex(bytes) ==
        "010000"
        "0000000C"
        "000A001E"
        "07FF"
        "00020000"
        "003C"
        "CE");
}

TEST_CASE("dispatch finds the method by its id") {
  base::ByteBuffer bytes;
  encode(filled<BasicAck>(), bytes);
  std::string_view seen;
  const auto see = [&](const auto& method) { seen = std::remove_cvref_t<decltype(method)>::name; };
  CHECK(Methods::dispatch(BasicAck::id, bytes, see, [](const base::Error&) {}));
  CHECK(seen == "basic.ack");
  CHECK_FALSE(Methods::dispatch({60, 99}, bytes, see, [](const base::Error&) {}));
  bool refused = false;
  CHECK(Methods::dispatch(BasicAck::id, {}, see, [&](const base::Error&) { refused = true; }));
  CHECK(refused);
  refused = false;
  bytes.push_back(0);
  CHECK(Methods::dispatch(BasicAck::id, bytes, see, [&](const base::Error&) { refused = true; }));
  CHECK(refused);
}

TEST_CASE("frames: whole, partial, too large, badly ended, of no known type") {
  base::ByteBuffer bytes;
  write_method(7, BasicAck{5, true}, bytes);
  Frame frame;
  FrameReader whole(bytes);
  REQUIRE(whole.next(0, frame) == FrameReader::Status::frame);
  CHECK(frame.channel == 7);
  CHECK(whole.used_bytes() == bytes.size());
  CHECK(whole.next(0, frame) == FrameReader::Status::need_more);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    FrameReader partial(base::ByteView(bytes).first(size));
    CHECK(partial.next(0, frame) == FrameReader::Status::need_more);
    CHECK(partial.used_bytes() == 0);
  }
  // Clients that forget the eight bytes around the payload are let through.
  CHECK(FrameReader(bytes).next(static_cast<std::uint32_t>(bytes.size() - 8), frame) ==
        FrameReader::Status::frame);
  CHECK(FrameReader(bytes).next(static_cast<std::uint32_t>(bytes.size() - 9), frame) ==
        FrameReader::Status::too_large);
  base::ByteBuffer bad = bytes;
  bad.back() = 0;
  CHECK(FrameReader(bad).next(0, frame) == FrameReader::Status::bad_end);
  bad[0] = 9;
  CHECK(FrameReader(bad).next(0, frame) == FrameReader::Status::unknown_type);
}

TEST_CASE("content: properties round trip and bodies are cut into frames") {
  BasicProperties properties;
  properties.content_type = "application/json";
  properties.headers = base::FieldTableView(sample_table);
  properties.delivery_mode = std::uint8_t{2};
  properties.timestamp = 1'700'000'000;
  properties.app_id = "app";
  base::ByteBuffer encoded;
  encode_properties(properties, encoded);
  const auto back = decode_properties(encoded);
  REQUIRE(back);
  CHECK(back->content_type == "application/json");
  CHECK(back->delivery_mode == 2);
  CHECK_FALSE(back->priority);
  CHECK(back->timestamp == 1'700'000'000);
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    CHECK_FALSE(decode_properties(base::ByteView(encoded).first(size)));
  }

  const base::ByteBuffer body(1000, 'x');
  base::ByteBuffer bytes;
  write_content(3, encoded, body, 300, bytes);
  FrameReader reader(bytes);
  Frame frame;
  REQUIRE(reader.next(300, frame) == FrameReader::Status::frame);
  const auto header = decode_content_header(frame.payload);
  REQUIRE(header);
  CHECK(header->body_bytes == 1000);
  CHECK(std::ranges::equal(header->properties, encoded));
  std::size_t received = 0;
  while (reader.next(300, frame) == FrameReader::Status::frame) {
    CHECK(frame.type == FrameType::body);
    received += frame.payload.size();
  }
  CHECK(received == 1000);
  CHECK(reader.used_bytes() == bytes.size());
}

TEST_CASE("a delivery in one go is what method and content make") {
  const std::string body(20'000, 'b');
  for (const std::size_t size : {0u, 1u, 8'183u, 8'184u, 8'185u, 20'000u}) {
    for (const std::uint32_t frame_max : {0u, 8'192u}) {
      const BasicDeliver deliver{"tag", 77, size % 2 == 0, "exchange", "key"};
      const std::uint8_t properties[] = {0x10, 0, 2};
      const auto part = base::as_bytes(body).first(size);
      base::ByteBuffer fast{1, 2, 3}, plain{1, 2, 3};
      write_deliver(5, deliver, properties, part, frame_max, fast);
      write_method(5, deliver, plain);
      write_content(5, properties, part, frame_max, plain);
      CHECK(fast == plain);
    }
  }
}
