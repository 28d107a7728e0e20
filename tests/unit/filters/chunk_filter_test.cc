// SPDX-License-Identifier: Apache-2.0
#include "filters/chunk_filter.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <random>
#include <string>

using namespace sluice;
using namespace sluice::filters;

namespace {

std::vector<std::uint32_t> members(const EntrySet& set) {
  std::vector<std::uint32_t> all;
  set.for_each([&](std::uint32_t entry) { all.push_back(entry); });
  return all;
}

// A chunk of these values with entries 100 bytes apart, as a record.
base::ByteBuffer record_of(const std::vector<std::string>& values, std::size_t bloom_bytes = 16) {
  ChunkFilterBuilder builder(bloom_bytes);
  std::uint32_t entry = 0;
  for (const std::string& value : values) {
    builder.add(value, {entry * 100, entry});
    ++entry;
  }
  base::ByteBuffer record;
  builder.finish(record);
  return record;
}

// Everything a record says against the plain truth.
void check_against(const std::vector<std::string>& values, const base::ByteBuffer& record) {
  const auto view = ChunkFilterView::parse(record);
  REQUIRE(view.has_value());
  std::map<std::string, std::vector<std::uint32_t>> truth;
  for (std::uint32_t i = 0; i < values.size(); ++i) truth[values[i]].push_back(i);
  REQUIRE(view->entry_count() == values.size());
  REQUIRE(view->distinct_count() == truth.size() - truth.count(""));
  REQUIRE(view->has_unfiltered() == (truth.count("") == 1));
  EntrySet set;
  set.reset(view->entry_count());
  REQUIRE(view->unfiltered_entries(set));
  REQUIRE(members(set) == truth[""]);
  truth.erase("");
  for (const auto& [value, entries] : truth) {
    REQUIRE(view->may_contain(value));
    set.reset(view->entry_count());
    REQUIRE(view->entries(value, set));
    REQUIRE(members(set) == entries);
    REQUIRE_FALSE(view->may_contain(value + "?"));
  }
  std::size_t walked = 0;
  for (auto cursor = view->values(); cursor.next(); ++walked) {
    set.reset(view->entry_count());
    REQUIRE(cursor.entries(set));
    REQUIRE(members(set) == truth.at(std::string(cursor.value())));
  }
  REQUIRE(walked == truth.size());
}

}  // namespace

TEST_CASE("a record answers exactly for every shape of chunk") {
  std::mt19937_64 random(7);
  for (const std::size_t entries : {1U, 15U, 16U, 17U, 1000U, 65'535U}) {
    for (const std::size_t distinct : {1U, 2U, 16U, 17U, 33U, 5000U}) {
      std::vector<std::string> values(entries);
      for (std::string& value : values) {
        const std::size_t which = random() % (distinct + distinct / 8 + 1);
        value = which < distinct ? "value-" + std::to_string(which) : "";
      }
      values[0] = "value-0";
      check_against(values, record_of(values, 16 + random() % 240));
    }
  }
}

TEST_CASE("dense, sparse and consecutive positions are each stored small") {
  std::vector<std::string> runs(4096);
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i] = i < 2048 ? "a" : "b";
  CHECK(record_of(runs).size() < 400 * 10 + 200);  // some 400 samples of 10 bytes, little else
  std::vector<std::string> random_half(4096);
  std::mt19937_64 random(1);
  for (std::string& value : random_half) value = random() % 2 ? "a" : "b";
  CHECK(record_of(random_half).size() < 400 * 10 + 2 * 512 + 200);
  check_against(random_half, record_of(random_half));
}

TEST_CASE("the builder is empty when all entries are unfiltered and can be used again") {
  ChunkFilterBuilder builder(16);
  builder.add("", {0, 0});
  builder.add("", {10, 1});
  CHECK(builder.empty());
  builder.add("x", {20, 2});
  CHECK_FALSE(builder.empty());
  builder.clear();
  CHECK(builder.empty());
  std::vector<std::string> values;
  for (std::uint32_t i = 0; i < 40; ++i) {
    values.push_back(i % 3 == 0 ? "" : "v" + std::to_string(i % 7));
    builder.add(values.back(), {i * 100, i});
  }
  base::ByteBuffer record;
  builder.finish(record);
  CHECK(record == record_of(values));
  check_against(values, record);
}

