// SPDX-License-Identifier: Apache-2.0
#include "filters/plan.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "support/amqp_message.h"

using namespace sluice;
using namespace sluice::filters;

namespace {

struct Message {
  std::string filter_value;
  base::ByteBuffer body;
};

// A segment of chunks with everything the readers see of it.
struct World {
  std::vector<std::vector<Message>> chunks;
  std::vector<base::ByteBuffer> records;  // empty: the chunk has none
  base::ByteBuffer file;

  void index(std::size_t damaged_chunk = SIZE_MAX) {
    SegmentFilterBuilder segment;
    records.resize(chunks.size());
    for (std::size_t c = 0; c < chunks.size(); ++c) {
      ChunkFilterBuilder builder(16);
      std::uint32_t entry = 0;
      for (const Message& message : chunks[c]) {
        builder.add(message.filter_value, {entry, entry});
        ++entry;
      }
      if (!builder.empty()) builder.finish(records[c]);
      if (c == damaged_chunk)
        segment.add_unknown_chunk();
      else if (records[c].empty())
        segment.add_unfiltered_chunk();
      else
        segment.add_chunk(ChunkFilterView::parse(records[c]).value());
      if (c == damaged_chunk) records[c] = {1};
    }
    segment.finish(file);
  }

  SegmentFilterReader reader() {
    return SegmentFilterReader::open([this](std::uint64_t position, base::MutableBytes into) {
             if (position + into.size() > file.size()) return false;
             std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(position), into.size(), into.begin());
             return true;
           })
        .value();
  }

  static void ask(const FilterPlan& plan, const base::ByteBuffer& record, ChunkMatch& match) {
    if (record.empty()) return plan.unfiltered_chunk(match);
    const auto view = ChunkFilterView::parse(record);
    view ? plan.chunk(*view, match) : plan.unknown_chunk(match);
  }
};

struct Read {
  std::vector<std::pair<std::size_t, std::size_t>> found;  // (chunk, entry)
  std::size_t chunks_asked = 0;
  std::size_t bodies_read = 0;
};

// What a reader does with a plan.
Read read_filtered(World& world, const FilterPlan& plan) {
  Read read;
  SegmentFilterReader reader = world.reader();
  const SegmentMatch segment = plan.segment(reader);
  ChunkMatch match;
  for (std::size_t c = 0; c < world.chunks.size(); ++c) {
    if (segment.kind == SegmentMatch::Kind::none) break;
    if (segment.kind == SegmentMatch::Kind::some && !segment.chunks.contains(static_cast<std::uint32_t>(c)))
      continue;
    ++read.chunks_asked;
    World::ask(plan, world.records[c], match);
    if (match.kind == ChunkMatch::Kind::none) continue;
    std::vector<std::uint32_t> entries = match.entries;
    if (match.kind == ChunkMatch::Kind::all) {
      REQUIRE(entries.empty());
      for (std::uint32_t i = 0; i < world.chunks[c].size(); ++i) entries.push_back(i);
    } else {
      REQUIRE_FALSE(entries.empty());
      REQUIRE(entries.size() < world.chunks[c].size());
    }
    for (const std::uint32_t entry : entries) {
      if (match.check_messages) {
        ++read.bodies_read;
        if (!plan.message_matches(match.value_of(entry), world.chunks[c][entry].body)) continue;
      }
      read.found.emplace_back(c, entry);
    }
  }
  return read;
}

std::vector<std::pair<std::size_t, std::size_t>> truth(const World& world, const FilterSpec& spec) {
  std::optional<Expression> expression;
  if (!spec.expression.empty()) expression = Expression::parse(spec.expression, spec.field).value();
  std::vector<std::pair<std::size_t, std::size_t>> found;
  for (std::size_t c = 0; c < world.chunks.size(); ++c) {
    for (std::size_t i = 0; i < world.chunks[c].size(); ++i) {
      const Message& message = world.chunks[c][i];
      const bool listed = std::ranges::find(spec.values, message.filter_value) != spec.values.end();
      const bool wanted =
          spec.values.empty() || (message.filter_value.empty() ? spec.match_unfiltered : listed);
      const FilterValue value = FilterValue::of(message.filter_value);
      if (wanted && (!expression || expression->evaluate(value, message.body).always_true()))
        found.emplace_back(c, i);
    }
  }
  return found;
}

World random_world(std::uint64_t seed, std::size_t chunks) {
  std::mt19937_64 random(seed);
  World world;
  for (std::size_t c = 0; c < chunks; ++c) {
    auto& chunk = world.chunks.emplace_back();
    const std::size_t entries = 1 + random() % 60;
    const bool unfiltered = random() % 8 == 0;
    const std::size_t first = random() % 30;  // a chunk has a few of the values
    for (std::size_t i = 0; i < entries; ++i) {
      const std::size_t which = first + random() % 6;
      const std::string value = unfiltered || random() % 5 == 0 ? "" : "c" + std::to_string(which);
      test::AmqpMessage message;
      if (!value.empty()) message.app("country", value);
      message.app("temp", static_cast<std::int64_t>(random() % 60)).app("flag", random() % 2 == 0);
      chunk.push_back({value, random() % 20 == 0 ? base::ByteBuffer{'x'} : message.bytes()});
    }
  }
  return world;
}

