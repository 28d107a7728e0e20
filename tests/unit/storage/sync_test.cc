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
