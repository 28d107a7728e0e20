// SPDX-License-Identifier: Apache-2.0
// Appending, rolling, views, sequences, sync, failures.
#include <catch2/catch.hpp>

#include "support/temp_log.h"

namespace sluice {
namespace {

using storage::filter_suffix;
using storage::index_suffix;
using test::TempLog;

TEST_CASE("An empty log has one empty segment and nothing to read") {
  TempLog t;
  t.open();
  const auto view = t.log->view();
  CHECK(view.sealed->empty());
  CHECK(view.first_offset == base::Offset{0});
  CHECK(view.next_offset == base::Offset{0});
  CHECK_FALSE(view.last_chunk_id);
  CHECK(t.shard.disk.exists(t.path(0)));
}

TEST_CASE("Chunks are appended with one write each and read back") {
  TempLog t;
  t.open();
  const auto before = t.shard.disk.counts().writes;
  for (int i = 0; i < 10; ++i) t.append(3);
  CHECK(t.shard.disk.counts().writes - before == 10);
  const auto view = t.log->view();
  CHECK(view.next_offset == base::Offset{30});
  CHECK(view.last_chunk_id == base::Offset{27});
  CHECK(view.active.chunks == 10);
  CHECK(view.active_indexed_chunks == 0);
  CHECK(t.count_records() == 30);
  REQUIRE(t.log->flush_index());
  CHECK(t.log->view().active_indexed_chunks == 10);
}

TEST_CASE("The index follows in batches of about 4 KiB") {
  TempLog t;
  t.open();
  for (int i = 0; i < 200; ++i) t.append();
  const auto indexed = t.log->view().active_indexed_chunks;
  CHECK(indexed >= 85);
  CHECK(indexed < 200);
}

TEST_CASE("A log rolls by size and by chunk count") {
  TempLog t;
  SECTION("size") {
    t.options.segment_bytes_max = 1000;
  }
  SECTION("chunks") {
    t.options.segment_chunks_max = 7;
  }
  t.open();
  for (int i = 0; i < 100; ++i) t.append(2);
  const auto view = t.log->view();
  CHECK(view.sealed->size() > 5);
  CHECK(t.count_records() == 200);
  std::uint64_t bytes = view.active.log_bytes;
  base::Offset expected{0};
  for (const auto& segment : *view.sealed) {
    CHECK(segment.first_offset == expected);
    CHECK(segment.log_bytes <= 1000);
    CHECK(t.shard.disk.bytes(t.path(expected.value, index_suffix)).size() ==
          storage::index_position(segment.chunks + 1));  // with the sealed mark
    expected = segment.next_offset;
    bytes += segment.log_bytes;
  }
  CHECK(t.log->bytes() == bytes);
  t.open();
  CHECK(t.log->view().sealed->size() == view.sealed->size());
  CHECK(t.log->view().next_offset == base::Offset{200});
  CHECK(t.report.bytes_cut == 0);
  CHECK(t.report.indexes_rebuilt == 0);
}

TEST_CASE("Sealed segments with filter values get a filter file, in the background") {
  TempLog t;
  t.options.segment_chunks_max = 4;
  t.shard.background.queued = true;
  t.open();
  for (int i = 0; i < 4; ++i) t.append(2, i == 2 ? "KR" : "");
  for (int i = 0; i < 5; ++i) t.append(2);
  CHECK_FALSE(t.shard.disk.exists(t.path(0, filter_suffix)));
  t.shard.background.run_all();
  CHECK(t.log->view().sealed->at(0).has_filter_values);
  CHECK_FALSE(t.log->view().sealed->at(1).has_filter_values);
  CHECK(t.shard.disk.exists(t.path(0, filter_suffix)));
  CHECK_FALSE(t.shard.disk.exists(t.path(8, filter_suffix)));

  SECTION("and a missing one is built when the log is opened") {
    REQUIRE(t.shard.disk.remove(t.path(0, filter_suffix)));
    t.open();
    t.shard.background.run_all();
    CHECK(t.shard.disk.exists(t.path(0, filter_suffix)));
  }
}

TEST_CASE("Publisher sequences survive rolls and restarts") {
  TempLog t;
  t.options.segment_chunks_max = 3;
  t.open();
  t.append(1, {}, "first", 7);
  for (std::uint64_t i = 0; i < 20; ++i) t.append(1, {}, i % 2 ? "odd" : "even", 100 + i);
  const auto check = [&] {
    CHECK(t.log->sequence("first") == 7);
    CHECK(t.log->sequence("odd") == 119);
    CHECK(t.log->sequence("even") == 118);
    CHECK_FALSE(t.log->sequence("other"));
    CHECK(t.log->sequences().front().first == "first");
  };
  check();
  t.open();
  check();
  // Even when only the newest segment is left.
  t.log->set_retention({.bytes_max = 1, .age_max_ms = {}});
  CHECK(t.log->apply_retention(t.shard.clock.wall_ms()));
  t.open();
  CHECK(t.log->view().sealed->empty());
  check();
}

TEST_CASE("The least recently used of 256 references is forgotten") {
  TempLog t;
  t.open();
  for (std::uint64_t i = 0; i < 255; ++i) t.append(1, {}, fmt::format("r{}", i), i);
  t.append(1, {}, "r0", 1000);
  t.append(1, {}, "one more", 1);
  for (int reopened = 0; reopened < 2; ++reopened) {
    CHECK(t.log->sequences().size() == 255);
    CHECK(t.log->sequence("r0") == 1000);
    CHECK_FALSE(t.log->sequence("r1"));
    CHECK(t.log->sequence("r2") == 2);
    t.open();
  }
}

TEST_CASE("Recovery reads sequences from the last snapshot in a long segment") {
  TempLog t;
  t.open();
  for (std::uint64_t i = 0; i < 2600; ++i) t.append(1, {}, i == 5 ? "rare" : "busy", i);
  t.open();
  CHECK(t.log->sequence("rare") == 5);
  CHECK(t.log->sequence("busy") == 2599);
}

TEST_CASE("After a failed write the log is dead, and opening it finds what was stored") {
  TempLog t;
  t.open();
  for (int i = 0; i < 5; ++i) t.append();
  t.shard.disk.fail_write(1, 60);
  t.builder.add_message(base::as_bytes("lost"), {});
  CHECK_FALSE(t.append_built());
  t.builder.add_message(base::as_bytes("refused"), {});
  const auto again = t.append_built();
  REQUIRE_FALSE(again);
  CHECK(again.error().code == base::Errc::io_failed);
  CHECK(t.shard.logger.has("takes no more writes"));
  CHECK(t.log->view().next_offset == base::Offset{5});
  t.open();
  CHECK(t.report.bytes_cut == 60);
  CHECK(t.log->view().next_offset == base::Offset{5});
  CHECK(t.count_records() == 5);
}

TEST_CASE("A full disk stops the log at every place; nothing stored is lost") {
  for (std::uint64_t room = 0; room < 1200; room += 13) {
    TempLog t;
    t.options.segment_chunks_max = 3;
    t.open();
    std::uint64_t used = 0;
    for (const auto& path : t.shard.disk.paths()) used += t.shard.disk.bytes(path).size();
    t.shard.disk.set_capacity(used + room);
    std::uint64_t stored = 0;
    for (;; ++stored) {
      t.builder.add_message(base::as_bytes("0123456789"), {});
      if (!t.append_built()) break;
    }
    t.shard.disk.set_capacity(UINT64_MAX);
    t.open();
    CHECK(t.log->view().next_offset == base::Offset{stored});
    CHECK(t.count_records() == stored);
    t.append();
  }
}

TEST_CASE("Synced chunks survive a power cut") {
  TempLog t;
  t.options.segment_chunks_max = 4;
  t.open();
  for (int i = 0; i < 10; ++i) t.append();
  auto sync = t.log->prepare_sync();
  sync.work();
  CHECK_FALSE(*sync.error);
  for (int i = 0; i < 3; ++i) t.append();
  t.shard.disk.lose_power();
  t.open();
  CHECK(t.log->view().next_offset.value >= 10);
  CHECK(t.count_records() >= 10);

  t.shard.disk.fail_sync();
  auto failing = t.log->prepare_sync();
  failing.work();
  CHECK(*failing.error);
}

TEST_CASE("A closed log refuses to write and leaves its index complete") {
  TempLog t;
  t.open();
  for (int i = 0; i < 5; ++i) t.append();
  REQUIRE(t.log->close());
  CHECK(t.shard.disk.bytes(t.path(0, index_suffix)).size() == storage::index_position(5));
  t.builder.add_message(base::as_bytes("late"), {});
  CHECK_FALSE(t.append_built());
}

}  // namespace
}  // namespace sluice
