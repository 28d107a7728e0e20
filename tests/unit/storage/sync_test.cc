// SPDX-License-Identifier: Apache-2.0
// Syncs of a log and of its sealed segments: nothing is left out, failures stick, nothing is kept open for
// ever.
#include <catch2/catch.hpp>

#include "support/temp_log.h"

namespace sluice {
namespace {

using test::TempLog;

bool sync(TempLog& t) {
  auto prepared = t.log->prepare_sync();
  prepared.work();
  return !prepared.error->has_value();
}

TEST_CASE("A sync covers segments that were sealed since the last one") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.shard.background.queued = true;  // the sealer does nothing yet
  t.open();
  for (int i = 0; i < 10; ++i) t.append();
  REQUIRE(sync(t));
  t.log.reset();
  t.shard.disk.lose_power();
  t.open();
  CHECK(t.log->view().next_offset == base::Offset{10});
  CHECK(t.count_records() == 10);
}

TEST_CASE("Segments the sealer has synced are not synced again") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.open();
  for (int i = 0; i < 30; ++i) t.append();
  const auto before = t.shard.disk.counts().syncs;
  REQUIRE(sync(t));
  CHECK(t.shard.disk.counts().syncs - before <= 2);
}

TEST_CASE("A sync that failed in the sealer fails the log's syncs for ever") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.open();
  for (int i = 0; i < 3; ++i) t.append();
  t.shard.disk.fail_sync();
  t.append();  // rolls
  CHECK(t.shard.logger.has("cannot finish a sealed segment"));
  CHECK_FALSE(sync(t));
  CHECK_FALSE(sync(t));
  t.builder.add_message(base::as_bytes("x"), {});
  CHECK_FALSE(t.append_built());
}

TEST_CASE("A power cut that takes the end of one segment and leaves the next cuts there") {
  for (const std::size_t kept : {std::size_t{0}, std::size_t{60}, std::size_t{150}}) {
    TempLog t;
    t.options.segment_chunks_max = 3;
    t.open();
    for (int i = 0; i < 7; ++i) t.append();  // 0 and 3 are sealed and marked
    t.shard.background.queued = true;
    for (int i = 0; i < 6; ++i) t.append();  // 6 and 9 are sealed without mark, 12 is active
    t.shard.disk.cut(t.path(6), 32 + kept);
    t.open();
    const auto next = t.log->view().next_offset;
    CHECK(next >= base::Offset{6});
    CHECK(next < base::Offset{9});
    CHECK(t.report.bytes_cut > 100);
    CHECK(t.shard.logger.has("dropped a segment behind the torn end of a log"));
    CHECK_FALSE(t.shard.disk.exists(t.path(9)));
    CHECK_FALSE(t.shard.disk.exists(t.path(12)));
    CHECK(t.count_records() == next.value);
    t.append();
  }
}

TEST_CASE("Unsealed segments are synced by the next sync after a restart, and sealed") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.shard.background.queued = true;
  t.open();
  for (int i = 0; i < 10; ++i) t.append(1, "KR");
  t.log.reset();  // killed: nothing was synced
  t.shard.background.run_all();
  t.open();
  REQUIRE(sync(t));
  SECTION("power is lost at once") {}
  SECTION("or after they were sealed") {
    t.shard.background.run_all();
    CHECK(t.shard.disk.exists(t.path(0, storage::filter_suffix)));
  }
  t.log.reset();
  t.shard.disk.lose_power();
  t.open();
  CHECK(t.log->view().next_offset == base::Offset{10});
  CHECK(t.count_records() == 10);
}

TEST_CASE("A marked segment that became shorter is damage, also when it ends with a whole chunk") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.open();
  for (int i = 0; i < 4; ++i) t.append();
  auto file = t.shard.disk.open(t.path(0), base::Disk::Mode::read).value();
  storage::SegmentScanner scanner(file, 32, 10'000, {}, storage::SegmentScanner::Data::skip);
  storage::ScannedChunk chunk;
  REQUIRE(scanner.next(chunk).value());
  t.log.reset();
  t.shard.disk.cut(t.path(0), scanner.position());
  const bool newest = GENERATE(false, true);
  if (newest) REQUIRE(t.shard.disk.remove(t.path(3)));
  const auto opened = storage::SegmentLog::open(t.shard.shard, t.directory, t.options, t.report);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("when it was sealed") != std::string::npos);
}

TEST_CASE("A sealed segment that is taken up again loses its mark and gets a new one") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.open();
  for (int i = 0; i < 4; ++i) t.append(1, "KR");
  t.log.reset();
  REQUIRE(t.shard.disk.remove(t.path(3)));
  REQUIRE(t.shard.disk.remove(t.path(3, storage::index_suffix)));
  t.options.segment_chunks_max = 5;
  t.open();
  CHECK(t.log->view().sealed->empty());
  CHECK(t.log->view().active.chunks == 3);
  CHECK_FALSE(t.shard.disk.exists(t.path(0, storage::filter_suffix)));
  for (int i = 0; i < 4; ++i) t.append(1, "JP");
  CHECK(t.log->view().sealed->size() == 1);
  t.open();
  CHECK(t.report.indexes_rebuilt == 0);
  CHECK(t.log->view().next_offset == base::Offset{7});
  CHECK(t.shard.disk.exists(t.path(0, storage::filter_suffix)));
}

TEST_CASE("Retention is applied when a segment is rolled") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.options.retention.bytes_max = 800;
  t.open();
  for (int i = 0; i < 60; ++i) t.append();
  CHECK(t.log->bytes() < 1200);
  CHECK(t.log->view().first_offset > base::Offset{40});
}

}  // namespace
}  // namespace sluice
