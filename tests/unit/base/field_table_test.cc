// SPDX-License-Identifier: Apache-2.0
#include "base/field_table.h"

#include <catch2/catch.hpp>

using namespace sluice::base;

namespace {

FieldTable sample() {
  FieldTable inner;
  inner.set("k", "v");
  FieldTable table;
  table.set("void", FieldVoid{});
  table.set("bool", true);
  table.set("i8", std::int8_t{-1});
  table.set("u8", std::uint8_t{200});
  table.set("i16", std::int16_t{-300});
  table.set("u16", std::uint16_t{60000});
  table.set("i32", std::int32_t{-70000});
  table.set("u32", std::uint32_t{4'000'000'000});
  table.set("i64", std::int64_t{-5'000'000'000});
  table.set("float", 1.5F);
  table.set("double", -2.25);
  table.set("decimal", FieldDecimal{2, 12345});
  table.set("text", "hello");
  table.set("bytes", ByteBuffer{0, 1, 255});
  table.set("time", FieldTimestamp{1'700'000'000});
  table.set("array", FieldArray{FieldValue("a"), FieldValue(std::int32_t{1}), FieldValue(inner)});
  table.set("table", inner);
  return table;
}

ByteBuffer encode(const FieldTable& table) {
  ByteBuffer bytes;
  ByteWriter writer(bytes);
  write_field_table(writer, table);
  return bytes;
}

}  // namespace

TEST_CASE("every type survives a round trip, byte for byte") {
  const ByteBuffer bytes = encode(sample());
  ByteReader reader(bytes);
  const auto table = read_field_table(reader);
  REQUIRE(table);
  CHECK(reader.at_end());
  CHECK(*table == sample());
  CHECK(encode(*table) == bytes);
}

TEST_CASE("a truncated table is malformed at every length") {
  const ByteBuffer bytes = encode(sample());
  for (std::size_t size = 0; size + 4 < bytes.size(); ++size) {
    const ByteView body = ByteView(bytes).subspan(4, size);
    const bool decodes = decode_field_table(body).has_value();
    CHECK(decodes == FieldTableView(body).well_formed());
  }
  ByteReader reader(ByteView(bytes).first(bytes.size() - 1));
  CHECK_FALSE(read_field_table(reader));
}

TEST_CASE("nesting is bounded") {
  ByteBuffer bytes;
  for (int depth = 0; depth < 1000; ++depth) {
    ByteBuffer outer{1, 'k', 'F'};
    ByteWriter writer(outer);
    writer.write(static_cast<std::uint32_t>(bytes.size()));
    writer.write_bytes(bytes);
    bytes = outer;
  }
  CHECK_FALSE(decode_field_table(bytes));
  CHECK_FALSE(FieldTableView(bytes).well_formed());
}

TEST_CASE("a view finds one value without decoding the rest") {
  const ByteBuffer bytes = encode(sample());
  const FieldTableView view(ByteView(bytes).subspan(4));
  CHECK(view.find("text")->text() == "hello");
  CHECK(view.find("u16")->integer() == 60000);
  CHECK_FALSE(view.find("absent"));
  CHECK(view.contains("table"));
}

TEST_CASE("integers compare across widths, other types do not mix") {
  CHECK(FieldValue(std::int8_t{5}).equivalent(FieldValue(std::int64_t{5})));
  CHECK_FALSE(FieldValue(std::int8_t{5}).equivalent(FieldValue("5")));
  CHECK_FALSE(FieldValue(std::int8_t{5}) == FieldValue(std::int64_t{5}));
  CHECK(FieldValue("a").equivalent(FieldValue("a")));
}
