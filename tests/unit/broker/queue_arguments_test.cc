// SPDX-License-Identifier: Apache-2.0
// The tables of queue arguments and of redeclaration: what RabbitMQ says, word for word.
#include "broker/queue_arguments.h"

#include <catch2/catch.hpp>

#include "broker/equivalence.h"

using namespace sluice;
using namespace sluice::broker;

namespace {

std::string check(QueueType type, std::string_view key, base::FieldValue value) {
  base::FieldTable table;
  table.set(key, std::move(value));
  const auto result = check_queue_arguments("/", "q", type, table);
  return result ? "ok" : result.error().text;
}

constexpr auto classic = QueueType::classic, quorum = QueueType::quorum, stream = QueueType::stream;

}  // namespace

TEST_CASE("queue arguments: values") {
  const std::string prefix = "invalid arg '", middle = "' for queue 'q' in vhost '/': ";
  struct Row {
    QueueType type;
    std::string_view key;
    base::FieldValue value;
    std::string wrong;  // empty: accepted
  };
  const Row rows[] = {
      {classic, "x-expires", std::int32_t{0}, "{value_zero,0}"},
      {classic, "x-expires", std::int64_t{-1}, "{value_negative,-1}"},
      {classic, "x-expires", "a", "\"expected integer, got longstr\""},
      {classic, "x-expires", std::int64_t{1} << 40, "{value_too_large,1099511627776}"},
      {classic, "x-expires", std::uint8_t{1}, ""},
      {classic, "x-message-ttl", std::int32_t{0}, ""},
      {classic, "x-message-ttl", std::int32_t{-1}, "{value_negative,-1}"},
      {quorum, "x-message-ttl", "x", "\"expected integer, got longstr\""},
      {classic, "x-max-length", true, "\"expected integer, got bool\""},
      {classic, "x-max-length", std::int32_t{0}, ""},
      {stream, "x-max-length-bytes", std::int64_t{20'000'000'000}, ""},
      {classic, "x-max-priority", std::int32_t{256}, "{max_value_exceeded,256}"},
      {classic, "x-max-priority", std::int32_t{255}, ""},
      {classic, "x-dead-letter-routing-key", "a", "routing_key_but_no_dlx_defined"},
      {classic, "x-dead-letter-routing-key", std::int32_t{1}, "{unacceptable_type,signedint}"},
      {classic, "x-overflow", "x", "invalid_overflow"},
      {classic, "x-overflow", std::int32_t{1}, "{unacceptable_type,signedint}"},
      {classic, "x-overflow", "reject-publish-dlx", ""},
      {quorum, "x-overflow", "reject-publish-dlx", "invalid_overflow"},
      {quorum, "x-overflow", "reject-publish", ""},
      {classic, "x-single-active-consumer", "true", "{unacceptable_type,longstr}"},
      {quorum, "x-single-active-consumer", true, ""},
      {classic, "x-queue-mode", "foo", "\"unsupported queue mode 'foo'\""},
      {classic, "x-queue-mode", "lazy", ""},
      {classic, "x-queue-version", std::int32_t{3}, "\"unsupported queue version '3'\""},
      {classic, "x-queue-version", std::int32_t{2}, ""},
      {quorum, "x-queue-leader-locator", "foo", "invalid_queue_locator_arg"},
      {quorum, "x-delivery-limit", std::int32_t{-1}, ""},
      {quorum, "x-dead-letter-strategy", "x", "invalid_dlx_strategy"},
      {quorum, "x-quorum-initial-group-size", std::int32_t{0}, "{value_zero,0}"},
      {quorum, "x-max-in-memory-length", std::int32_t{-1}, "{value_negative,-1}"},
      {quorum, "x-delayed-retry-type", "failed", ""},
      {stream, "x-max-age", "abc", "invalid_max_age"},
      {stream, "x-max-age", "7D", ""},
      {stream, "x-max-age", std::int32_t{5}, "{unacceptable_type,signedint}"},
      {stream, "x-initial-cluster-size", std::int32_t{0}, "{value_zero,0}"},
      {stream, "x-stream-filter-size-bytes", std::int32_t{255}, ""},
      {classic, "x-retain", "7D", ""},
      {quorum, "x-retain", std::int64_t{1'000'000}, ""},
      {classic, "x-retain", "soon", "invalid_max_age"},
      {stream, "x-never-heard-of", "x", ""},
      {classic, "anything", std::int32_t{1}, ""},
  };
  for (const auto& row : rows) {
    INFO(row.key);
    CHECK(check(row.type, row.key, row.value) ==
          (row.wrong.empty() ? "ok" : prefix + std::string(row.key) + middle + row.wrong));
  }
  CHECK(check(stream, "x-stream-max-segment-size-bytes", std::int64_t{3'000'000'001}) ==
        "Exceeded max value for x-stream-max-segment-size-bytes");
}

TEST_CASE("queue arguments: those of other types are refused before values are looked at") {
  CHECK(check(classic, "x-delivery-limit", std::int32_t{1}) ==
        "invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue");
  CHECK(check(quorum, "x-max-priority", std::int32_t{256}) ==
        "invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue");
  CHECK(check(stream, "x-message-ttl", "x") ==
        "invalid arg 'x-message-ttl' for queue 'q' in vhost '/' of queue type rabbit_stream_queue");
}

TEST_CASE("redeclaration of a queue") {
  QueueRecord current;
  current.vhost = "/";
  current.name = "q";
  current.type = "classic";
  current.table_arguments.set("x-queue-type", "classic");
  current.table_arguments.set("x-max-length", std::int32_t{10});
  const auto again = [&](auto change) {
    auto wanted = current;
    change(wanted);
    const auto result = check_equivalent(current, wanted);
    return result ? std::string("ok") : result.error().text;
  };
  const std::string arg = "inequivalent arg '", of = "' for queue 'q' in vhost '/': received ";
  CHECK(again([](auto&) {}) == "ok");
  CHECK(again([](auto& q) { q.durable = false; }) == arg + "durable" + of + "'false' but current is 'true'");
  CHECK(again([](auto& q) { q.auto_delete = true; }) ==
        arg + "auto_delete" + of + "'true' but current is 'false'");
  CHECK(again([](auto& q) { q.table_arguments.set("x-max-length", std::int64_t{10}); }) == "ok");
  CHECK(again([](auto& q) { q.table_arguments.set("x-max-length", std::int64_t{20}); }) ==
        arg + "x-max-length" + of + "'20' but current is '10'");
  CHECK(again([](auto& q) { q.table_arguments.set("x-max-length", "10"); }) ==
        arg + "x-max-length" + of + "'10' but current is '10'");
  CHECK(again([](auto& q) { q.table_arguments.remove("x-max-length"); }) ==
        arg + "x-max-length" + of + "none but current is the value '10' of type 'signedint'");
  CHECK(again([](auto& q) { q.table_arguments.set("x-message-ttl", std::int32_t{5}); }) ==
        arg + "x-message-ttl" + of + "the value '5' of type 'signedint' but current is none");
  CHECK(again([](auto& q) { q.table_arguments.set("x-foo", std::int32_t{5}); }) == "ok");
  CHECK(again([](auto& q) { q.table_arguments.remove("x-queue-type"); }) == "ok");
  CHECK(again([](auto& q) { q.type = "quorum"; }) ==
        arg + "x-queue-type" + of + "'quorum' but current is 'classic'");
  auto wanted = current;
  wanted.exclusive_owner = 7;
  CHECK(check_equivalent(current, wanted).error().code == base::Errc::resource_locked);
  CHECK(check_equivalent(wanted, current).error().text ==
        "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on "
        "another connection or the exclusive property value does not match that of the original "
        "declaration.");
}

TEST_CASE("redeclaration of an exchange") {
  ExchangeRecord current;
  current.vhost = "/";
  current.name = "x";
  const auto again = [&](auto change) {
    auto wanted = current;
    change(wanted);
    const auto result = check_equivalent(current, wanted);
    return result ? std::string("ok") : result.error().text;
  };
  const std::string arg = "inequivalent arg '", of = "' for exchange 'x' in vhost '/': received ";
  CHECK(again([](auto& x) { x.type = "fanout"; }) == arg + "type" + of + "'fanout' but current is 'direct'");
  CHECK(again([](auto& x) { x.durable = false; }) == arg + "durable" + of + "'false' but current is 'true'");
  CHECK(again([](auto& x) { x.internal = true; }) == arg + "internal" + of + "'true' but current is 'false'");
  CHECK(again([](auto& x) { x.table_arguments.set("alternate-exchange", "foo"); }) ==
        arg + "alternate-exchange" + of + "the value 'foo' of type 'longstr' but current is none");
  CHECK(again([](auto& x) { x.table_arguments.set("hash-header", "foo"); }) == "ok");
}

TEST_CASE("a stream's arguments in both protocols' forms") {
  const StreamArguments arguments{{"max-age", "7D"}, {"max-length-bytes", "100"}};
  const auto table = to_table_arguments(arguments);
  CHECK(*table.find("x-queue-type")->text() == "stream");
  CHECK(table.find("x-max-length-bytes")->integer() == 100);
  CHECK(to_stream_arguments(table) == arguments);
}
