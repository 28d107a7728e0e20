// SPDX-License-Identifier: Apache-2.0
// OffsetSet and UnackedList against std::set and std::map; events against their own bytes.
#include <catch2/catch.hpp>

#include <random>
#include <set>

#include "queue/work_event.h"
#include "queue/work_offsets.h"
#include "queue/work_state.h"
#include "queue/work_unacked.h"

using namespace sluice;
using namespace sluice::queue;
using base::Offset;

namespace {

void check_same(const OffsetSet& set, const std::set<std::uint64_t>& truth) {
  REQUIRE(set.count() == truth.size());
  std::vector<std::uint64_t> all;
  Offset last;
  set.for_each_run([&](Offset first, Offset end) {
    REQUIRE((all.empty() || first > last + 1));
    for (last = first; last <= end; last = last + 1) all.push_back(last.value);
    last = end;
  });
  REQUIRE(std::equal(all.begin(), all.end(), truth.begin(), truth.end()));
  if (!truth.empty()) {
    REQUIRE(set.front().value == *truth.begin());
    REQUIRE(set.back().value == *truth.rbegin());
  }
  base::ByteBuffer bytes;
  set.encode(bytes);
  OffsetSet again;
  base::ByteReader reader(bytes);
  REQUIRE(again.decode(reader, truth.empty() ? Offset{} : Offset{*truth.rbegin() + 1}));
  REQUIRE(reader.at_end());
  REQUIRE(again == set);
}

}  // namespace

TEST_CASE("a set of offsets is what std::set is") {
  std::mt19937_64 random(GENERATE(1U, 2U, 3U, 4U));
  OffsetSet set;
  std::set<std::uint64_t> truth;
  const std::uint64_t spread = GENERATE(300U, 20'000U, 1'000'000U);
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t at = random() % spread;
    switch (random() % 8) {
      case 0:
      case 1:
        REQUIRE(set.insert(Offset{at}) == truth.insert(at).second);
        break;
      case 2:
        for (std::uint64_t i = 0; i < 40; ++i) set.insert(Offset{at + i}), truth.insert(at + i);
        break;
      case 3:
        REQUIRE(set.erase(Offset{at}) == (truth.erase(at) == 1));
        break;
      case 4:
        if (truth.empty()) break;
        REQUIRE(set.pop_front().value == *truth.begin());
        truth.erase(truth.begin());
        break;
      case 5:
        REQUIRE(set.contains(Offset{at}) == truth.contains(at));
        break;
      case 6: {
        const auto next = truth.lower_bound(at);
        const auto found = set.first_from(Offset{at});
        REQUIRE(found.has_value() == (next != truth.end()));
        if (found) REQUIRE(found->value == *next);
        break;
      }
      default:
        for (std::uint64_t i = 0; i < 30; ++i) set.erase(Offset{at + i}), truth.erase(at + i);
    }
    if (step % 2000 == 0) check_same(set, truth);
  }
  check_same(set, truth);
  OffsetSet other;
  std::set<std::uint64_t> both = truth;
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t at = random() % spread;
    other.insert(Offset{at});
    both.insert(at);
  }
  set.insert_all(other);
  check_same(set, both);
}

TEST_CASE("twenty million messages in a row take little memory") {
  OffsetSet set;
  for (std::uint64_t i = 0; i < 20'000'000; ++i) set.insert(Offset{i});
  CHECK(set.heap_bytes() < 300'000);
  for (std::uint64_t i = 0; i < 20'000'000; i += 2) set.erase(Offset{i});
  CHECK(set.heap_bytes() < 3'500'000);
}

TEST_CASE("malformed sets are refused") {
  const auto refused = [](base::ByteBuffer bytes) {
    OffsetSet set;
    base::ByteReader reader(bytes);
    return !set.decode(reader, Offset{10'000});
  };
  CHECK(refused({}));
  CHECK(refused({5, 0}));                 // more blocks than bytes
  CHECK(refused({1, 1, 0}));              // range cut short
  CHECK(refused({1, 1, 0xFF, 0x1F, 1}));  // past its block
  CHECK(refused({1, 9}));                 // block behind the end
  CHECK(refused({1, 2, 0, 0}));           // bits cut short
  CHECK(!refused({0}));
  CHECK(!refused({2, 0, 0}));
}

TEST_CASE("unsettled deliveries are found in any order") {
  std::mt19937_64 random(GENERATE(1U, 2U, 3U));
  UnackedList list;
  std::map<std::uint64_t, Taken> truth;
  std::uint64_t next = 0;
  const bool disorder = GENERATE(false, true);
  for (int step = 0; step < 30'000; ++step) {
    if (random() % 2 == 0 || truth.size() < 3) {
      Taken taken;
      taken.offset = Offset{next++};
      if (disorder && random() % 8 == 0) taken.offset = Offset{random() % (next + 1)};
      taken.bytes = static_cast<std::uint32_t>(random());
      if (truth.contains(taken.offset.value)) continue;
      list.add(taken);
      truth[taken.offset.value] = taken;
    } else {
      auto at = random() % 4 == 0 ? truth.lower_bound(random() % (next + 1)) : truth.begin();
      if (at == truth.end()) at = truth.begin();
      const auto removed = list.remove(at->second.offset);
      REQUIRE(removed);
      REQUIRE(removed->bytes == at->second.bytes);
      REQUIRE(!list.remove(at->second.offset));
      truth.erase(at);
    }
    REQUIRE(list.count() == truth.size());
  }
  auto expected = truth.begin();
  list.for_each([&](const Taken& taken) {
    REQUIRE(expected != truth.end());
    REQUIRE(taken.offset.value == expected->first);
    ++expected;
  });
  REQUIRE(expected == truth.end());
}

TEST_CASE("events come back as they were written") {
  WorkEvent event;
  for (const std::uint64_t at : {5U, 6U, 7U, 3U, 9U, 4U}) event.settled.add(Offset{at});
  event.settled_bytes = 600;
  event.delivered_below = Offset{12};
  event.returned.add(Offset{8});
  event.failed.add(Offset{8});
  event.purge.emplace();
  event.purge->below = Offset{2};
  event.purge->kept.add(Offset{1});
  event.purge->bytes_left = 10;
  base::ByteBuffer bytes;
  event.encode(bytes);
  const auto read = WorkEvent::decode(bytes);
  REQUIRE(read);
  CHECK(*read == event);
  const OffsetRuns::Run runs[] = {{Offset{3}, Offset{7}}, {Offset{9}, Offset{9}}};
  CHECK(std::equal(read->settled.begin(), read->settled.end(), std::begin(runs), std::end(runs)));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto part = WorkEvent::decode(base::ByteView(bytes).first(size));
    CHECK((!part || *part != event));
  }
}
