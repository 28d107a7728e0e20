// SPDX-License-Identifier: Apache-2.0
// Which policy applies, and what is in effect because of it.
#include "broker/policies.h"

#include <catch2/catch.hpp>

#include "support/field_tables.h"

using namespace sluice;
using namespace sluice::broker;
using test::table;

namespace {

PolicyRecord policy(std::string name, std::string pattern, base::FieldTable definition,
                    std::int64_t priority = 0, std::string apply_to = "all",
                    std::string_view kind = PolicyRecord::user_kind) {
  PolicyRecord record;
  record.vhost = "/";
  record.kind = kind;
  record.name = std::move(name);
  record.pattern = std::move(pattern);
  record.apply_to = std::move(apply_to);
  record.priority = priority;
  record.definition = std::move(definition);
  return record;
}

QueueRecord queue_record(std::string name, std::string type, base::FieldTable arguments = {}) {
  QueueRecord record;
  record.vhost = "/";
  record.name = std::move(name);
  record.type = std::move(type);
  record.table_arguments = std::move(arguments);
  return record;
}

Policies load(std::initializer_list<PolicyRecord> records) {
  Catalog catalog;
  REQUIRE(catalog.apply(PutVhost{{.name = "/"}}));
  for (const auto& record : records) REQUIRE(catalog.apply(SetPolicy{record}));
  Policies policies;
  policies.load(catalog);
  return policies;
}

std::int64_t number(const base::FieldTable& from, std::string_view key) {
  const auto* value = from.find(key);
  return value ? value->integer().value_or(-2) : -1;
}

}  // namespace

TEST_CASE("policies: the highest priority that matches name and type applies") {
  const auto policies =
      load({policy("a", "^order", table({{"max-length", std::int64_t{1}}}), 1),
            policy("b", "^order\\.", table({{"max-length", std::int64_t{2}}}), 5),
            policy("c", ".*", table({{"max-length", std::int64_t{3}}}), 9, "quorum_queues"),
            policy("d", "(?=.*\\.x)", table({{"expires", std::int64_t{4}}}), 7, "exchanges")});
  const auto kind = PolicyRecord::user_kind;
  CHECK(policies.of_queue(kind, queue_record("orders", "classic"))->name == "a");
  CHECK(policies.of_queue(kind, queue_record("order.x", "classic"))->name == "b");
  CHECK(policies.of_queue(kind, queue_record("order.x", "quorum"))->name == "c");
  CHECK(policies.of_queue(kind, queue_record("else", "stream")) == nullptr);
  CHECK(policies.of_queue(PolicyRecord::operator_kind, queue_record("orders", "classic")) == nullptr);
  ExchangeRecord exchange;
  exchange.vhost = "/";
  exchange.name = "a.x";
  CHECK(policies.of_exchange(kind, exchange)->name == "d");
  exchange.vhost = "other";
  CHECK(policies.of_exchange(kind, exchange) == nullptr);
}

TEST_CASE("policies: an operator's is merged in addition") {
  const auto user =
      policy("u", ".*", table({{"max-length", std::int64_t{100}}, {"message-ttl", std::int64_t{5}}}));
  auto limits = policy("o", ".*",
                       table({{"max-length", std::int64_t{10}},
                              {"message-ttl", std::int64_t{50}},
                              {"overflow", "reject-publish"}}),
                       0, "queues", PolicyRecord::operator_kind);
  const auto merged = merge_definitions(&user, &limits);
  CHECK(number(merged, "max-length") == 10);
  CHECK(number(merged, "message-ttl") == 5);
  CHECK(*merged.find("overflow")->text() == "reject-publish");
  struct Row {
    std::int64_t user, limit, merged;
  };
  for (const auto& row : {Row{5, 3, 3}, Row{-1, 3, 3}, Row{5, -1, 5}, Row{-1, -1, -1}}) {
    const auto one = policy("u", ".*", table({{"delivery-limit", row.user}}));
    const auto two = policy("o", ".*", table({{"delivery-limit", row.limit}}));
    CHECK(merge_definitions(&one, &two).find("delivery-limit")->integer() == row.merged);
  }
  CHECK(merge_definitions(nullptr, &limits) == limits.definition);
  CHECK(merge_definitions(nullptr, nullptr).empty());
}

