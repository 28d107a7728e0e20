// SPDX-License-Identifier: Apache-2.0
// Retention by bytes and by age.
#include <catch2/catch.hpp>

#include "support/temp_log.h"

namespace sluice {
namespace {

using test::TempLog;

TEST_CASE("Retention by bytes drops the oldest segments, never the newest") {
  TempLog t;
  t.options.segment_chunks_max = 10;
  t.options.retention.bytes_max = 3000;
  t.open();
  for (int i = 0; i < 200; ++i) {
    t.append();
    const bool changed = t.log->apply_retention(t.shard.clock.wall_ms());
    if (changed) CHECK(t.log->bytes() <= 3000);
  }
  const auto view = t.log->view();
  CHECK(view.next_offset == base::Offset{200});
  CHECK(view.first_offset > base::Offset{100});
  CHECK(view.first_offset == view.sealed->front().first_offset);
  CHECK_FALSE(t.shard.disk.exists(t.path(0)));
  CHECK_FALSE(t.shard.disk.exists(t.path(0, storage::index_suffix)));
  t.log->set_retention({.bytes_max = 1, .age_max_ms = {}});
  CHECK(t.log->apply_retention(t.shard.clock.wall_ms()));
  CHECK(t.log->view().sealed->empty());
  CHECK_FALSE(t.log->apply_retention(t.shard.clock.wall_ms()));
  t.open();
  CHECK(t.log->view().next_offset == base::Offset{200});
}

TEST_CASE("Retention by age hides chunks inside the active segment, also after a restart") {
  TempLog t;
  t.options.retention.age_max_ms = 10'000;
  t.open();
  const bool flush = GENERATE(false, true);
  for (int i = 0; i < 1000; ++i) {
    t.append(2);
    if (flush) REQUIRE(t.log->flush_index());
    t.shard.clock.advance(1000);
    t.log->apply_retention(t.shard.clock.wall_ms());
    const auto view = t.log->view();
    CHECK(view.first_offset == base::Offset{i < 10 ? 0 : 2ull * static_cast<unsigned>(i - 9)});
  }
  t.open();
  CHECK(t.log->view().first_offset == base::Offset{1980});
  t.shard.clock.advance(60'000);
  CHECK(t.log->apply_retention(t.shard.clock.wall_ms()));
  CHECK(t.log->view().first_offset == base::Offset{2000});
  CHECK_FALSE(t.log->view().last_chunk_id);
  t.open();
  CHECK(t.log->view().first_offset == base::Offset{2000});
  t.append(2);
  CHECK(t.log->view().first_offset == base::Offset{2000});
  CHECK(t.log->view().last_chunk_id == base::Offset{2000});
  CHECK_FALSE(t.log->apply_retention(t.shard.clock.wall_ms()));
}

TEST_CASE("Retention by age removes whole segments and keeps the first offset from going back") {
  TempLog t;
  t.options.segment_chunks_max = 7;
  t.options.retention.age_max_ms = 10'000;
  t.open();
  base::Offset last;
  for (int i = 0; i < 300; ++i) {
    t.append();
    t.shard.clock.advance(i % 50 == 0 ? 30'000 : 500);
    if (i % 3 == 0) t.log->apply_retention(t.shard.clock.wall_ms());
    const auto view = t.log->view();
    CHECK(view.first_offset >= last);
    CHECK(view.sealed->size() < 6);
    last = view.first_offset;
  }
  t.log->set_retention({.bytes_max = {}, .age_max_ms = 1'000'000'000});
  CHECK_FALSE(t.log->apply_retention(t.shard.clock.wall_ms()));
  CHECK(t.log->view().first_offset == last);
}

TEST_CASE("Power lost after a drop: offsets go on, though nothing of the newest segment had been synced") {
  TempLog t;
  t.options.segment_chunks_max = 5;
  t.options.retention.bytes_max = 1;
  t.open();
  for (int i = 0; i < 16; ++i) t.append();
  REQUIRE(t.log->view().sealed->empty());
  REQUIRE_FALSE(t.shard.disk.exists(t.path(10)));
  t.log.reset();
  t.shard.disk.lose_power();
  t.open();
  CHECK(t.log->view().next_offset == base::Offset{16});
}

TEST_CASE("What cannot be made durable keeps dropped segments from being removed") {
  TempLog t;
  t.options.segment_chunks_max = 5;
  t.open();
  for (int i = 0; i < 16; ++i) t.append();
  t.log->set_retention({.bytes_max = 1, .age_max_ms = {}});
  t.shard.disk.fail_sync();
  CHECK(t.log->apply_retention(t.shard.clock.wall_ms()));
  CHECK(t.shard.disk.exists(t.path(0)));
  t.options.retention.bytes_max = 1;
  t.open();
  CHECK(t.log->view().next_offset == base::Offset{16});
  CHECK_FALSE(t.shard.disk.exists(t.path(0)));
}

TEST_CASE("Files are removed oldest first, one batch after another") {
  TempLog t;
  t.options.segment_chunks_max = 5;
  t.open();
  for (int i = 0; i < 50; ++i) t.append();
  t.shard.background.queued = true;
  t.log->set_retention({.bytes_max = 1000, .age_max_ms = {}});
  CHECK(t.log->apply_retention(t.shard.clock.wall_ms()));
  for (int i = 0; i < 20; ++i) t.append();
  t.log->apply_retention(t.shard.clock.wall_ms());
  CHECK(t.shard.disk.exists(t.path(0)));
  t.shard.background.run_all();
  CHECK_FALSE(t.shard.disk.exists(t.path(0)));
  const auto first = t.log->view().sealed->front().first_offset;
  for (const auto& path : t.shard.disk.paths())
    if (path.ends_with(".log")) CHECK(path >= t.path(first.value));
}

TEST_CASE("A log may go while its background work still waits") {
  TempLog t;
  t.options.segment_chunks_max = 2;
  t.options.retention.bytes_max = 300;
  t.open();
  t.shard.background.queued = true;
  for (int i = 0; i < 9; ++i) t.append(1, "KR");
  t.log->apply_retention(t.shard.clock.wall_ms());
  SECTION("closed") {
    REQUIRE(t.log->close());
  }
  SECTION("destroyed") {
    t.log.reset();
  }
  SECTION("and its directory too") {
    t.log.reset();
    REQUIRE(t.shard.disk.remove_all(t.directory));
  }
  t.shard.background.run_all();
}

}  // namespace
}  // namespace sluice
