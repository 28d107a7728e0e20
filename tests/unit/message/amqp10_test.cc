// SPDX-License-Identifier: Apache-2.0
#include "message/amqp10.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "filters/amqp_sections.h"
#include "message/text.h"
#include "support/field_tables.h"

using namespace sluice;
using namespace sluice::message;
using filters::AmqpProperty;
using filters::AmqpSections;
using test::table_bytes;
using Kind = filters::AmqpValue::Kind;

namespace {

std::string hex(base::ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// A message in 0-9-1 with everything it points to.
struct Sample {
  std::string exchange = "ex", key = "a.b";
  BasicProperties properties;
  base::FieldTable headers;
  std::string body = "hello";

  base::ByteBuffer encoded() const {
    BasicProperties all = properties;
    const auto bytes = table_bytes(headers);
    if (!headers.empty()) all.headers = base::FieldTableView(bytes);
    base::ByteBuffer to;
    encode_properties(all, to);
    return to;
  }
  base::ByteBuffer amqp10(Keep keep = Keep::convertible) const {
    base::ByteBuffer to;
    const auto bytes = encoded();
    append_amqp10({exchange, key, bytes, base::as_bytes(body)}, keep, to);
    return to;
  }
};

struct Back {
  explicit Back(base::ByteView amqp10, std::optional<std::uint64_t> offset = {})
      : bytes(amqp10.begin(), amqp10.end()) {
    result = converter.convert(bytes, offset);
    properties = decode_properties(result.message.properties).value();
    if (properties.headers) headers = base::decode_field_table(properties.headers->bytes()).value();
  }
  std::string body() const { return std::string(base::as_text(result.message.body)); }

  base::ByteBuffer bytes;
  ToBasic converter;
  ToBasic::Result result;
  BasicProperties properties;
  base::FieldTable headers;
};

base::ByteBuffer bytes_of(std::string_view hex_text) {
  base::ByteBuffer bytes;
  for (std::size_t i = 0; i + 1 < hex_text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(hex_text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

}  // namespace

TEST_CASE("a plain persistent message becomes these bytes") {
  Sample sample;
  sample.properties.delivery_mode = std::uint8_t{2};
  CHECK(hex(sample.amqp10()) ==
        "005370c0020141"                    // header: durable
        "005372c12504"                      // message annotations, 4 values in 36 bytes and their count
        "a30a782d65786368616e6765a1026578"  // x-exchange = ex
        "a30d782d726f7574696e672d6b6579a103612e62"  // x-routing-key = a.b
        "005375a00568656c6c6f");                    // data: hello
}

TEST_CASE("every property has its place in AMQP 1.0") {
  Sample sample;
  BasicProperties& p = sample.properties;
  p.content_type = "application/json";
  p.content_encoding = "gzip";
  p.delivery_mode = std::uint8_t{1};
  p.priority = std::uint8_t{7};
  p.correlation_id = "corr";
  p.reply_to = "my queue/1";
  p.expiration = "60000";
  p.message_id = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
  p.timestamp = 1'700'000'000;
  p.type = "order";
  p.user_id = "guest";
  p.app_id = "shop";
  p.cluster_id = "gone";
  const auto bytes = sample.amqp10();
  const auto sections = AmqpSections::parse(bytes);
  REQUIRE(sections.has_body);
  filters::AmqpListCursor header(sections.header);
  filters::AmqpValue value;
  REQUIRE(header.next(value));
  CHECK_FALSE(value.boolean);
  REQUIRE(header.next(value));
  CHECK(value.uinteger == 7);
  CHECK(value.code == 0x50);
  REQUIRE(header.next(value));
  CHECK(value.uinteger == 60000);
  CHECK(sections.property(AmqpProperty::message_id).kind == Kind::uuid);
  CHECK(sections.property(AmqpProperty::user_id).kind == Kind::binary);
  CHECK(sections.property(AmqpProperty::reply_to).text == "/queues/my%20queue%2F1");
  CHECK(sections.property(AmqpProperty::correlation_id).text == "corr");
  CHECK(sections.property(AmqpProperty::content_type).code == 0xA3);
  CHECK(sections.property(AmqpProperty::content_encoding).text == "gzip");
  CHECK(sections.property(AmqpProperty::creation_time).integer == 1'700'000'000'000);
  CHECK(sections.property(AmqpProperty::group_id).text == "shop");
  CHECK(sections.message_annotation("x-basic-type").text == "order");

  const Back back(bytes);
  CHECK(back.result.routed);
  CHECK(back.result.message.exchange == "ex");
  CHECK(back.result.message.routing_key == "a.b");
  CHECK(back.body() == "hello");
  p.cluster_id.reset();  // AMQP 1.0 has no place for it
  CHECK(std::ranges::equal(back.result.message.properties, sample.encoded()));
}

TEST_CASE("headers: x- ones become annotations, scalars application properties, the rest is dropped") {
  Sample sample;
  auto& h = sample.headers;
  h.set("x-stream-filter-value", "de");
  h.set("x-list", base::FieldArray{std::int64_t{1}, base::FieldTable{{{"k", true}}}});
  h.set("CC", base::FieldArray{"one", "two"});
  h.set("BCC", base::FieldArray{"three"});
  h.set("table", base::FieldTable{{{"k", "v"}}});
  h.set("int8", std::int8_t{-1});
  h.set("uint8", std::uint8_t{200});
  h.set("int16", std::int16_t{-300});
  h.set("uint16", std::uint16_t{60000});
  h.set("int32", std::int32_t{-70000});
  h.set("uint32", std::uint32_t{4'000'000'000});
  h.set("int64", std::int64_t{-5'000'000'000});
  h.set("float", 1.5F);
  h.set("double", 2.5);
  h.set("void", base::FieldVoid{});
  h.set("bool", true);
  h.set("text", std::string(300, 'x'));
  h.set("bytes", base::ByteBuffer{0, 255});
  h.set("time", base::FieldTimestamp{1'700'000'000});
  h.set("x-exchange", "somebody else's");
  const auto bytes = sample.amqp10();
  const auto sections = AmqpSections::parse(bytes);
  CHECK(sections.message_annotation("x-stream-filter-value").text == "de");
  CHECK(sections.message_annotation("x-exchange").text == "ex");
  CHECK(sections.message_annotation("x-cc").kind == Kind::other);
  CHECK(sections.application_property("int32").integer == -70000);
  CHECK(sections.application_property("table").kind == Kind::absent);
  CHECK(sections.application_property("BCC").kind == Kind::absent);
  const auto properties = sample.encoded();
  CHECK(stream_filter_value(decode_properties(properties).value()) == "de");

  const Back back(bytes, 77);
  CHECK(back.headers.find("x-stream-offset")->integer() == 77);
  for (const char* gone : {"BCC", "table", "x-exchange"}) {
    h.remove(gone);
    CHECK_FALSE(back.headers.find(gone));
  }
  CHECK(back.headers.entries.size() == h.entries.size() + 1);
  for (const auto& [name, value] : h.entries) {
    INFO(name);
    REQUIRE(back.headers.find(name));
    CHECK(*back.headers.find(name) == value);
  }
}

TEST_CASE("what is kept comes back exactly") {
  Sample sample;
  sample.headers.set("table", base::FieldTable{{{"k", "v"}}});
  sample.headers.set("money", base::FieldDecimal{2, 1999});
  sample.headers.set("latin1", std::string("\xE9t\xE9"));
  sample.properties.cluster_id = "c";
  const Back back(sample.amqp10(Keep::everything));
  CHECK(std::ranges::equal(back.result.message.properties, sample.encoded()));
  CHECK(back.body() == sample.body);
  const Back with_offset(sample.amqp10(Keep::everything), 5);
  CHECK(with_offset.headers.find("x-stream-offset")->integer() == 5);
  CHECK(with_offset.headers.find("table"));
  CHECK(with_offset.properties.cluster_id == "c");
}

TEST_CASE("text that is no UTF-8 travels as binary") {
  Sample sample;
  sample.headers.set("latin1", std::string("\xE9t\xE9"));
  const Back back(sample.amqp10());
  CHECK(back.headers.find("latin1")->type_letter() == 'x');
  CHECK(back.headers.find("latin1")->text() == "\xE9t\xE9");
}

TEST_CASE("bodies: data sections are joined, others stay encoded with type amqp-1.0") {
  const Back two(bytes_of("005375a0026162005375a0026364"));
  CHECK(two.body() == "abcd");
  CHECK_FALSE(two.properties.type);
  CHECK_FALSE(two.result.routed);
  CHECK(two.properties.delivery_mode == 2);

  const std::string value_section = "005377a1026869";
  const Back value(bytes_of(value_section));
  CHECK(value.properties.type == "amqp-1.0");
  CHECK(hex(value.result.message.body) == value_section);
  Sample again;
  again.properties.type = "amqp-1.0";
  again.body = value.body();
  CHECK(hex(again.amqp10()).ends_with(value_section));
  CHECK_FALSE(hex(again.amqp10()).ends_with("75a007" + value_section));

  again.body = "not sections";
  CHECK(Back(again.amqp10()).body() == "not sections");

  const Back no_amqp(base::as_bytes("plain bytes"));
  CHECK(no_amqp.body() == "plain bytes");
  CHECK(Back({}).body().empty());
}

TEST_CASE("ids of other types") {
  // properties: message-id ulong 5, correlation-id binary 0102
  const Back ids(
      bytes_of("005373c00b065305404040"
               "40a0020102"
               "005375a00161"));
  CHECK(ids.properties.message_id == "5");
  CHECK_FALSE(ids.properties.correlation_id);
  CHECK(ids.headers.find("x-correlation-id")->type_letter() == 'x');
}

TEST_CASE("deaths and the time of receipt have names of their own in AMQP 0-9-1") {
  // annotations: x-opt-rabbitmq-received-time = 1000 ms; x-opt-deaths = [{queue: q, reason: rejected, count:
  // 2, first-time: 3000, last-time: 4000, ttl: 9}]
  const std::string death =
      "a305"
      "7175657565"
      "a10171"
      "a306"
      "726561736f6e"
      "a308"
      "72656a6563746564"
      "a305"
      "636f756e74"
      "5302"
      "a30a"
      "66697273742d74696d65"
      "830000000000000bb8"
      "a309"
      "6c6173742d74696d65"
      "830000000000000fa0"
      "a303"
      "74746c"
      "5209";
  const std::string map = fmt::format("{:02x}0c{}", death.size() / 2 + 1, death);
  const std::string array = fmt::format("e0{:02x}01c1{}", map.size() / 2 + 2, map);
  const std::string annotations =
      "a31c"
      "782d6f70742d7261626269746d712d72656365697665642d74696d65"
      "8300000000000003e8"
      "a30c"
      "782d6f70742d646561746873" +
      array;
  const std::string message =
      fmt::format("005372c1{:02x}04{}005375a000", annotations.size() / 2 + 1, annotations);
  const Back back(bytes_of(message));
  CHECK(back.headers.find("timestamp_in_ms")->integer() == 1000);
  REQUIRE(back.headers.find("x-death"));
  const auto* deaths = back.headers.find("x-death")->as<base::FieldArray>();
  REQUIRE(deaths);
  REQUIRE(deaths->size() == 1);
  const auto& table_of_death = *(*deaths)[0].as<base::FieldTable>();
  CHECK(table_of_death.find("queue")->text() == "q");
  CHECK(table_of_death.find("reason")->text() == "rejected");
  CHECK(table_of_death.find("count")->integer() == 2);
  CHECK(table_of_death.find("time")->as<base::FieldTimestamp>()->seconds == 3);
  CHECK(table_of_death.find("original-expiration")->text() == "9");
  CHECK_FALSE(table_of_death.find("last-time"));
}

TEST_CASE("random messages survive a round trip") {
  std::mt19937 random(20261121);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 2000; ++round) {
    Sample sample;
    sample.body.assign(below(3) == 0 ? below(5000) : below(300), static_cast<char>(below(256)));
    sample.exchange.assign(below(256), 'e');
    sample.key.assign(below(256), 'k');
    const std::string text(below(200), static_cast<char>('a' + below(26)));
    if (below(2)) sample.properties.message_id = text;
    if (below(2)) sample.properties.reply_to = text;
    if (below(2)) sample.properties.content_type = text;
    if (below(2)) sample.properties.priority = static_cast<std::uint8_t>(below(256));
    sample.properties.delivery_mode = static_cast<std::uint8_t>(1 + below(2));
    if (below(2)) sample.properties.expiration = "17";
    for (std::uint32_t i = below(8); i > 0; --i) sample.headers.set(fmt::format("x-{}", i), std::int64_t{i});
    for (std::uint32_t i = below(40); i > 0; --i) sample.headers.set(fmt::format("h{}", i), text);
    const Back back(sample.amqp10());
    INFO(round);
    REQUIRE(back.body() == sample.body);
    REQUIRE(back.result.message.exchange == sample.exchange);
    REQUIRE(back.result.message.routing_key == sample.key);
    REQUIRE(std::ranges::equal(back.result.message.properties, sample.encoded()));
  }
}

TEST_CASE("headers that would not fit a frame are left out") {
  base::ByteBuffer message = bytes_of("005374d1");
  base::ByteWriter writer(message);
  constexpr std::uint32_t pairs = 2000;
  writer.write(std::uint32_t{4 + pairs * 110});
  writer.write(2 * pairs);
  for (std::uint32_t i = 0; i < pairs; ++i) {
    writer.write_bytes(bytes_of("a104"));
    writer.write(i | 0x40404040);
    writer.write_bytes(bytes_of("a066"));
    message.resize(message.size() + 102, 'v');
  }
  const auto body = bytes_of("005375a00161");
  message.insert(message.end(), body.begin(), body.end());
  const Back back(message, 1);
  CHECK(back.body() == "a");
  CHECK(back.headers.entries.size() > 1000);
  CHECK(back.result.message.properties.size() < properties_bytes_max + 100);
}

TEST_CASE("text forms") {
  for (const char* good : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC uro and more text", "\xF0\x9F\x98\x80"})
    CHECK(is_utf8(good));
  for (const char* bad : {"\x80", "\xC0\x80", "\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80", "12345678\xFF"})
    CHECK_FALSE(is_utf8(bad));
  CHECK_FALSE(uuid_from_urn("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf"));
  CHECK_FALSE(uuid_from_urn("urn:uuid:f81d4fae07dec-11d0-a765-00a0c91e6bf6"));
  CHECK_FALSE(uuid_from_urn("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bfg"));
  std::array<char, 4> room{};
  CHECK(percent_decode("a%2Fb", room) == "a/b");
  CHECK_FALSE(percent_decode("a%2", room));
  CHECK_FALSE(percent_decode("a%zz", room));
  CHECK_FALSE(percent_decode("abcde", room));
}
