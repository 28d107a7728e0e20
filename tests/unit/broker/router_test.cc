// SPDX-License-Identifier: Apache-2.0
// Routing over exchanges, kept true by the catalog's changes; and that a router loaded from the store routes
// as the one that saw everything happen.
#include "broker/router.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

#include "support/test_shard.h"

using namespace sluice;
using namespace sluice::broker;

namespace {

class Site {
 public:
  Site() { apply(PutVhost{{.name = "/"}}); }

  std::size_t apply(const Command& command) {
    auto changes = catalog.apply(command);
    REQUIRE(changes);
    router.apply(catalog, *changes);
    return changes->size();
  }
  void exchange(std::string name, std::string type = "direct", base::FieldTable arguments = {},
                bool auto_delete = false) {
    ExchangeRecord record;
    record.vhost = "/";
    record.name = std::move(name);
    record.type = std::move(type);
    record.auto_delete = auto_delete;
    record.table_arguments = std::move(arguments);
    apply(DeclareExchange{record});
  }
  void queue(std::string name, std::string type = "classic", bool durable = true) {
    QueueRecord record;
    record.vhost = "/";
    record.name = std::move(name);
    record.type = std::move(type);
    record.durable = durable;
    apply(DeclareQueue{record, 0});
  }
  BindingRecord binding(std::string source, std::string destination, std::string key,
                        bool to_exchange = false, base::FieldTable arguments = {}) {
    BindingRecord record;
    record.vhost = "/";
    record.source = std::move(source);
    record.destination = std::move(destination);
    record.routing_key = std::move(key);
    record.to_exchange = to_exchange;
    record.table_arguments = std::move(arguments);
    return record;
  }
  void bind(std::string source, std::string destination, std::string key = "", bool to_exchange = false,
            base::FieldTable arguments = {}) {
    apply(Bind{binding(std::move(source), std::move(destination), std::move(key), to_exchange,
                       std::move(arguments))});
  }
  // Names of the queues, sorted, with a blank between.
  std::string route(std::string_view exchange, std::string_view key,
                    std::vector<std::string_view> more = {}) {
    return route_in(router, exchange, key, more);
  }
  std::string route_in(Router& by, std::string_view exchange, std::string_view key,
                       std::vector<std::string_view> more = {}) {
    const auto place = by.find("/", exchange);
    if (!place) return place.error().text;
    std::map<std::uint64_t, std::string> names;
    catalog.for_each_queue([&](const auto& each) { names[each.log_id] = each.name; });
    std::vector<std::string> found;
    for (const auto& each : by.route(**place, {key, {}, {}, {}, {}}, more).queues) {
      CHECK(each.owner.value == each.queue.value % 3);
      found.push_back(names.at(each.queue.value));
    }
    std::ranges::sort(found);
    std::string text;
    for (const auto& name : found) text += (text.empty() ? "" : " ") + name;
    return text;
  }

  test::SeededRandom random{1};
  Catalog catalog;
  Router router{random, 3};
};

base::FieldTable one(std::string key, base::FieldValue value) {
  base::FieldTable table;
  table.set(key, std::move(value));
  return table;
}

}  // namespace

TEST_CASE("router: the default exchange knows every queue by its name") {
  Site site;
  site.queue("a");
  site.queue("s", "stream");
  CHECK(site.route("", "a") == "a");
  CHECK(site.route("", "none").empty());
  CHECK(site.route("", "a", {"s", "none", "a"}) == "a s");
  CHECK(site.router.queue("/", "s")->type == QueueType::stream);
  site.apply(DeleteQueue{"/", "a"});
  CHECK(site.route("", "a").empty());
  CHECK(site.route("nope", "a") == "no exchange 'nope' in vhost '/'");
}