TEST_CASE("policies: arguments and policies") {
  const auto arguments = table({{"x-max-length", std::int64_t{10}},
                                {"x-dead-letter-exchange", "mine"},
                                {"x-expires", std::int64_t{1000}}});
  const auto definition = table({{"max-length", std::int64_t{5}},
                                 {"expires", std::int64_t{2000}},
                                 {"dead-letter-exchange", "theirs"},
                                 {"dead-letter-routing-key", "k"},
                                 {"delivery-limit", std::int64_t{3}},
                                 {"max-age", "7D"}});
  const auto merged = merge_arguments(QueueType::classic, arguments, definition);
  CHECK(number(merged, "x-max-length") == 5);
  CHECK(number(merged, "x-expires") == 1000);
  CHECK(*merged.find("x-dead-letter-exchange")->text() == "mine");
  CHECK(*merged.find("x-dead-letter-routing-key")->text() == "k");
  CHECK(merged.find("x-delivery-limit") == nullptr);  // not of classic queues
  CHECK(merged.find("x-max-age") == nullptr);
  CHECK(number(merge_arguments(QueueType::quorum, arguments, definition), "x-delivery-limit") == 3);

  const auto stream = merge_arguments(QueueType::stream,
                                      table({{"x-max-length-bytes", std::int64_t{10}}, {"x-max-age", "1D"}}),
                                      table({{"max-length-bytes", std::int64_t{50}}, {"max-age", "7D"}}));
  CHECK(number(stream, "x-max-length-bytes") == 50);  // the policy wins
  CHECK(*stream.find("x-max-age")->text() == "7D");
}

TEST_CASE("policies: what can be set") {
  const auto refused = [](PolicyRecord record) { return !check_policy(record); };
  const auto good = table({{"max-length", std::int64_t{1}}});
  CHECK_FALSE(refused(policy("p", "^a", good)));
  CHECK(refused(policy("", "^a", good)));
  CHECK(refused(policy("p", "(", good)));
  CHECK(refused(policy("p", "^a", {})));
  CHECK(refused(policy("p", "^a", good, 0, "everything")));
  CHECK(refused(policy("p", "^a", table({{"max-length", "1"}}))));
  CHECK(refused(policy("p", "^a", table({{"max-length", std::int64_t{-1}}}))));
  CHECK(refused(policy("p", "^a", table({{"x-queue-type", "quorum"}}))));
  CHECK(refused(
      policy("p", "^a", table({{"dead-letter-exchange", "x"}}), 0, "queues", PolicyRecord::operator_kind)));
  CHECK_FALSE(refused(policy("p", "^a", good, 0, "queues", PolicyRecord::operator_kind)));
}

TEST_CASE("policies: words and what holds between keys are checked") {
  const auto refused = [](base::FieldTable definition, std::string_view kind = PolicyRecord::user_kind) {
    return !check_policy(policy("p", "^a", std::move(definition), 0, "queues", kind));
  };
  for (const char* key : {"overflow", "dead-letter-strategy", "queue-mode", "queue-leader-locator", "max-age",
                          "delayed-retry-type", "durability"}) {
    INFO(key);
    CHECK(refused(table({{key, "drop"}})));
    CHECK(refused(table({{key, ""}})));
    CHECK(refused(table({{key, std::int64_t{1}}})));
  }
  CHECK_FALSE(refused(table({{"overflow", "reject-publish-dlx"}, {"max-age", "7D"}})));
  CHECK_FALSE(refused(table({{"queue-version", std::int64_t{2}}})));
  CHECK(refused(table({{"queue-version", std::int64_t{3}}})));

  const std::int64_t small = 100, large = 200;
  CHECK(refused(table({{"delayed-retry-type", "all"}})));
  CHECK_FALSE(refused(table({{"delayed-retry-type", "disabled"}})));
  CHECK_FALSE(refused(table({{"delayed-retry-type", "failed"}, {"delayed-retry-min", small}})));
  CHECK(refused(table({{"delayed-retry-min", large}, {"delayed-retry-max", small}})));
  CHECK(refused(table({{"delayed-retry-min", std::int64_t{0}}})));
  CHECK_FALSE(refused(table({{"delayed-retry-min", small}, {"delayed-retry-max", small}}),
                      PolicyRecord::operator_kind));
}

TEST_CASE("policies: delayed retries of arguments, users and operators") {
  const std::int64_t small = 100, large = 200;
  const auto user = policy("u", ".*", table({{"delayed-retry-min", small}, {"delayed-retry-max", large}}));
  const auto limits =
      policy("o", ".*", table({{"delayed-retry-min", large}, {"delayed-retry-max", large + 1}}), 0, "queues",
             PolicyRecord::operator_kind);
  const auto merged = merge_definitions(&user, &limits);
  CHECK(number(merged, "delayed-retry-min") == large);
  CHECK(number(merged, "delayed-retry-max") == large);
  const auto effective = merge_arguments(
      QueueType::quorum, table({{"x-delayed-retry-type", "all"}, {"x-delayed-retry-min", large}}),
      table({{"delayed-retry-type", "disabled"}, {"delayed-retry-min", small}}));
  CHECK(*effective.find("x-delayed-retry-type")->text() == "disabled");
  CHECK(number(effective, "x-delayed-retry-min") == small);
}

TEST_CASE("policies: a pattern that would take for ever does not match") {
  const auto pattern = NamePattern::compile("^(a+)+$");
  REQUIRE(pattern);
  CHECK(pattern->matches("aaaa"));
  CHECK_FALSE(pattern->matches(std::string(200, 'a') + "b"));
}
