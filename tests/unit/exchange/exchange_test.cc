// SPDX-License-Identifier: Apache-2.0
#include "exchange/exchange.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "exchange/choosing.h"
#include "support/field_tables.h"

using namespace sluice;
using exchange::Binding;
using exchange::DestinationId;
using test::table;

namespace {

struct Seeded final : base::Random {
  std::mt19937_64 engine{42};
  std::uint64_t next() override { return engine(); }
};

struct World {
  Seeded random;
  std::unique_ptr<exchange::Exchange> exchange;

  explicit World(std::string_view type, const base::FieldTable& arguments = {})
      : exchange(*exchange::make_exchange(type, arguments, random)) {}

  void bind(std::uint64_t to, std::string key, base::FieldTable arguments = {}) {
    REQUIRE(exchange->bind({DestinationId{to}, std::move(key), std::move(arguments)}));
  }
  void unbind(std::uint64_t to, std::string key, base::FieldTable arguments = {}) {
    exchange->unbind({DestinationId{to}, std::move(key), std::move(arguments)});
  }
  std::vector<std::uint64_t> route(std::string_view key, const base::FieldTable& headers = {}) const {
    base::ByteBuffer bytes;
    base::ByteWriter writer(bytes);
    base::write_field_table(writer, headers);
    exchange::Targets targets;
    exchange::RoutingData message;
    message.key = key;
    message.headers = base::FieldTableView(base::ByteView(bytes).subspan(4));
    exchange->route(message, targets);
    targets.make_unique();
    std::vector<std::uint64_t> ids;
    for (const DestinationId id : targets.ids()) ids.push_back(id.value);
    std::ranges::sort(ids);
    return ids;
  }
};

using Ids = std::vector<std::uint64_t>;

// The definition of topic matching, word by word.
bool matches(std::span<const std::string> pattern, std::span<const std::string> words) {
  if (pattern.empty()) return words.empty();
  if (pattern.front() == "#") {
    for (std::size_t n = 0; n <= words.size(); ++n) {
      if (matches(pattern.subspan(1), words.subspan(n))) return true;
    }
    return false;
  }
  return !words.empty() && (pattern.front() == "*" || pattern.front() == words.front()) &&
         matches(pattern.subspan(1), words.subspan(1));
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ".") + word;
  return text;
}

}  // namespace

TEST_CASE("direct and fanout") {
  World direct("direct");
  direct.bind(1, "a");
  direct.bind(1, "a", table({{"other", true}}));
  direct.bind(2, "b");
  CHECK(direct.route("a") == Ids{1});
  CHECK(direct.route("c").empty());
  direct.unbind(1, "a");
  CHECK(direct.route("a") == Ids{1});
  direct.unbind(1, "a", table({{"other", true}}));
  CHECK(direct.route("a").empty());

  World fanout("fanout");
  fanout.bind(1, "x");
  fanout.bind(1, "y");
  fanout.bind(2, "");
  CHECK(fanout.route("anything") == Ids{1, 2});
  fanout.unbind(1, "x");
  CHECK(fanout.route("") == Ids{1, 2});
  fanout.unbind(1, "y");
  CHECK(fanout.route("") == Ids{2});
}

TEST_CASE("topic keys as users write them") {
  World topic("topic");
  topic.bind(1, "user.*");
  topic.bind(2, "order.#");
  topic.bind(3, "*.error.*");
  topic.bind(4, "#");
  topic.bind(5, "a..b");
  topic.bind(6, "#.x.#");
  CHECK(topic.route("user.signup") == Ids{1, 4});
  CHECK(topic.route("user") == Ids{4});
  CHECK(topic.route("order") == Ids{2, 4});
  CHECK(topic.route("order.created.kr") == Ids{2, 4});
  CHECK(topic.route("db.error.disk") == Ids{3, 4});
  CHECK(topic.route("") == Ids{4});
  CHECK(topic.route("a..b") == Ids{4, 5});
  CHECK(topic.route("p.x.q.r") == Ids{4, 6});
  CHECK(topic.route("x") == Ids{4, 6});
  CHECK_FALSE(topic.exchange->bind({DestinationId{9}, "#.a.#.b.#", {}}));
}

