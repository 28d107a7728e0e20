// SPDX-License-Identifier: Apache-2.0
// The journal's promises one by one; journal_model_test.cc has them all together, with kills.
#include <catch2/catch.hpp>

#include "storage/crc32.h"
#include "storage/journal_format.h"
#include "support/journal_steps.h"

namespace sluice::storage {
namespace {

using test::small_files;
using World = test::JournalSteps;

TEST_CASE("A message is written once, however many queues it reaches") {
  World w;
  std::vector<std::uint64_t> queues;
  for (std::uint64_t queue = 1; queue <= 1000; ++queue) queues.push_back(queue);
  w.publish(1, queues);
  w.journal->flush(true);
  CHECK(w.metrics.messages.get() == 1);
  CHECK(w.metrics.bytes.get() < 3000);  // about two bytes a queue
  w.check_all_readable();
  w.must_open();
  CHECK(w.state.queues.size() == 1000);
  w.check_all_readable();
}

TEST_CASE("One sync is under way at a time, and covers all that came meanwhile") {
  World w;
  w.background.queued = true;
  w.publish(1, {1});
  w.journal->flush(true);
  const auto first = w.journal->end();
  for (std::uint64_t number = 2; number < 50; ++number) {
    w.publish(number, {1});
    w.journal->flush(true);
  }
  CHECK(w.background.waiting() == 1);
  CHECK(w.synced == 0);
  CHECK(w.journal->pending_bytes() == w.journal->end().value);
  w.background.run_all();
  CHECK(w.synced == w.journal->end().value);
  CHECK(w.synced > first.value);
  CHECK(w.metrics.syncs.get() == 2);
  CHECK(w.journal->pending_bytes() == 0);
}

TEST_CASE("What nobody asked to sync is synced by the next tick") {
  World w;
  w.publish(1, {1});
  w.journal->flush(false);
  CHECK(w.synced == 0);
  w.journal->tick(0);
  CHECK(w.synced == w.journal->end().value);
}

TEST_CASE("A backlog is read from the tail, from memory's places, from indexes") {
  World w(small_files());
  w.publish_many(500);
  CHECK(w.metrics.files.get() + w.metrics.checkpoints.get() > 8);
  w.check_all_readable();
  CHECK(w.metrics.disk_reads.get() > 0);
  const auto reads = w.metrics.disk_reads.get();
  w.check_all_readable();
  CHECK(w.metrics.disk_reads.get() - reads < 100);  // of 500 messages in order: read ahead
  w.must_open();
  CHECK(w.metrics.recovered_messages.get() < 100);  // the rest is behind the checkpoint
  w.check_all_readable();
}

TEST_CASE("A settled message is not there any more; releasing it again changes nothing") {
  World w;
  w.publish_many(10);
  w.settle(1, 3, 5);
  const auto message = w.journal->read({base::QueueId{1}, base::Offset{4}});
  REQUIRE_FALSE(message);
  CHECK(message.error().code == base::Errc::no_offset);
  w.journal->release(base::QueueId{1}, base::Offset{0}, base::Offset{5});
  w.journal->release(base::QueueId{1}, base::Offset{4}, base::Offset{1'000'000});
  w.journal->release(base::QueueId{77}, base::Offset{4}, base::Offset{5});
  w.journal->forget(base::QueueId{78});
  CHECK_FALSE(w.journal->read({base::QueueId{1}, base::Offset{6}}));
}

TEST_CASE("Files that nobody needs go once what settled them is durable and a checkpoint is behind them") {
  World w(small_files());
  w.publish_many(200);
  w.background.queued = true;
  w.settle(1, 0, 150);
  w.journal->tick(0);
  w.journal->tick(0);
  CHECK(w.has(1));  // the settlement is not synced
  w.background.run_all();
  w.ticks();
  w.background.run_all();
  CHECK_FALSE(w.has(1));
  CHECK_FALSE(w.has(1, journal_index_suffix));
  w.check_all_readable();
  w.must_open();
  w.check_all_readable();
}

TEST_CASE("A file that nobody needs is written anew, and what it held is not taken for the new one's") {
  auto options = small_files();
  options.spare_files_max = 2;
  World w(options);
  const auto spares = [&] {
    return std::ranges::count_if(w.names(), [](const auto& n) { return n.ends_with(journal_spare_suffix); });
  };
  w.live_on(60);
  CHECK(spares() > 0);
  CHECK(w.metrics.removed_files.get() > 10);
  CHECK(w.journal->disk_bytes() < 60'000);
  w.must_open();  // as after a kill: what stands behind the end is cut
  CHECK(spares() == 0);
  CHECK_FALSE(w.logger.has("torn end"));
  w.check_all_readable();
  w.live_on(60);
  w.disk.files().lose_power();
  w.must_open();
  w.live_on(30);
  w.journal->close();
  CHECK(spares() == 0);
  w.must_open();
  CHECK_FALSE(w.logger.has("damaged"));
  w.publish_many(10);
  for (std::int64_t ms = 1; ms < 400'000; ms += 60'000) w.journal->tick(ms);
  CHECK(spares() == 0);
}

TEST_CASE("close() leaves nothing to replay") {
  World w;
  w.publish_many(100);
  w.journal->close();
  w.must_open();
  CHECK(w.metrics.recovered_messages.get() == 0);
  CHECK(w.state.queues.at(1).live.size() == 100);
  w.check_all_readable();
  const auto names = w.names();
  w.journal->close();
  w.must_open();
  CHECK(w.names() == names);  // and opening without doing anything, nothing to add
}

TEST_CASE("A torn end is cut and said") {
  World w;
  w.publish_many(20);
  const auto end = w.journal->end().value;
  const auto size = w.disk.files().bytes(w.path(1)).size();
  w.journal.reset();
  w.disk.files().cut(w.path(1), size - 3);
  w.must_open();
  CHECK(w.journal->end().value < end);
  CHECK(w.state.queues.at(1).live.size() == 10);
  CHECK(w.logger.has("torn end cut off"));
  CHECK(w.metrics.cut_bytes.get() > 0);
  w.check_all_readable();
  w.publish_many(10);
  w.must_open();
  CHECK(w.state.queues.at(1).live.size() == 20);
}

TEST_CASE(
    "What a file held before it was written anew is cut without alarm, what is torn of its own is told") {
  auto options = small_files();
  options.spare_files_max = 2;
  World w(options);
  w.live_on(60);
  w.background.queued = true;  // no sync of the last two batches
  for (int i = 0; i < 2; ++i) {
    w.publish(w.next_number++, {1});
    w.journal->flush(true);
  }
  const auto point = w.journal->end().value;
  const auto file = w.newest_file();
  const auto bounds = w.batch_bounds(file);
  REQUIRE(bounds.size() > 3);
  const auto end = bounds.back(), last = bounds[bounds.size() - 2], before = bounds[bounds.size() - 3];
  REQUIRE(w.disk.files().bytes(file).size() > end);
  w.journal.reset();
  const auto damage = [&](std::uint64_t position, std::size_t size) {
    auto bytes = w.disk.files().bytes(file);
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(position), size, std::uint8_t{0});
    w.disk.files().set_bytes(file, bytes);
  };
  std::uint64_t torn = 0;
  SECTION("nothing is torn") {}
  SECTION("the end of the last batch") {
    damage(end - 3, 3);
    torn = end - last;
  }
  SECTION("the end of the last batch's header") {
    damage(last + 20, 20);
    torn = batch_header_bytes;
  }
  SECTION("the beginning of the one before the last, which is there") {
    damage(before, 4);
    torn = end - before;
  }
  const auto opened = w.open();
  if (!opened) FAIL(opened.error().text);
  CHECK(w.logger.has("torn end cut off") == (torn > 0));
  CHECK(w.logger.has("the remainder of an old file is cut off") == (torn == 0));
  CHECK(w.logger.has(fmt::format(" bytes={}", torn)) == (torn > 0));
  CHECK(w.metrics.cut_bytes.get() == torn);
  CHECK(w.journal->end().value <= point);
  w.check_all_readable();
}

TEST_CASE("Damage of what had been synced stops the opening, with the place, and changes nothing") {
  World w(small_files());
  w.publish_many(30);
  REQUIRE(w.has(1));
  REQUIRE_FALSE(w.has(2));
  w.disk.files().flip_bit(w.path(1), 200);
  const auto before = w.disk.files().bytes(w.path(1));
  const auto error = w.fail_to_open();
  CHECK(error.code == base::Errc::corrupt);
  CHECK(error.text.find(w.path(1) + ", byte 48") != std::string::npos);
  CHECK(w.disk.files().bytes(w.path(1)) == before);
}

TEST_CASE("A file that is missing stops the opening") {
  World w(small_files());
  w.publish_many(200);
  w.disk.files().remove(w.path(w.names().size() > 3 ? 2 : 1)).value();
  w.must_open();  // an old one: its messages are lost, each says so
  CHECK_FALSE(w.journal->read({base::QueueId{1}, base::Offset{60}}));
  w.journal.reset();
  for (const auto& name : w.names())
    if (name.ends_with(checkpoint_suffix)) w.disk.files().remove(w.directory + "/" + name).value();
  CHECK(w.fail_to_open().code == base::Errc::corrupt);
}

TEST_CASE("Damage in an old file is met by who reads there, and stops its compaction") {
  auto options = small_files();
  options.live_part_min = 0.9;
  World w(options);
  w.publish_many(300);
  w.disk.files().flip_bit(w.path(1), 48 + 40 + 60);
  const auto message = w.journal->read({base::QueueId{1}, base::Offset{0}});
  REQUIRE_FALSE(message);
  CHECK(message.error().code == base::Errc::corrupt);
  CHECK(message.error().text.find(w.path(1) + ", byte 88") != std::string::npos);
  w.journal->release(base::QueueId{1}, base::Offset{0}, base::Offset{20});
  w.ticks(10);
  CHECK(w.has(1));
  CHECK(w.logger.has("cannot be compacted"));
  CHECK(w.journal->read({base::QueueId{1}, base::Offset{30}}));
  w.must_open();
}

TEST_CASE("An index that is damaged or missing is made anew") {
  World w(small_files());
  w.publish_many(200);
  SECTION("missing") {
    w.disk.files().remove(w.path(1, journal_index_suffix)).value();
  }
  SECTION("header") {
    w.disk.files().flip_bit(w.path(1, journal_index_suffix), 20);
  }
  SECTION("runs") {
    const auto size = w.disk.files().bytes(w.path(1, journal_index_suffix)).size();
    w.disk.files().flip_bit(w.path(1, journal_index_suffix), size - 10);
  }
  w.must_open();
  w.check_all_readable();
  w.publish_many(1);
  CHECK(w.has(1, journal_index_suffix));
  w.must_open();
  w.check_all_readable();
}

TEST_CASE("Without its checkpoint a journal opens as long as it is whole from the first file on") {
  World w(small_files());
  w.publish_many(200);
  const bool is_whole = GENERATE(true, false);
  if (!is_whole) {
    w.settle(1, 0, 100);
    w.ticks();
    REQUIRE_FALSE(w.has(1));
  }
  std::string newest;
  for (const auto& name : w.names())
    if (name.ends_with(checkpoint_suffix)) newest = w.directory + "/" + name;
  w.disk.files().flip_bit(newest, 60);
  if (!is_whole) {
    CHECK(w.fail_to_open().text.find(newest) != std::string::npos);
    return;
  }
  w.must_open();
  CHECK(w.logger.has("checkpoint is damaged"));
  CHECK(w.state.queues.at(1).live.size() == 200);
  w.check_all_readable();
}

TEST_CASE("After a failed write or sync the journal is offline") {
  World w;
  w.publish_many(10);
  SECTION("write") {
    w.disk.files().fail_write(1, 5);
    w.publish(100, {1});
    w.journal->flush(true);
  }
  SECTION("sync") {
    w.disk.files().fail_sync();
    w.publish(100, {1});
    w.journal->flush(true);
  }
  CHECK(w.offline);
  CHECK(w.metrics.failures.get() == 1);
  const auto synced = w.synced, end = w.journal->end().value;
  w.journal->append_event(base::QueueId{1}, base::as_bytes("x"));
  w.journal->flush(true);
  w.journal->tick(1);
  CHECK(w.synced == synced);
  CHECK(w.journal->end().value == end);
  w.must_open();
  CHECK(w.state.queues.at(1).live.size() >= 10);
  w.check_all_readable();
}

TEST_CASE("A checkpoint that cannot be written is tried again with the next file") {
  World w(small_files());
  w.background.queued = true;
  w.publish_many(100);
  REQUIRE(w.has(2));
  w.disk.files().fail_write(1);  // of the index
  w.background.run_all();
  CHECK_FALSE(w.offline);
  CHECK(w.logger.has("checkpoint failed"));
  CHECK_FALSE(w.has(1, journal_index_suffix));
  w.background.queued = false;
  w.publish_many(100);
  CHECK(w.has(1, journal_index_suffix));
  w.must_open();
  w.check_all_readable();
}

TEST_CASE("Large messages pass") {
  World w(small_files());
  const base::ByteBuffer large(3 << 20, 0x5a);
  const base::ByteView part = large;
  for (std::uint64_t offset = 0; offset < 3; ++offset) {
    const MessagePlace place{base::QueueId{9}, base::Offset{offset}};
    w.journal->append_message({}, {&part, 1}, {&place, 1});
    w.journal->flush(true);
  }
  for (std::uint64_t offset = 0; offset < 3; ++offset) {
    const auto message = w.journal->read({base::QueueId{9}, base::Offset{offset}});
    REQUIRE(message);
    CHECK(std::ranges::equal(message->content, large));
  }
}

TEST_CASE("Ten thousand queues with a few messages each are recovered") {
  World w;
  for (std::uint64_t number = 1; number <= 30'000; ++number) {
    const MessagePlace place{base::QueueId{1 + number % 10'000}, base::Offset{number / 10'000}};
    const base::ByteView part = base::as_bytes("x");
    w.journal->append_message({}, {&part, 1}, {&place, 1});
    if (number % 1000 == 0) w.journal->flush(true);
  }
  for (std::uint64_t queue = 1; queue <= 10'000; ++queue)
    CHECK(w.journal->read({base::QueueId{queue}, base::Offset{1}}));
}

TEST_CASE("A file of another version is refused with both numbers") {
  World w;
  w.publish_many(10);
  w.journal.reset();
  auto bytes = w.disk.files().bytes(w.path(1));
  base::store_be(bytes.data() + 8, std::uint32_t{2});
  base::store_be(bytes.data() + 44, crc32(base::ByteView(bytes).first(44)));
  w.disk.files().set_bytes(w.path(1), bytes);
  const auto error = w.fail_to_open();
  CHECK(error.code == base::Errc::precondition_failed);
  CHECK(error.text.find("version 2, this program reads 1") != std::string::npos);
}

}  // namespace
}  // namespace sluice::storage
