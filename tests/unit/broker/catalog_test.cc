// SPDX-License-Identifier: Apache-2.0
// The catalog as a machine: tables of commands and what becomes of them, the stored form, and that replicas
// agree.
#include "broker/catalog.h"

#include <catch2/catch.hpp>

#include "broker/access.h"
#include "broker/arguments.h"

using namespace sluice;
using namespace sluice::broker;

namespace {

Catalog with_vhost() {
  Catalog catalog;
  REQUIRE(catalog.apply(PutVhost{{"/", 1}}));
  return catalog;
}
std::string outcome(Catalog& catalog, const Command& command) {
  const auto result = catalog.apply(command);
  return result ? "ok" : std::string(to_string(result.error().code));
}
CreateStream create(std::string name, StreamArguments arguments = {}, std::uint64_t limit = 0) {
  return {"/", std::move(name), std::move(arguments), "guest", 5, limit};
}
CreateSuperStream super(std::string name, std::vector<std::string> partitions,
                        std::vector<std::string> keys) {
  return {"/", std::move(name), std::move(partitions), std::move(keys), {}, "guest", 5, 0};
}

}  // namespace

TEST_CASE("catalog: streams come, exist, differ and go") {
  auto catalog = with_vhost();
  CHECK(outcome(catalog, create("a")) == "ok");
  CHECK(outcome(catalog, create("a")) == "stream exists");
  CHECK(outcome(catalog, create("a", {{"max-age", "7D"}})) == "precondition failed");
  CHECK(outcome(catalog, create("b", {}, 1)) == "precondition failed");  // the limit
  CHECK(outcome(catalog, DeleteStream{"/", "b"}) == "stream not found");
  const auto first = catalog.queue("/", "a")->log_id;
  CHECK(outcome(catalog, DeleteStream{"/", "a"}) == "ok");
  CHECK(catalog.queue("/", "a") == nullptr);
  CHECK(outcome(catalog, create("a")) == "ok");
  CHECK(catalog.queue("/", "a")->log_id > first);  // its directory is never used again
  CHECK(outcome(catalog, CreateStream{"other", "a", {}, "guest", 5, 0}) == "virtual host access refused");
}

TEST_CASE("catalog: superstreams") {
  auto catalog = with_vhost();
  CHECK(outcome(catalog, super("s", {}, {})) == "precondition failed");
  CHECK(outcome(catalog, super("s", {"p", "p"}, {"0", "1"})) == "precondition failed");
  CHECK(outcome(catalog, super("s", {"p"}, {"0", "1"})) == "precondition failed");
  CHECK(outcome(catalog, create("s-1")) == "ok");
  CHECK(outcome(catalog, super("s", {"s-0", "s-1"}, {"0", "1"})) == "stream exists");
  CHECK(catalog.queue("/", "s-0") == nullptr);  // all or nothing
  CHECK(outcome(catalog, DeleteStream{"/", "s-1"}) == "ok");
  CHECK(outcome(catalog, super("s", {"s-2", "s-1", "s-0"}, {"kr", "jp", "kr"})) == "ok");
  CHECK(outcome(catalog, super("s", {"x"}, {"0"})) == "stream exists");

  CHECK(*catalog.partitions("/", "s") == std::vector<std::string>{"s-2", "s-1", "s-0"});
  CHECK(*catalog.route("/", "s", "kr") == std::vector<std::string>{"s-2", "s-0"});
  CHECK(catalog.route("/", "s", "us")->empty());
  CHECK(catalog.route("/", "none", "us").error().code == base::Errc::superstream_not_found);
  CHECK(catalog.partition_index("/", "s", "s-2") == 0);
  CHECK(catalog.partition_index("/", "s", "s-0") == 2);
  CHECK(catalog.partition_index("/", "s", "other-7") == -1);

  SECTION("a partition deleted by itself leaves the others") {
    CHECK(outcome(catalog, DeleteStream{"/", "s-1"}) == "ok");
    CHECK(*catalog.partitions("/", "s") == std::vector<std::string>{"s-2", "s-0"});
  }
  SECTION("the superstream takes its partitions with it") {
    CHECK(outcome(catalog, DeleteSuperStream{"/", "s"}) == "ok");
    CHECK(outcome(catalog, DeleteSuperStream{"/", "s"}) == "super stream not found");
    CHECK(catalog.queue_count() == 0);
  }
}