const std::vector<FilterSpec>& specs() {
  static const std::vector<FilterSpec> all = {
      {.values = {"c3"}},
      {.values = {"c3", "c17", "nowhere"}},
      {.values = {"c3"}, .match_unfiltered = true},
      {.values = {"nowhere"}},
      {.values = {""}, .match_unfiltered = true},
      {.values = {""}},
      {.match_unfiltered = true},
      {.expression = "temp > 30"},
      {.expression = "country IN ('c3','c4') AND temp > 30"},
      {.expression = "country IN ('c3','c4') AND temp > 30", .field = "country"},
      {.expression = "country IN ('c3','c4')", .field = "country"},
      {.expression = "country = 'c3' OR temp > 55", .field = "country"},
      {.expression = "filter = 'c5' OR filter = 'c6' AND flag"},
      {.expression = "filter LIKE 'c1%'"},
      {.expression = "filter LIKE 'c1%' AND temp < 5"},
      {.expression = "filter <> 'c1'"},
      {.expression = "filter IS NULL"},
      {.expression = "filter IS NULL OR filter = 'c9'"},
      {.expression = "filter IS NULL AND temp = 3"},
      {.expression = "NOT (filter = 'c3' AND temp > 10)"},
      {.expression = "FALSE"},
      {.expression = "TRUE"},
      {.values = {"c1", "c2", "c3"}, .expression = "filter <> 'c2' AND temp < 20"},
      {.values = {"c1", "c2"}, .match_unfiltered = true, .expression = "flag"},
      {.values = {"c1", "c2"}, .match_unfiltered = true, .expression = "filter IS NULL OR flag"},
  };
  return all;
}

}  // namespace

TEST_CASE("a filtered read finds exactly what every message asked alone would say") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    World world = random_world(seed, 200);
    world.index();
    for (const FilterSpec& spec : specs()) {
      INFO("seed " << seed << " expression " << spec.expression << " values " << spec.values.size());
      const auto plan = make_plan(spec);
      REQUIRE(plan.has_value());
      REQUIRE(read_filtered(world, *plan).found == truth(world, spec));
    }
  }
}

TEST_CASE("whole chunks hold at least every match") {
  World world = random_world(9, 100);
  world.index();
  for (FilterSpec spec : specs()) {
    const auto wanted = truth(world, spec);
    spec.mode = FilterMode::chunk;
    const auto plan = make_plan(spec);
    const Read read = read_filtered(world, *plan);
    CHECK(read.bodies_read == 0);
    CHECK(std::ranges::includes(read.found, wanted));
  }
}

TEST_CASE("a chunk with a damaged record is read whole and loses nothing") {
  World world = random_world(4, 50);
  world.index(20);
  for (const FilterSpec& spec : specs()) {
    const auto plan = make_plan(spec);
    const Read read = read_filtered(world, *plan);
    const auto wanted = truth(world, spec);
    CHECK(std::ranges::includes(read.found, wanted));
    for (const auto& [chunk, entry] : read.found)
      CHECK((chunk == 20 || std::ranges::binary_search(wanted, std::pair{chunk, entry})));
  }
}

TEST_CASE("what the index can decide is not read from bodies") {
  World world = random_world(2, 200);
  world.index();
  const auto reads = [&](const FilterSpec& spec) { return read_filtered(world, make_plan(spec).value()); };
  CHECK(reads({.values = {"c3"}}).bodies_read == 0);
  CHECK(reads({.expression = "country IN ('c3')", .field = "country"}).bodies_read == 0);
  CHECK(reads({.expression = "filter LIKE 'c1%'"}).bodies_read == 0);
  CHECK(reads({.expression = "filter IS NULL"}).bodies_read == 0);
  const Read narrow = reads({.expression = "country = 'c3' AND temp > 30", .field = "country"});
  CHECK(narrow.bodies_read == reads({.values = {"c3"}}).found.size());
  CHECK(narrow.chunks_asked < 50);
  CHECK(reads({.values = {"nowhere"}}).chunks_asked == 0);
  CHECK(reads({.expression = "FALSE"}).chunks_asked == 0);
  CHECK(reads({.expression = "filter LIKE 'nowhere%'"}).chunks_asked == 0);
}

TEST_CASE("plans are refused or pass everything") {
  CHECK(make_plan({}).value().pass_all());
  CHECK(make_plan({.match_unfiltered = true}).value().pass_all());
  CHECK_FALSE(make_plan({.values = {"a"}}).value().pass_all());
  CHECK(make_plan({.expression = "a ="}).error().code == base::Errc::precondition_failed);
  CHECK_FALSE(make_plan({.values = std::vector<std::string>(1000, "x")}).has_value());
}
