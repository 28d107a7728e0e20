// SPDX-License-Identifier: Apache-2.0
#include "filters/amqp_sections.h"

#include <catch2/catch.hpp>

#include "support/amqp_message.h"

using namespace sluice;
using namespace sluice::filters;
using Kind = AmqpValue::Kind;

namespace {

AmqpValue one(std::initializer_list<std::uint8_t> bytes) {
  const base::ByteBuffer buffer(bytes);
  base::ByteView view(buffer);
  AmqpValue value;
  if (!read_amqp_value(view, value)) value.kind = Kind::absent;
  CHECK((value.kind == Kind::absent || view.empty()));
  value.text = {};  // pointed into the buffer
  return value;
}

}  // namespace

TEST_CASE("every primitive type is read in every width") {
  CHECK(one({0x40}).kind == Kind::null);
  CHECK(one({0x41}).boolean);
  CHECK_FALSE(one({0x42}).boolean);
  CHECK(one({0x56, 1}).boolean);
  CHECK(one({0x43}).uinteger == 0);
  CHECK(one({0x44}).uinteger == 0);
  CHECK(one({0x50, 200}).uinteger == 200);
  CHECK(one({0x52, 200}).uinteger == 200);
  CHECK(one({0x53, 200}).uinteger == 200);
  CHECK(one({0x60, 1, 0}).uinteger == 256);
  CHECK(one({0x70, 0, 1, 0, 0}).uinteger == 65'536);
  CHECK(one({0x80, 0xFF, 0, 0, 0, 0, 0, 0, 0}).uinteger == 0xFF00000000000000ULL);
  CHECK(one({0x51, 0xFF}).integer == -1);
  CHECK(one({0x54, 0xFE}).integer == -2);
  CHECK(one({0x55, 0x80}).integer == -128);
  CHECK(one({0x61, 0xFF, 0xFE}).integer == -2);
  CHECK(one({0x71, 0xFF, 0xFF, 0xFF, 0xFE}).integer == -2);
  CHECK(one({0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE}).integer == -2);
  CHECK(one({0x83, 0, 0, 0, 0, 0, 0, 3, 0xE8}).kind == Kind::timestamp);
  CHECK(one({0x83, 0, 0, 0, 0, 0, 0, 3, 0xE8}).integer == 1000);
  CHECK(one({0x72, 0x3F, 0xC0, 0, 0}).real == 1.5);
  CHECK(one({0x82, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0}).real == 1.5);
  CHECK(one({0x73, 0, 0, 0, 'x'}).kind == Kind::other);  // char
  CHECK(one({0x98, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}).kind == Kind::uuid);
  CHECK(one({0xA0, 1, 'b'}).kind == Kind::binary);
  CHECK(one({0xA1, 1, 's'}).kind == Kind::string);
  CHECK(one({0xB3, 0, 0, 0, 1, 's'}).kind == Kind::string);
  CHECK(one({0x45}).kind == Kind::other);
  CHECK(one({0xC0, 2, 1, 0x40}).kind == Kind::other);
  CHECK(one({0x00, 0x53, 1, 0x40}).kind == Kind::other);
}

TEST_CASE("cut, unknown and bottomless values are refused") {
  CHECK(one({}).kind == Kind::absent);
  CHECK(one({0x80, 1}).kind == Kind::absent);
  CHECK(one({0xA1, 5, 's'}).kind == Kind::absent);
  CHECK(one({0xB1, 0xFF, 0xFF, 0xFF, 0xFF, 's'}).kind == Kind::absent);
  CHECK(one({0x13}).kind == Kind::absent);
  const base::ByteBuffer deep(100'000, 0x00);
  base::ByteView view(deep);
  AmqpValue value;
  CHECK_FALSE(read_amqp_value(view, value));
}

TEST_CASE("sections, properties and maps of a message are found") {
  const base::ByteBuffer bytes = test::AmqpMessage()
                                     .annotation("x-opt-hop", std::uint64_t{3})
                                     .property(0, std::string("id-1"))
                                     .property(3, std::string("greeting"))
                                     .app("country", std::string("KR"))
                                     .app("temp", 31.5)
                                     .app("country", std::string("second"))
                                     .bytes();
  const AmqpSections sections = AmqpSections::parse(bytes);
  CHECK(sections.has_body);
  CHECK_FALSE(sections.malformed);
  CHECK(sections.property(AmqpProperty::message_id).text == "id-1");
  CHECK(sections.property(AmqpProperty::subject).text == "greeting");
  CHECK(sections.property(AmqpProperty::to).kind == Kind::null);
  CHECK(sections.property(AmqpProperty::reply_to_group_id).kind == Kind::absent);
  CHECK(sections.application_property("country").text == "KR");
  CHECK(sections.application_property("temp").real == 31.5);
  CHECK(sections.application_property("none").kind == Kind::absent);
  CHECK(sections.message_annotation("x-opt-hop").uinteger == 3);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    AmqpSections::parse(base::ByteView(bytes).first(cut)).application_property("country");
}

TEST_CASE("descriptors may be symbols, and bytes that are no AMQP have no sections") {
  base::ByteBuffer bytes = {0x00, 0xA3, 20};
  for (const char c : std::string_view("amqp:properties:list")) bytes.push_back(static_cast<std::uint8_t>(c));
  for (const int byte : {0xC0, 4, 1, 0xA1, 1, 0x6D}) bytes.push_back(static_cast<std::uint8_t>(byte));
  CHECK(AmqpSections::parse(bytes).property(AmqpProperty::message_id).text == "m");
  const AmqpSections plain = AmqpSections::parse(base::as_bytes("hello"));
  CHECK(plain.malformed);
  CHECK(plain.properties.empty());
  CHECK(AmqpSections::parse({}).malformed == false);
}

TEST_CASE("property names take - and _") {
  CHECK(amqp_property_by_name("subject") == AmqpProperty::subject);
  CHECK(amqp_property_by_name("reply_to_group_id") == AmqpProperty::reply_to_group_id);
  CHECK(amqp_property_by_name("creation-time") == AmqpProperty::creation_time);
  CHECK_FALSE(amqp_property_by_name("colour").has_value());
}