TEST_CASE("router: direct, fanout, topic, headers and more keys") {
  Site site;
  for (const auto* name : {"a", "b", "c"}) site.queue(name);
  site.bind("amq.direct", "a", "k");
  site.bind("amq.direct", "b", "k");
  site.bind("amq.direct", "c", "l");
  CHECK(site.route("amq.direct", "k") == "a b");
  CHECK(site.route("amq.direct", "k", {"l", "k"}) == "a b c");
  site.bind("amq.fanout", "a");
  site.bind("amq.fanout", "b");
  CHECK(site.route("amq.fanout", "x", {"y"}) == "a b");
  site.bind("amq.topic", "a", "order.*");
  site.bind("amq.topic", "a", "#.created");
  site.bind("amq.topic", "b", "order.#");
  CHECK(site.route("amq.topic", "order.created") == "a b");
  CHECK(site.route("amq.topic", "user.created", {"order"}) == "a b");
  site.apply(Unbind{site.binding("amq.topic", "a", "#.created")});
  CHECK(site.route("amq.topic", "user.created").empty());
  site.bind("amq.direct", "a", "k");  // again
  CHECK(site.route("amq.direct", "k") == "a b");
}

TEST_CASE("router: exchanges to exchanges, in cycles, with alternates") {
  Site site;
  for (const auto* name : {"a", "b", "rest"}) site.queue(name);
  site.exchange("one", "fanout");
  site.exchange("two", "direct", one("alternate-exchange", "three"));
  site.exchange("three", "topic", one("alternate-exchange", "two"));
  site.bind("one", "two", "", true);
  site.bind("one", "a");
  site.bind("two", "one", "k", true);
  site.bind("two", "b", "k");
  site.bind("two", "a", "k");
  CHECK(site.route("one", "k") == "a b");
  CHECK(site.route("two", "k") == "a b");
  CHECK(site.route("two", "x").empty());  // two, three, two: cut
  site.bind("three", "rest", "#");
  CHECK(site.route("two", "x") == "rest");
  CHECK(site.route("one", "x") == "a rest");
  site.apply(DeleteExchange{"/", "three"});
  CHECK(site.route("two", "x").empty());
  const auto generation = site.router.generation();
  site.apply(DeleteExchange{"/", "two"});
  CHECK(site.router.generation() > generation);
  CHECK(site.route("one", "k") == "a");
  CHECK(site.catalog.bindings_of("/", "one").size() == 1);
}

TEST_CASE("router: alternates of policies, unless the exchange says its own") {
  Site site;
  for (const auto* name : {"a", "b"}) site.queue(name);
  site.exchange("x");
  site.exchange("y", "direct", one("alternate-exchange", "amq.fanout"));
  site.bind("amq.fanout", "a");
  site.bind("amq.topic", "b", "#");
  for (const auto* name : {"x", "y"})
    site.router.set_alternate(*site.catalog.exchange("/", name), "amq.topic");
  CHECK(site.route("x", "k") == "b");
  CHECK(site.route("y", "k") == "a");
  site.router.set_alternate(*site.catalog.exchange("/", "x"), "");
  CHECK(site.route("x", "k").empty());
}

TEST_CASE("catalog: auto-delete exchanges go with their last binding, one after the other") {
  Site site;
  site.queue("q");
  site.exchange("first", "fanout", {}, true);
  site.exchange("second", "fanout", {}, true);
  site.bind("first", "second", "", true);
  site.bind("second", "q");
  site.bind("second", "q", "other");
  site.apply(Unbind{site.binding("second", "q", "other")});
  CHECK(site.catalog.exchange("/", "second"));
  site.apply(DeleteQueue{"/", "q"});
  CHECK_FALSE(site.catalog.exchange("/", "second"));
  CHECK_FALSE(site.catalog.exchange("/", "first"));
}

TEST_CASE("catalog: bindings differ by their arguments and kind of destination") {
  Site site;
  site.queue("amq.fanout.queue");
  site.queue("q");
  site.exchange("q");  // a queue and an exchange of one name
  site.bind("amq.headers", "q", "k", false, one("a", "1"));
  site.bind("amq.headers", "q", "k", false, one("a", "2"));
  site.bind("amq.headers", "q", "k", true, one("a", "2"));
  CHECK(site.catalog.bindings_of("/", "amq.headers").size() == 3);
  CHECK(site.catalog.bindings_to("/", false, "q").size() == 2);
  CHECK(site.catalog.bindings_to("/", true, "q").size() == 1);
  site.apply(DeleteQueue{"/", "q"});
  CHECK(site.catalog.bindings_of("/", "amq.headers").size() == 1);
}

