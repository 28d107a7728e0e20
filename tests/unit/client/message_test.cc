// SPDX-License-Identifier: Apache-2.0
#include "client/message.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace sluice;
using namespace sluice::client;

namespace {

Message full_message() {
  Message message;
  message.annotations = {{"x-exchange", std::string("logs")}};
  message.properties = MessageProperties{};
  message.properties->message_id = std::uint64_t{7};
  message.properties->user_id = Binary{{1, 2}};
  message.properties->to = "there";
  message.properties->subject = "readings";
  message.properties->reply_to = "back";
  message.properties->correlation_id = std::string("c-1");
  message.properties->content_type = Symbol{"text/plain"};
  message.properties->content_encoding = Symbol{"gzip"};
  message.properties->absolute_expiry_time = Timestamp{2'000'000'000'000};
  message.properties->creation_time = Timestamp{1'700'000'000'000};
  message.properties->group_id = "g";
  message.properties->group_sequence = 300;
  message.properties->reply_to_group_id = "rg";
  message.application_properties = {{"null", std::monostate{}},
                                    {"yes", true},
                                    {"small", std::int64_t{-5}},
                                    {"large", std::numeric_limits<std::int64_t>::min()},
                                    {"natural", std::uint64_t{1} << 60},
                                    {"real", 36.6},
                                    {"text", std::string(300, 'x')},
                                    {"symbol", Symbol{"s"}},
                                    {"time", Timestamp{-1}},
                                    {"bytes", Binary{base::ByteBuffer(1000, 9)}}};
  message.body.assign(500, 'b');
  return message;
}

}  // namespace

TEST_CASE("a message with everything in it comes back equal") {
  const Message message = full_message();
  const auto decoded = decode(encode(message));
  REQUIRE(decoded);
  CHECK(*decoded == message);
  const Value* real = find(decoded->application_properties, "real");
  REQUIRE(real != nullptr);
  CHECK(*real == Value(36.6));
  CHECK(find(decoded->application_properties, "none") == nullptr);
}

TEST_CASE("a data section alone is eight bytes or fewer around the body") {
  const base::ByteBuffer encoded = encode_data(base::as_bytes("hi"));
  CHECK(encoded == base::ByteBuffer{0x00, 0x53, 0x75, 0xa0, 2, 'h', 'i'});
  const auto body = data_of(encoded);
  REQUIRE(body);
  CHECK(base::as_text(*body) == "hi");
}

TEST_CASE("what other clients write is read: list8, map8, uint0, ubyte, list0, two data sections") {
  const base::ByteBuffer bytes = {0x00, 0x53, 0x73, 0xc0, 0x03, 0x01, 0x53, 0x2a,             // message id 42
                                  0x00, 0x53, 0x74, 0xc1, 0x09, 0x04, 0xa1, 0x01, 'a', 0x43,  // a = 0
                                  0xa1, 0x01, 'b',  0x45,                                     // b = list0
                                  0x00, 0x53, 0x75, 0xa0, 0x01, 'x',  0x00, 0x80, 0,   0,
                                  0,    0,    0,    0,    0,    0x75, 0xa0, 1,    'y'};
  const auto decoded = decode(bytes);
  REQUIRE(decoded);
  CHECK(decoded->properties->message_id == Value(std::uint64_t{42}));
  CHECK(*find(decoded->application_properties, "a") == Value(std::uint64_t{0}));
  CHECK(*find(decoded->application_properties, "b") == Value());
  CHECK(base::as_text(decoded->body) == "xy");
}

TEST_CASE("truncated and lying messages are refused") {
  const base::ByteBuffer whole = encode(full_message());
  const base::ByteView view = whole;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto decoded = decode(view.first(size));
    if (decoded) CHECK(decoded->body.empty());  // cut between two sections
  }
  CHECK_FALSE(
      decode(base::ByteBuffer{0x00, 0x53, 0x74, 0xd1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));
  CHECK_FALSE(decode(base::ByteBuffer{0x00, 0x53, 0x76, 0x40}));
  CHECK_FALSE(data_of(base::ByteBuffer{'p', 'l', 'a', 'i', 'n'}));
}