namespace {

struct Expected {
  std::uint32_t first = 0, end = 0;
};

// Groups end after 16 entries or 512 bytes.
std::vector<Expected> groups_of(const std::vector<EntryPlace>& places) {
  std::vector<Expected> groups(1);
  for (std::uint32_t i = 0; i < places.size(); ++i) {
    const std::uint32_t first = groups.back().first;
    if (i - first >= 16 || places[i].position - places[first].position >= 512) groups.push_back({i, i});
    groups.back().end = i + 1;
  }
  return groups;
}

void check_groups(const ChunkFilterView& view, const std::vector<EntryPlace>& places, bool checks) {
  const std::vector<Expected> groups = groups_of(places);
  std::size_t hint = 0;
  for (std::uint32_t number = 0; number < groups.size(); ++number) {
    const bool last = number + 1 == groups.size();
    const SampleGroup group = view.group_of(groups[number].end - 1, hint);
    CHECK(group.first_entry == groups[number].first);
    CHECK(group.end_entry == groups[number].end);
    CHECK(group.begin == places[groups[number].first]);
    CHECK(group.end_position == (last ? UINT32_MAX : places[groups[number].end].position));
    if (checks) CHECK(group.check_before == number * 10);
    if (checks && !last) CHECK(group.check_after == (number + 1) * 10);
  }
}

}  // namespace

TEST_CASE("samples give the place of the group an entry is in") {
  for (const std::uint32_t size : {1U, 10U, 31U, 32U, 33U, 600U, 5'000U}) {
    for (const auto& [batches, checks] :
         {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
      ChunkFilterBuilder builder(16);
      std::vector<EntryPlace> places;
      EntryPlace at;
      for (std::uint32_t i = 0; i < 100; ++i) {
        places.push_back(at);
        builder.add("v", at);
        at.position += size + i % 3 * (size / 10);
        at.record += batches ? i % 5 + 1 : 1;
      }
      REQUIRE(builder.samples().size() == groups_of(places).size());
      std::vector<std::uint32_t> checks_before;
      for (std::uint32_t i = 1; i < builder.samples().size(); ++i) checks_before.push_back(i * 10);
      if (checks) builder.set_sample_checks(checks_before);
      base::ByteBuffer record;
      builder.finish(record);
      const auto view = ChunkFilterView::parse(record);
      REQUIRE(view.has_value());
      CHECK(view->has_checks() == checks);
      check_groups(*view, places, checks);
    }
  }
}

TEST_CASE("every damaged byte and every cut is noticed") {
  const base::ByteBuffer record = record_of({"KR", "JP", "", "KR", "DE"});
  for (std::size_t i = 0; i < record.size(); ++i) {
    base::ByteBuffer damaged = record;
    damaged[i] ^= 0x10;
    CHECK_FALSE(ChunkFilterView::parse(damaged).has_value());
    CHECK_FALSE(ChunkFilterView::parse(base::ByteView(record).first(i)).has_value());
  }
}

TEST_CASE("values beyond the bound leave the dictionary out and the Bloom filter right") {
  ChunkFilterBuilder builder(255);
  std::vector<std::string> values;
  for (std::uint32_t i = 0; i < 100; ++i) {
    values.push_back(std::string(30'000, static_cast<char>('a' + i % 26)) + std::to_string(i));
    builder.add(values.back(), {i, i});
  }
  base::ByteBuffer record;
  builder.finish(record);
  CHECK(record.size() < 1000);
  const auto view = ChunkFilterView::parse(record);
  REQUIRE(view.has_value());
  CHECK_FALSE(view->has_dictionary());
  CHECK(view->distinct_count() == 100);
  EntrySet set;
  set.reset(view->entry_count());
  for (const std::string& value : values) {
    CHECK(view->may_contain(value));
    CHECK_FALSE(view->entries(value, set));
  }
}

TEST_CASE("cost of the builder per message", "[.bench]") {
  for (const std::size_t distinct : {1U, 10U, 200U, 4000U}) {
    ChunkFilterBuilder builder(16);
    std::vector<std::string> values(8192);
    std::mt19937_64 random(3);
    for (std::string& value : values) value = "sensor-" + std::to_string(random() % distinct);
    base::ByteBuffer record;
    const auto begin = std::chrono::steady_clock::now();
    for (int round = 0; round < 100; ++round) {
      builder.clear();
      record.clear();
      for (std::uint32_t i = 0; i < values.size(); ++i) builder.add(values[i], {i * 100, i});
      builder.finish(record);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    WARN(distinct << " values: " << took.count() / 819'200 << " ns per message, record " << record.size()
                  << " bytes of 819200 bytes of data");
  }
}
