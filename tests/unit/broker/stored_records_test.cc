// SPDX-License-Identifier: Apache-2.0
// The catalog's records as they lie in the store: the bytes of today, and that those of the version that
// knew streams only are still read.
#include <catch2/catch.hpp>

#include "broker/catalog.h"

using namespace sluice;
using namespace sluice::broker;

namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(digits[static_cast<unsigned char>(c) & 15]);
  }
  return text;
}
std::string bytes(std::string_view text) {
  std::string result;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    result.push_back(static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return result;
}

// version | "/" | "orders" | "stream" | id 7 | {"max-age": "7D"} | "guest" | 5
constexpr std::string_view stream_of_old =
    "01"
    "000000012f"
    "000000066f7264657273"
    "0000000673747265616d"
    "0000000000000007"
    "00000001"
    "000000076d61782d616765"
    "000000023744"
    "000000056775657374"
    "0000000000000005";
// "/" | "super" | "direct" | super_stream | 5
constexpr std::string_view exchange_of_old =
    "01"
    "000000012f"
    "000000057375706572"
    "00000006646972656374"
    "01"
    "0000000000000005";
// "/" | "super" | "super-0" | "0" | partition order 0
constexpr std::string_view binding_of_old =
    "01"
    "000000012f"
    "000000057375706572"
    "0000000773757065722d30"
    "0000000130"
    "0000000000000000";

template <class R>
R parse(std::string_view key, std::string_view value) {
  auto record = parse_catalog_record(key, value);
  REQUIRE(record);
  Catalog catalog;
  catalog.load(std::move(*record));
  std::vector<R> found;
  catalog.for_each<R>([&](const R& each) { found.push_back(each); });
  REQUIRE(found.size() == 1);
  return found.front();
}

}  // namespace

TEST_CASE("stored records: those of streams only are read and completed") {
  const auto stream = parse<QueueRecord>(std::string("q/\0orders\0", 10), bytes(stream_of_old));
  CHECK(stream.is_stream());
  CHECK(stream.log_id == 7);
  CHECK(stream.durable);
  CHECK_FALSE(stream.auto_delete);
  CHECK(*stream.table_arguments.find("x-queue-type")->text() == "stream");
  CHECK(*stream.table_arguments.find("x-max-age")->text() == "7D");
  const auto exchange = parse<ExchangeRecord>(std::string("e/\0super\0", 9), bytes(exchange_of_old));
  CHECK(exchange.super_stream);
  CHECK(exchange.durable);
  CHECK(*exchange.table_arguments.find("x-super-stream")->as<bool>());
  const auto binding = parse<BindingRecord>(std::string("b/\0super\0super-0\0"
                                                        "0\0",
                                                        19),
                                            bytes(binding_of_old));
  CHECK(binding.partition_order == 0);
  CHECK_FALSE(binding.to_exchange);
  CHECK(binding.table_arguments.empty());
}

TEST_CASE("stored records: the bytes of today") {
  QueueRecord queue;
  queue.vhost = "/";
  queue.name = "q";
  queue.type = "classic";
  queue.log_id = 258;
  queue.owner = "guest";
  queue.created_at_ms = 5;
  queue.auto_delete = true;
  queue.table_arguments.set("x-max-length", std::int16_t{10});
  CHECK(hex(record_key(queue)) == "712f007100");
  CHECK(hex(record_value(queue)) ==
        "01"
        "000000012f"
        "0000000171"
        "00000007636c6173736963"
        "0000000000000102"
        "00000000"
        "000000056775657374"
        "0000000000000005"
        "01"
        "01"
        "00000010"
        "0c782d6d61782d6c656e677468"
        "73000a");
  BindingRecord binding;
  binding.vhost = "/";
  binding.source = "x";
  binding.destination = "q";
  binding.routing_key = "k";
  CHECK(hex(record_key(binding)) == "622f00780071006b00");  // as the version that knew streams only
  binding.to_exchange = true;
  binding.number = 3;
  binding.table_arguments.set("a", true);
  CHECK(hex(record_key(binding)) ==
        "622f00780071006b00"
        "78"
        "00000004"
        "0161"
        "7401");
  CHECK(hex(record_value(binding)) ==
        "01"
        "000000012f"
        "0000000178"
        "0000000171"
        "000000016b"
        "ffffffffffffffff"
        "01"
        "00000004"
        "01617401"
        "0000000000000003");
  PolicyRecord policy;
  policy.vhost = "/";
  policy.kind = "user";
  policy.name = "p";
  policy.pattern = "^a";
  policy.apply_to = "all";
  policy.priority = -1;
  policy.definition.set("expires", std::int64_t{1});
  CHECK(hex(record_key(policy)) ==
        "6f2f00"
        "7573657200"
        "7000");
  CHECK(hex(record_value(policy)) ==
        "01"
        "000000012f"
        "0000000475736572"
        "0000000170"
        "000000025e61"
        "00000003616c6c"
        "ffffffffffffffff"
        "00000011"
        "0765787069726573"
        "6c0000000000000001");
}