TEST_CASE("the topic trie agrees with matching by definition, also after unbinding") {
  std::mt19937 random(7);
  const std::vector<std::string> alphabet{"a", "b", "c", "*", "#"};
  const auto draw = [&](std::size_t letters, std::size_t words_max) {
    std::vector<std::string> words(random() % (words_max + 1));
    for (std::string& word : words) word = alphabet[random() % letters];
    return words;
  };
  World topic("topic");
  std::map<std::uint64_t, std::vector<std::string>> bound;
  for (std::uint64_t step = 0; step < 3000; ++step) {
    if (bound.size() > 40 || (random() % 3 == 0 && !bound.empty())) {
      const auto victim = std::next(bound.begin(), static_cast<std::ptrdiff_t>(random() % bound.size()));
      topic.unbind(victim->first, join(victim->second));
      bound.erase(victim);
    } else {
      auto pattern = draw(5, 5);
      if (std::ranges::count(pattern, "#") > 2) continue;
      topic.bind(step, join(pattern));
      bound.emplace(step, std::move(pattern));
    }
    const auto words = draw(3, 6);
    Ids expected;
    for (const auto& [id, pattern] : bound) {
      if (matches(pattern, words)) expected.push_back(id);
    }
    REQUIRE(topic.route(join(words)) == expected);
  }
}

TEST_CASE("headers, in all four forms of x-match") {
  World headers("headers");
  headers.bind(1, "", table({{"format", "pdf"}, {"type", "report"}}));
  headers.bind(2, "", table({{"x-match", "any"}, {"format", "pdf"}, {"type", "log"}}));
  headers.bind(3, "", table({{"x-match", "all"}, {"format", base::FieldVoid{}}}));
  headers.bind(4, "", table({{"x-match", "all-with-x"}, {"x-tenant", "t1"}}));
  headers.bind(5, "", table({{"x-match", "any-with-x"}, {"x-tenant", "t1"}, {"a", 1}}));
  headers.bind(6, "", table({{"x-match", "all"}, {"x-tenant", "ignored"}, {"type", "report"}}));
  CHECK(headers.route("", table({{"format", "pdf"}, {"type", "report"}})) == Ids{1, 2, 3, 6});
  CHECK(headers.route("", table({{"format", "zip"}})) == Ids{3});
  CHECK(headers.route("", table({{"x-tenant", "t1"}})) == Ids{4, 5});
  CHECK(headers.route("", table({{"type", "report"}})) == Ids{6});
  CHECK(headers.route("").empty());
  CHECK_FALSE(headers.exchange->bind({DestinationId{9}, "", table({{"x-match", "most"}})}));
}

TEST_CASE("consistent hash spreads by weight and moves few keys") {
  World hash("x-consistent-hash");
  hash.bind(1, "1");
  hash.bind(2, "3");
  std::map<std::uint64_t, int> counts;
  std::map<std::string, std::uint64_t> before;
  for (int i = 0; i < 4000; ++i) {
    const std::string key = "key" + std::to_string(i);
    const auto ids = hash.route(key);
    REQUIRE(ids.size() == 1);
    ++counts[ids.front()];
    before[key] = ids.front();
  }
  CHECK(counts[2] > 2 * counts[1]);
  hash.bind(3, "4");
  int moved = 0;
  for (const auto& [key, id] : before) {
    const auto now = hash.route(key).front();
    if (now != id) {
      ++moved;
      CHECK(now == 3);
    }
  }
  CHECK(moved > 1500);
  CHECK(moved < 2500);
  CHECK_FALSE(hash.exchange->bind({DestinationId{9}, "heavy", {}}));
  CHECK_FALSE(hash.exchange->bind({DestinationId{9}, "0", {}}));
}

TEST_CASE("types are refused with a reason") {
  Seeded random;
  CHECK(exchange::make_exchange("nonsense", {}, random).error().text == "unknown exchange type 'nonsense'");
  CHECK_FALSE(exchange::make_exchange("x-delayed-message", {}, random));
  CHECK_FALSE(
      exchange::make_exchange("x-delayed-message", table({{"x-delayed-type", "x-delayed-message"}}), random));
  const auto delayed =
      exchange::make_exchange("x-delayed-message", table({{"x-delayed-type", "direct"}}), random);
  REQUIRE(delayed);
  CHECK((*delayed)->delays());
  CHECK_FALSE(exchange::make_exchange(
      "x-consistent-hash", table({{"hash-header", "h"}, {"hash-property", "message_id"}}), random));
  for (const std::string_view name : exchange::type_names()) {
    CHECK(exchange::make_exchange(name, table({{"x-delayed-type", "topic"}}), random));
  }
}

TEST_CASE("exchanges that choose give one destination") {
  for (const std::string_view type : {"x-random", "x-local-random", "x-modulus-hash"}) {
    World world(type);
    CHECK(world.route("k").empty());
    world.bind(1, "");
    world.bind(2, "");
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 200; ++i) {
      const auto ids = world.route("k" + std::to_string(i));
      REQUIRE(ids.size() == 1);
      seen.insert(ids.front());
    }
    CHECK(seen.size() == 2);
    world.unbind(1, "");
    CHECK(world.route("k") == Ids{2});
  }
}