TEST_CASE("catalog: what is stored makes the same catalog again") {
  auto catalog = with_vhost();
  std::map<std::string, std::string> stored;
  const auto apply = [&](const Command& command) {
    const auto changes = catalog.apply(command);
    REQUIRE(changes);
    for (const auto& change : *changes) {
      std::visit(
          [&](const auto& record) {
            stored.erase(record_key(record));
            if (!change.removed) stored[record_key(record)] = record_value(record);
          },
          change.record);
    }
  };
  apply(PutVhost{{"/", 1}});
  apply(PutUser{{"guest", hash_password("secret", 7), {"administrator", "x"}}});
  apply(PutPermission{{"/", "guest", ".*", "", ".*"}});
  apply(create("plain", {{"max-age", "7D"}}));
  apply(super("s", {"s-0", "s-1"}, {"0", "1"}));
  apply(DeleteStream{"/", "s-0"});

  Catalog again;
  for (const auto& [key, value] : stored) {
    auto record = parse_catalog_record(key, value);
    REQUIRE(record);
    again.load(std::move(*record));
  }
  CHECK(again.queue_count() == 2);
  CHECK(again.queue("/", "plain")->arguments == StreamArguments{{"max-age", "7D"}});
  CHECK(again.user("guest")->tags == std::vector<std::string>{"administrator", "x"});
  CHECK(again.permission("/", "guest")->read == ".*");
  CHECK(*again.partitions("/", "s") == std::vector<std::string>{"s-1"});
  // The next log id goes on, too, with a fresh block.
  REQUIRE(again.apply(create("new")));
  REQUIRE(catalog.apply(create("new")));
  CHECK(again.queue("/", "new")->log_id >= catalog.queue("/", "new")->log_id);
}

TEST_CASE("catalog: stored bytes that cannot be read are refused, never guessed") {
  const auto value = record_value(VhostRecord{"/", 1});
  const auto key = record_key(VhostRecord{"/", 1});
  CHECK(parse_catalog_record(key, value));
  CHECK_FALSE(parse_catalog_record("", value));
  CHECK_FALSE(parse_catalog_record("?", value));
  CHECK_FALSE(parse_catalog_record(key + "x", value));
  CHECK_FALSE(parse_catalog_record(key, ""));
  CHECK_FALSE(parse_catalog_record(key, "\x02" + value.substr(1)));
  for (std::size_t size = 0; size < value.size(); ++size) {
    static_cast<void>(parse_catalog_record(key, value.substr(0, size)));
  }
  CHECK(parse_catalog_record(key, value + "a field of later"));
}

TEST_CASE("names") {
  CHECK(*normalise_name("a\r\nb") == "ab");
  for (const auto* bad : {"", "\r\n", "amq.", "amq.x"}) CHECK_FALSE(normalise_name(bad));
  CHECK(normalise_name(std::string(255, 'x')));
  CHECK_FALSE(normalise_name(std::string(256, 'x')));
}