TEST_CASE("catalog: what is transient is never stored") {
  Site site;
  std::map<std::string, std::string> stored;
  const auto apply = [&](const Command& command) {
    const auto changes = site.catalog.apply(command);
    REQUIRE(changes);
    site.router.apply(site.catalog, *changes);
    for (const auto& change : *changes) {
      if (!change.stored) continue;
      std::visit(
          [&](const auto& record) {
            stored.erase(record_key(record));
            if (!change.removed) stored[record_key(record)] = record_value(record);
          },
          change.record);
    }
  };
  apply(PutVhost{{.name = "/"}});
  site.catalog.for_each<ExchangeRecord>(
      [&](const auto& each) { stored[record_key(each)] = record_value(each); });
  QueueRecord durable, brief, exclusive;
  durable.vhost = brief.vhost = exclusive.vhost = "/";
  durable.name = "durable", brief.name = "brief", exclusive.name = "exclusive";
  durable.type = brief.type = exclusive.type = "classic";
  brief.durable = false;
  exclusive.durable = false;
  exclusive.exclusive_owner = 7;
  durable.table_arguments = one("x-max-length", std::uint16_t{9});
  apply(DeclareQueue{durable, 0});
  apply(DeclareQueue{brief, 0});
  apply(DeclareQueue{exclusive, 0});
  for (const auto* name : {"durable", "brief", "exclusive"}) {
    apply(Bind{site.binding("amq.direct", name, "k", false, one("x", std::int8_t{-1}))});
  }
  CHECK(site.route("amq.direct", "k") == "brief durable exclusive");

  Catalog again;
  for (const auto& [key, value] : stored) {
    auto record = parse_catalog_record(key, value);
    REQUIRE(record);
    again.load(std::move(*record));
  }
  CHECK(again.queue_count() == 1);
  CHECK(again.queue("/", "durable")->table_arguments == durable.table_arguments);  // types kept
  CHECK(again.bindings_of("/", "amq.direct").size() == 1);
  Router router(site.random, 3);
  router.load(again);
  CHECK(site.route_in(router, "amq.direct", "k") == "durable");
  // No id is given twice, though those of transient queues were not stored.
  REQUIRE(again.apply(DeclareQueue{brief, 0}));
  CHECK(again.queue("/", "brief")->log_id > site.catalog.queue("/", "exclusive")->log_id);

  apply(DeleteExclusiveQueues{7});
  CHECK(site.catalog.queue("/", "exclusive") == nullptr);
  CHECK(site.catalog.queue("/", "brief"));
}

TEST_CASE("router: a hash exchange keeps its order over a restart") {
  Site site;
  site.exchange("hash", "x-consistent-hash");
  for (const auto* name : {"d", "a", "c", "b"}) site.queue(name);
  for (const auto* name : {"c", "a", "d", "b"}) site.bind("hash", name, "10");
  Router again(site.random, 3);
  again.load(site.catalog);
  for (int i = 0; i < 200; ++i) {
    const auto key = std::to_string(i);
    CHECK(site.route("hash", key) == site.route_in(again, "hash", key));
  }
}

TEST_CASE("catalog: a vhost takes everything in it along") {
  Site site;
  site.apply(PutVhost{{.name = "other"}});
  QueueRecord queue;
  queue.vhost = "other";
  queue.name = "q";
  queue.type = "classic";
  site.apply(DeclareQueue{queue, 0});
  site.apply(DeleteVhost{"other"});
  CHECK(site.catalog.queue("other", "q") == nullptr);
  CHECK(site.catalog.exchange("other", "amq.direct") == nullptr);
  CHECK_FALSE(site.router.find("other", ""));
  CHECK(site.catalog.exchange("/", "amq.direct"));
}

TEST_CASE("catalog: names with zero bytes do not run into each other") {
  Site site;
  site.queue(std::string("a\0b", 3));
  site.queue("a");
  site.exchange("x");
  site.bind("x", "a", std::string("b\0k", 3));
  site.bind("x", std::string("a\0b", 3), "k");
  CHECK(site.catalog.bindings_of("/", "x").size() == 2);
  site.apply(DeleteQueue{"/", "a"});
  CHECK(site.catalog.bindings_of("/", "x").size() == 1);
}
