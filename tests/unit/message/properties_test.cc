// SPDX-License-Identifier: Apache-2.0
#include "message/properties.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/field_tables.h"

using namespace sluice;
using namespace sluice::message;
using test::table_bytes;

namespace {

base::FieldTable headers_of(base::ByteView encoded) {
  const auto properties = decode_properties(encoded);
  REQUIRE(properties);
  REQUIRE(properties->headers);
  return base::decode_field_table(properties->headers->bytes()).value();
}

}  // namespace

TEST_CASE("an editor changes what it is told to and copies the rest") {
  base::FieldTable headers;
  headers.set("BCC", base::FieldArray{"a", "b"});
  headers.set("n", std::int16_t{7});
  headers.set("x-death", "old");
  const auto encoded_headers = table_bytes(headers);
  BasicProperties properties;
  properties.headers = base::FieldTableView(encoded_headers);
  properties.expiration = "1000";
  properties.message_id = "m";
  base::ByteBuffer encoded;
  encode_properties(properties, encoded);

  PropertiesEditor editor;
  REQUIRE(editor.begin(encoded));
  base::ByteBuffer same;
  editor.write(same);
  CHECK(same == encoded);

  editor.properties().expiration.reset();
  editor.remove_header("BCC");
  editor.remove_header("absent");
  editor.set_header("x-death", std::int64_t{3});
  base::ByteBuffer changed;
  editor.write(changed);
  const auto back = decode_properties(changed);
  REQUIRE(back);
  CHECK_FALSE(back->expiration);
  CHECK(back->message_id == "m");
  base::FieldTable expected;
  expected.set("n", std::int16_t{7});
  expected.set("x-death", std::int64_t{3});
  CHECK(headers_of(changed) == expected);

  SECTION("headers appear where there were none") {
    base::ByteBuffer none;
    encode_properties({}, none);
    REQUIRE(editor.begin(none));
    editor.set_header("x-delivery-count", std::int64_t{1});
    base::ByteBuffer one;
    editor.write(one);
    CHECK(headers_of(one).find("x-delivery-count")->integer() == 1);
  }
}

TEST_CASE("single headers are read without decoding the others") {
  base::FieldTable headers;
  headers.set("nested", base::FieldTable{{{"text", "inside"}}});
  headers.set("text", "outside");
  headers.set("small", std::int8_t{-3});
  headers.set("bool", true);
  const auto encoded = table_bytes(headers);
  BasicProperties properties;
  CHECK_FALSE(text_header(properties, "text"));
  properties.headers = base::FieldTableView(encoded);
  CHECK(text_header(properties, "text") == "outside");
  CHECK(integer_header(properties, "small") == -3);
  CHECK_FALSE(integer_header(properties, "bool"));
  CHECK_FALSE(integer_header(properties, "absent"));
  CHECK(find_header(properties, "nested")->type == 'F');
}

TEST_CASE("expiration is a decimal number of ms") {
  const auto of = [](std::string_view text) {
    BasicProperties properties;
    properties.expiration = text;
    return expiration_ms(properties);
  };
  CHECK(of("0").value() == 0);
  CHECK(of("60000").value() == 60000);
  CHECK(of("315360000000").value() == 315360000000);
  CHECK_FALSE(expiration_ms({}).value());
  for (const char* text : {"", "-1", "315360000001", "99999999999999999999", "1s", " 1", "soon"}) {
    INFO(text);
    CHECK(of(text).error().code == base::Errc::precondition_failed);
  }
}

TEST_CASE("CC and BCC name more routing keys") {
  base::FieldTable headers;
  headers.set("BCC", base::FieldArray{"c"});
  headers.set("CC", base::FieldArray{"a", "b"});
  auto encoded = table_bytes(headers);
  BasicProperties properties;
  properties.headers = base::FieldTableView(encoded);
  std::vector<std::string> keys;
  const auto collect = [&](std::string_view key) { keys.emplace_back(key); };
  CHECK(for_each_sender_selected(properties, collect));
  CHECK(keys == std::vector<std::string>{"a", "b", "c"});

  headers.set("CC", "not an array");
  encoded = table_bytes(headers);
  properties.headers = base::FieldTableView(encoded);
  CHECK(for_each_sender_selected(properties, collect).error().text ==
        "invalid message: {unacceptable_type_in_header,\"CC\",longstr}");
  headers.set("CC", base::FieldArray{std::int32_t{1}});
  encoded = table_bytes(headers);
  properties.headers = base::FieldTableView(encoded);
  keys.clear();
  CHECK(for_each_sender_selected(properties, collect));
  CHECK(keys == std::vector<std::string>{"c"});
}