TEST_CASE("arguments of a stream") {
  struct Row {
    const char *key, *value, *stored;  // stored: null when refused
  };
  const Row rows[] = {
      {"max-length-bytes", "0100", "100"},
      {"max-length-bytes", "-1", nullptr},
      {"max-length-bytes", "1e3", nullptr},
      {"max-length-bytes", "99999999999999999999", nullptr},
      {"max-age", "7D", "7D"},
      {"max-age", "010s", "10s"},
      {"max-age", "0s", nullptr},
      {"max-age", "7", nullptr},
      {"max-age", "D", nullptr},
      {"max-age", "7d", nullptr},
      {"max-age", "-7D", nullptr},
      {"stream-max-segment-size-bytes", "3000000000", "3000000000"},
      {"stream-max-segment-size-bytes", "3000000001", nullptr},
      {"stream-max-segment-size-bytes", "0", "0"},
      {"initial-cluster-size", "1", "1"},
      {"initial-cluster-size", "0", nullptr},
      {"queue-leader-locator", "least-leaders", "least-leaders"},
      {"queue-leader-locator", "nearest", nullptr},
      {"stream-filter-size-bytes", "16", "16"},
      {"stream-filter-size-bytes", "255", "255"},
      {"stream-filter-size-bytes", "15", nullptr},
      {"stream-filter-size-bytes", "256", nullptr},
      {"durability", "synced", "synced"},
      {"durability", "maybe", nullptr},
      {"max-age", "", nullptr},
  };
  for (const auto& row : rows) {
    INFO(row.key << " = " << row.value);
    const auto kept = normalise_arguments({{row.key, row.value}});
    CHECK(kept.has_value() == (row.stored != nullptr));
    if (kept && row.stored) CHECK(kept->at(row.key) == row.stored);
    if (!kept) CHECK(kept.error().text.find(row.key) != std::string::npos);
  }
  CHECK(normalise_arguments({{"something", "else"}})->empty());

  const auto options = to_log_options({{"max-age", "2m"},
                                       {"max-length-bytes", "500"},
                                       {"stream-max-segment-size-bytes", "100"},
                                       {"stream-filter-size-bytes", "32"},
                                       {"durability", "synced"}},
                                      BrokerOptions{});
  CHECK(options.storage.retention.age_max_ms == 120'000);
  CHECK(options.storage.retention.bytes_max == 500);
  CHECK(options.storage.segment_bytes_max == 100);
  CHECK(options.storage.bloom_bytes == 32);
  CHECK(options.durability == log::Durability::synced);
  CHECK(to_log_options({}, BrokerOptions{}).durability == log::Durability::written);
}

TEST_CASE("access: users, loopback, anonymous, permissions") {
  auto catalog = with_vhost();
  BrokerOptions options;
  REQUIRE(catalog.apply(PutUser{{"guest", hash_password("guest", 7), {}}}));
  REQUIRE(catalog.apply(PutUser{{"far", hash_password("x", 8), {}}}));
  REQUIRE(catalog.apply(PutPermission{{"/", "guest", ".*", "", ".*"}}));
  const LocalAccess access(catalog, options);
  const auto login = [&](Credentials credentials) {
    const auto identity = access.authenticate(credentials);
    return identity ? identity->user : std::string(to_string(identity.error().code));
  };
  CHECK(login({.user = "guest", .password = "guest", .loopback = true}) == "guest");
  CHECK(login({.user = "guest", .password = "guest"}) == "user may connect over loopback only");
  CHECK(login({.user = "guest", .password = "wrong"}) == "authentication failed");
  CHECK(login({.user = "nobody", .password = "", .loopback = true}) == "authentication failed");
  CHECK(login({.user = "far", .password = "x"}) == "far");
  CHECK(login({{}, {}, true, true}) == "guest");
  options.anonymous_login_user = "none";
  CHECK(login({{}, {}, true, true}) == "authentication failed");

  const Identity guest{"guest", {}}, far{"far", {}};
  CHECK(access.open_vhost(guest, "/"));
  CHECK_FALSE(access.open_vhost(guest, "other"));
  CHECK(access.open_vhost(far, "/").error().code == base::Errc::vhost_access_refused);
  CHECK(access.check(guest, "/", Permission::read, "q"));
  CHECK(access.check(guest, "/", Permission::write, "q").error().code == base::Errc::access_refused);
  CHECK_FALSE(access.check(far, "/", Permission::read, "q"));
}
