// SPDX-License-Identifier: Apache-2.0
// Log: one turn one chunk, when confirms come, duplicates, group commit, linger, failures, bounds.
#include "log/log.h"

#include "recording_listener.h"

namespace sluice::log {
namespace {

using Ids = std::vector<std::uint64_t>;

Options synced() {
  Options options;
  options.durability = Durability::synced;
  return options;
}

TEST_CASE("what one turn brings becomes one chunk and is confirmed at its end") {
  TestLog t;
  t.publish(1, {1, 2, 3});
  t.publish(2, {7});
  t.publish(1, {4});
  CHECK(t.log->has_pending());
  CHECK(t.listener.calls == 0);
  t.flush();
  CHECK_FALSE(t.log->has_pending());
  CHECK(t.listener.committed[1] == Ids{1, 2, 3, 4});
  CHECK(t.listener.committed[2] == Ids{7});
  CHECK(t.listener.last_view.next_offset.value == 5);
  CHECK(t.log->committed().next_offset.value == 5);
  CHECK(t.log->offsets().committed().value == 5);
  CHECK(t.metrics.chunks.get() == 1);
  CHECK(t.metrics.messages.get() == 5);
  CHECK(t.log->pending_bytes() == 0);
  t.flush();
  CHECK(t.listener.views == 1);
}

TEST_CASE("a full chunk is written within the turn, its confirms leave at the end") {
  Options options;
  options.chunk_bytes_max = 1000;
  TestLog t(options);
  t.body = std::string(300, 'x');
  t.publish(1, {1, 2, 3, 4, 5, 6, 7});
  CHECK(t.metrics.chunks.get() >= 1);
  CHECK(t.listener.calls == 0);
  t.flush();
  CHECK(t.metrics.chunks.get() == 3);
  CHECK(t.listener.committed[1] == Ids{1, 2, 3, 4, 5, 6, 7});
  CHECK(t.listener.views == 1);
}

TEST_CASE("duplicates are not stored and confirmed") {
  TestLog t;
  t.publish(1, {0, 1, 2}, "ref");
  t.publish(1, {1, 2, 3}, "ref");  // 1 and 2 are in the open chunk
  CHECK(t.log->sequence("ref") == 3);
  CHECK(t.log->sequence("other") == 0);
  t.flush();
  CHECK(t.listener.committed[1] == Ids{0, 1, 2, 1, 2, 3});
  CHECK(t.log->committed().next_offset.value == 4);
  t.publish(2, {2, 3}, "ref");  // committed before
  CHECK(t.log->has_pending());
  t.flush();
  CHECK(t.listener.committed[2] == Ids{2, 3});
  CHECK(t.log->committed().next_offset.value == 4);
  t.publish(3, {2, 3});  // without a reference nothing is a duplicate
  t.flush();
  CHECK(t.log->committed().next_offset.value == 6);
  CHECK(t.metrics.duplicates.get() == 4);
}

TEST_CASE("sequences survive a crash, exactly as far as the messages do") {
  Options options;
  options.chunk_bytes_max = 1000;
  TestLog t(options);
  t.body = std::string(300, 'x');
  t.publish(1, {1, 2, 3, 4, 5, 6, 7}, "ref");  // some chunks are written, the last is not
  const auto written = t.log->offsets().appended().value;
  REQUIRE(written > 0);
  REQUIRE(written < 7);
  t.crash();
  CHECK(t.log->committed().next_offset.value == written);
  CHECK(t.log->sequence("ref") == written);
  t.publish(1, {1, 2, 3, 4, 5, 6, 7}, "ref");
  t.flush();
  CHECK(t.log->committed().next_offset.value == 7);
  CHECK(t.listener.committed[1] == Ids{1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("synced: confirmed and visible after the group commit, one at a time") {
  TestLog t(synced());
  t.shard.background.queued = true;
  t.publish(1, {1, 2});
  t.flush();
  CHECK(t.shard.background.waiting() == 1);
  CHECK(t.log->committed().next_offset.value == 0);
  CHECK(t.log->offsets().appended().value == 2);
  t.publish(1, {3});
  t.flush();
  t.publish(1, {4});
  t.flush();
  CHECK(t.shard.background.waiting() == 1);  // they wait for the next
  CHECK(t.log->pending_bytes() > 0);
  CHECK(t.metrics.pending_bytes.get() > 0);
  CHECK(t.listener.calls == 0);
  CHECK(t.shard.background.run_all() == 2);
  CHECK(t.listener.committed[1] == Ids{1, 2, 3, 4});
  CHECK(t.listener.views == 2);
  CHECK(t.log->committed().next_offset.value == 4);
  CHECK(t.metrics.syncs.get() == 2);
  CHECK(t.metrics.pending_bytes.get() == 0);
  CHECK(t.log->pending_bytes() == 0);
}

TEST_CASE("synced: a duplicate is not confirmed before its original") {
  TestLog t(synced());
  t.shard.background.queued = true;
  t.publish(1, {1}, "ref");
  t.flush();
  t.publish(2, {1}, "ref");  // the original is in the sync
  t.flush();
  CHECK(t.listener.calls == 0);
  t.publish(1, {2}, "ref");
  t.flush();
  t.publish(3, {2}, "ref");  // the original waits for the next one
  t.flush();
  t.shard.background.run_all();
  CHECK(t.listener.committed[2] == Ids{1});
  CHECK(t.listener.committed[3] == Ids{2});
  CHECK(t.log->committed().next_offset.value == 2);
}

TEST_CASE("synced: what was confirmed survives a power cut") {
  TestLog t(synced());
  t.publish(1, {1, 2, 3});
  t.flush();
  REQUIRE(t.listener.committed[1].size() == 3);
  t.shard.background.queued = true;
  t.publish(1, {4});
  t.flush();
  t.log.reset();
  t.shard.disk.lose_power();
  t.open();
  CHECK(t.log->committed().next_offset.value == 3);
}

TEST_CASE("linger gathers several turns into one chunk") {
  Options options;
  options.linger_ms = 20;
  TestLog t(options);
  t.publish(1, {1});
  t.flush();
  t.shard.clock.advance(10);
  t.publish(1, {2});
  t.flush();
  CHECK(t.log->has_pending());
  CHECK(t.metrics.chunks.get() == 0);
  t.shard.clock.advance(10);
  t.tick();
  CHECK(t.metrics.chunks.get() == 1);
  CHECK(t.listener.committed[1] == Ids{1, 2});
  CHECK_FALSE(t.log->has_pending());
}

TEST_CASE("a failed write takes the log offline: pending and later entries are refused") {
  TestLog t;
  t.publish(1, {1});
  t.flush();
  t.shard.disk.fail_write(1, 10);
  t.publish(1, {2, 3});
  t.publish(2, {9});
  t.flush();
  CHECK(t.listener.refused[1] == Ids{2, 3});
  CHECK(t.listener.refused[2] == Ids{9});
  CHECK(t.listener.offline == 1);
  CHECK_FALSE(t.listener.why.empty());
  t.publish(1, {4}, "ref");
  CHECK(t.log->has_pending());
  t.flush();
  t.tick();
  CHECK(t.listener.refused[1] == Ids{2, 3, 4});
  CHECK(t.listener.offline == 1);
  CHECK(t.log->committed().next_offset.value == 1);
  CHECK_FALSE(t.log->has_pending());
  t.log->close();
  t.open();
  CHECK(t.log->committed().next_offset.value == 1);
}

TEST_CASE("a log that is deleted is not synced, and what it held is refused") {
  TestLog t;
  t.publish(1, {1, 2});
  t.flush();
  t.publish(1, {3});
  const auto syncs = t.shard.disk.counts().syncs;
  t.log->discard();
  CHECK(t.shard.disk.counts().syncs == syncs);
  CHECK(t.listener.committed[1] == Ids{1, 2});
  CHECK(t.listener.refused[1] == Ids{3});
  t.log.reset();
}

TEST_CASE("a write that fails within the turn: what was written before is confirmed") {
  Options options;
  options.chunk_bytes_max = 1000;
  TestLog t(options);
  t.body = std::string(300, 'x');
  t.shard.disk.fail_write(2);
  t.publish(1, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  t.flush();
  const auto committed = t.log->committed().next_offset.value;
  CHECK(committed > 0);
  CHECK(t.listener.committed[1].size() == committed);
  CHECK(t.listener.refused[1].size() == 10 - committed);
  CHECK(t.listener.offline == 1);
}

TEST_CASE("a failed sync refuses what it was to make durable, and all behind it") {
  TestLog t(synced());
  t.shard.background.queued = true;
  t.publish(1, {1});
  t.flush();
  t.publish(1, {2});
  t.flush();
  t.publish(1, {3});
  t.shard.disk.fail_sync();
  t.shard.background.run_all();
  CHECK(t.listener.refused[1] == Ids{1, 2, 3});
  CHECK(t.listener.committed.empty());
  CHECK(t.listener.offline == 1);
  CHECK(t.log->committed().next_offset.value == 0);
  CHECK(t.metrics.pending_bytes.get() == 0);
}

TEST_CASE("there is no room while syncs are slower than publishers") {
  Options options = synced();
  options.pending_bytes_max = 10'000;
  TestLog t(options);
  t.shard.background.queued = true;
  t.body = std::string(1000, 'x');
  CHECK(t.log->has_room());
  for (std::uint64_t id = 1; id <= 12; ++id) {
    t.publish(1, {id});
    t.flush();
  }
  CHECK_FALSE(t.log->has_room());
  t.shard.background.run_all();
  CHECK(t.log->has_room());
}

TEST_CASE("close writes, syncs and answers everything") {
  TestLog t(GENERATE(Options{}, synced()));
  t.shard.background.queued = true;
  t.publish(1, {1});
  t.flush();
  t.publish(1, {2});
  t.log->close();
  CHECK(t.listener.committed[1] == Ids{1, 2});
  t.log.reset();
  t.shard.background.run_all();  // a sync that was in flight finds nobody
  t.shard.disk.lose_power();
  t.open();
  CHECK(t.log->committed().next_offset.value == 2);
}

TEST_CASE("retention by age moves the first offset while the log is idle") {
  Options options;
  options.storage.retention.age_max_ms = 10'000;
  TestLog t(options);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    t.publish(1, {id});
    t.flush();
    t.shard.clock.advance(3'000);
    t.tick();
  }
  CHECK(t.listener.last_view.first_offset.value > 0);
  CHECK(t.listener.last_view.first_offset < t.listener.last_view.next_offset);
}

}  // namespace
}  // namespace sluice::log
