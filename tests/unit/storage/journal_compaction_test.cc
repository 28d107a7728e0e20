// SPDX-License-Identifier: Apache-2.0
// Compaction of the journal: what is copied, and that copies are found again whatever was lost in between.
#include <catch2/catch.hpp>

#include "support/journal_steps.h"

namespace sluice::storage {
namespace {

using test::small_files;
using World = test::JournalSteps;

TEST_CASE("Of a file in which little is alive, that little is copied, and the file removed") {
  auto options = small_files();
  World w(options);
  for (std::uint64_t number = 1; number <= 300; ++number) {
    w.publish(number, number % 10 == 0 ? std::vector<std::uint64_t>{1, 2, 3} : std::vector<std::uint64_t>{1});
    w.journal->flush(true);
  }
  w.settle(1, 0, 299);
  w.settle(3, 0, 20);
  w.journal->flush(true);
  w.ticks(20);
  CHECK_FALSE(w.has(1));
  CHECK(w.metrics.compacted_messages.get() >= 20);
  CHECK(w.metrics.compacted_messages.get() <= 60);  // a copy for all the places of a message
  CHECK(w.journal->disk_bytes() < 30'000);
  w.check_all_readable();
  const auto before = w.state;
  w.must_open();
  CHECK(w.state.queues.at(2) == before.queues.at(2));
  w.check_all_readable();
}

TEST_CASE("Copies by compaction are no new messages to a recovery that reads them") {
  auto options = small_files();
  World w(options);
  w.publish_many(120);
  w.settle(1, 5, 60);
  w.journal->flush(true);
  w.ticks(10);
  REQUIRE(w.metrics.compacted_messages.get() > 0);
  const auto before = w.state;
  w.must_open();
  CHECK(w.state == before);
  w.check_all_readable();
}

TEST_CASE("Copies of files that were compacted in another order than their offsets are found again") {
  auto options = small_files();
  options.live_part_min = 0.8;
  World w(options);
  const auto next_offset = [&w] { return w.state.queues[1].next_offset; };
  while (!w.has(2)) w.publish_many(1);
  const auto second = next_offset();
  w.publish_many(10);
  while (!w.has(3)) w.publish_many(1, 2);
  const auto third = next_offset();
  while (!w.has(4)) w.publish_many(1);
  // The less is alive the sooner a file is compacted: the first, the third, the second.
  w.settle(1, 0, second - 3);
  w.settle(2, 0, w.state.queues[2].next_offset - 1);
  w.settle(1, third + 4, next_offset() - 1);
  w.ticks(10);
  REQUIRE_FALSE((w.has(1) || w.has(2) || w.has(3)));
  w.check_all_readable();
  // Once with an index made by a recovery, once without; then the copies are copied.
  for (int round = 0; round < 2; ++round) {
    w.must_open();
    w.check_all_readable();
    if (round == 0) w.ticks();
  }
  w.options.live_part_min = 0.99;
  w.must_open();
  const auto copied = w.metrics.compacted_messages.get();
  for (int i = 0; i < 50 && w.metrics.compacted_messages.get() < copied + 16; ++i) {
    w.publish_many(60, 2);
    w.settle(2, 0, w.state.queues[2].next_offset - 1);
    w.ticks();
    w.check_all_readable();
  }
  CHECK(w.metrics.compacted_messages.get() >= copied + 16);
  w.must_open();
  w.check_all_readable();
}

}  // namespace
}  // namespace sluice::storage
