// SPDX-License-Identifier: Apache-2.0
// LogReader against what LogFiles knows it has written: order, every kind of seek, growth, retention, damage.
#include "storage/log_reader.h"

#include <catch2/catch.hpp>
#include <random>

#include "support/log_files.h"
#include "support/memory_disk.h"

namespace sluice::storage {
namespace {

using test::LogFiles;
using test::MemoryDisk;

// Chunks of 1..10 messages, a segment each few chunks, timestamps 1000, 1010, ... per chunk.
void fill(LogFiles& files, std::size_t chunks, std::mt19937& random, std::size_t body_bytes_max = 200) {
  for (std::size_t i = 0; i < chunks; ++i) {
    std::vector<test::TestEntry> entries(1 + random() % 10);
    for (auto& entry : entries)
      entry = {random() % 2 ? "" : "v" + std::to_string(random() % 5),
               {std::string(random() % body_bytes_max, 'b')}};
    files.add_chunk(entries, static_cast<std::int64_t>(1000 + 10 * files.chunks().size()));
    if (random() % 8 == 0) files.seal();
  }
}

// Ids of the chunks from the cursor to the end.
std::vector<std::uint64_t> read_all(LogReader& reader, ReadAhead& window) {
  std::vector<std::uint64_t> ids;
  while (true) {
    auto place = reader.current(window);
    REQUIRE(place);
    if (*place == nullptr) return ids;
    ids.push_back((*place)->header.chunk_id.value);
    if (ids.size() % 2)
      REQUIRE(reader.chunk_bytes(window));
    else
      REQUIRE(reader.read_trailer(window));
    reader.advance();
  }
}

std::vector<std::uint64_t> ids_from(const LogFiles& files, std::size_t chunk) {
  std::vector<std::uint64_t> ids;
  for (; chunk < files.chunks().size(); ++chunk) ids.push_back(files.chunks()[chunk].record.chunk_id.value);
  return ids;
}

TEST_CASE("a reader sees every chunk once, in order, over many segments") {
  std::mt19937 random(GENERATE(1u, 2u, 3u));
  MemoryDisk disk;
  LogFiles files(disk, "log");
  fill(files, 100, random, GENERATE(std::size_t{20}, std::size_t{20'000}));
  LogReader reader(disk, "log", files.view(3));
  ReadAhead window;
  REQUIRE(read_all(reader, window).empty());  // it stands at the end
  REQUIRE(reader.seek_offset(base::Offset{0}, window));
  REQUIRE(read_all(reader, window) == ids_from(files, 0));
}

TEST_CASE("a reader follows a log that grows and rolls") {
  std::mt19937 random(4);
  MemoryDisk disk;
  LogFiles files(disk, "log");
  LogReader reader(disk, "log", files.view());
  ReadAhead window;
  std::vector<std::uint64_t> ids;
  for (int round = 0; round < 50; ++round) {
    fill(files, random() % 5, random);
    reader.set_view(files.view(static_cast<std::uint32_t>(random() % 4)));
    window.forget();
    for (auto id : read_all(reader, window)) ids.push_back(id);
  }
  REQUIRE(ids == ids_from(files, 0));
}

TEST_CASE("seeking by offset finds the chunk that holds it") {
  std::mt19937 random(5);
  MemoryDisk disk;
  LogFiles files(disk, "log");
  fill(files, 60, random);
  ReadAhead window;
  for (std::uint32_t unindexed : {0u, 2u, 1000u}) {
    LogReader reader(disk, "log", files.view(unindexed));
    for (std::uint64_t offset = 0; offset <= files.next_offset() + 5; ++offset) {
      REQUIRE(reader.seek_offset(base::Offset{offset}, window));
      const std::uint64_t expected =
          offset < files.next_offset() ? files.chunks()[files.messages()[offset].chunk].record.chunk_id.value
                                       : files.next_offset();
      REQUIRE(reader.next_chunk_id().value == expected);
    }
  }
}

TEST_CASE("seeking by time finds the first chunk that is not older") {
  std::mt19937 random(6);
  MemoryDisk disk;
  LogFiles files(disk, "log");
  fill(files, 60, random);
  ReadAhead window;
  for (std::uint32_t unindexed : {0u, 2u, 1000u}) {
    LogReader reader(disk, "log", files.view(unindexed));
    for (std::int64_t time = 990; time < 1000 + 10 * 62; time += 5) {
      REQUIRE(reader.seek_timestamp(time, window));
      const std::size_t chunk = time <= 1000 ? 0 : static_cast<std::size_t>((time - 1000 + 9) / 10);
      REQUIRE(reader.next_chunk_id().value ==
              (chunk < 60 ? files.chunks()[chunk].record.chunk_id.value : files.next_offset()));
    }
  }
}

TEST_CASE("last, and an empty log") {
  MemoryDisk disk;
  LogFiles files(disk, "log");
  ReadAhead window;
  LogReader reader(disk, "log", files.view());
  REQUIRE(reader.seek_last(window));
  REQUIRE(reader.next_chunk_id().value == 0);
  REQUIRE(reader.seek_timestamp(0, window));
  REQUIRE(reader.seek_offset(base::Offset{7}, window));
  REQUIRE(reader.next_chunk_id().value == 0);
  files.add_chunk({{"", {"a"}}, {"", {"b"}}}, 1);
  files.add_chunk({{"", {"c"}}}, 2);
  files.seal();
  reader.set_view(files.view());
  REQUIRE(reader.seek_last(window));
  REQUIRE(reader.next_chunk_id().value == 2);
}

TEST_CASE("a chunk is found although the index is gone or damaged") {
  std::mt19937 random(7);
  MemoryDisk disk;
  LogFiles files(disk, "log");
  fill(files, 40, random);
  for (const auto& path : disk.paths())
    if (path.ends_with(".index")) {
      if (random() % 2)
        disk.remove(path).value();
      else
        for (std::uint64_t at = file_header_bytes; at < disk.bytes(path).size(); at += 7)
          disk.flip_bit(path, at);
    }
  LogReader reader(disk, "log", files.view());
  ReadAhead window;
  for (std::uint64_t offset = 0; offset < files.next_offset(); ++offset) {
    REQUIRE(reader.seek_offset(base::Offset{offset}, window));
    REQUIRE(reader.next_chunk_id() == files.chunks()[files.messages()[offset].chunk].record.chunk_id);
  }
}

TEST_CASE("small chunks are read many at a time") {
  MemoryDisk disk;
  LogFiles files(disk, "log");
  for (int i = 0; i < 2000; ++i) files.add_chunk({{"", {std::string(100, 'x')}}}, i);
  LogReader reader(disk, "log", files.view());
  ReadAhead window;
  REQUIRE(reader.seek_offset(base::Offset{0}, window));
  const auto before = disk.counts().reads;
  REQUIRE(read_all(reader, window).size() == 2000);
  CHECK(disk.counts().reads - before <= 10);  // each goes on where the last ended, twice as far
}

TEST_CASE("no more is read than the caller has use for") {
  MemoryDisk disk;
  LogFiles files(disk, "log");
  for (int i = 0; i < 2000; ++i) files.add_chunk({{"", {std::string(500, 'x')}}}, i);
  ReadAhead window;
  LogReader reader(disk, "log", files.view());
  reader.expect_chunks(10);
  for (std::uint64_t at : {100u, 1500u, 700u}) {
    REQUIRE(reader.seek_offset(base::Offset{at}, window));
    const auto before = disk.counts();
    for (int i = 0; i < 10; ++i) {
      REQUIRE(reader.current(window));
      REQUIRE(reader.chunk_bytes(window));
      reader.advance();
    }
    CHECK(disk.counts().reads - before.reads <= 2);
    CHECK(disk.counts().read_bytes - before.read_bytes < 30'000);
  }
}

TEST_CASE("a large chunk costs one read beside its data") {
  MemoryDisk disk;
  LogFiles files(disk, "log");
  for (int i = 0; i < 20; ++i) files.add_chunk({{"", {std::string(1 << 20, 'x')}}}, i);
  LogReader reader(disk, "log", files.view());
  ReadAhead window;
  REQUIRE(reader.seek_offset(base::Offset{0}, window));
  const auto before = disk.counts();
  for (int i = 0; i < 20; ++i) {
    REQUIRE(reader.current(window));
    REQUIRE(reader.check_header(window));
    reader.advance();
  }
  CHECK(disk.counts().reads - before.reads <= 21);
  CHECK(disk.counts().read_bytes - before.read_bytes < 21 * 8192);
}

TEST_CASE("retention moves a reader to what is left") {
  std::mt19937 random(8);
  MemoryDisk disk;
  LogFiles files(disk, "log");
  fill(files, 100, random);
  REQUIRE(files.sealed().size() > 4);
  const LogView old = files.view();
  ReadAhead window;
  LogReader stale(disk, "log", old), told(disk, "log", old);
  REQUIRE(stale.seek_offset(base::Offset{0}, window));
  REQUIRE(told.seek_offset(base::Offset{0}, window));
  const auto second = files.sealed()[2].first_offset;
  files.remove_oldest_segment();
  files.remove_oldest_segment();

  SECTION("whose view still shows what was removed") {
    REQUIRE(stale.current(window));
    CHECK(stale.next_chunk_id() == second);
  }
  SECTION("when it is told") {
    told.set_view(files.view());
    REQUIRE(told.current(window));
    CHECK(told.next_chunk_id() == second);
  }
  SECTION("at a logical first offset within a segment") {
    const auto first = files.chunks()[80].record.chunk_id;
    files.set_first_offset(first);
    told.set_view(files.view());
    REQUIRE(told.current(window));
    CHECK(told.next_chunk_id() == first);
    REQUIRE(told.seek_offset(base::Offset{1}, window));
    CHECK(told.next_chunk_id() == first);
    REQUIRE(told.seek_timestamp(0, window));
    CHECK(told.next_chunk_id() == first);
  }
}

TEST_CASE("a damaged header is an error at its place, again and again") {
  MemoryDisk disk;
  LogFiles files(disk, "log");
  for (int i = 0; i < 3; ++i) files.add_chunk({{"", {"one"}}, {"", {"two"}}}, i);
  const std::string path = files.path(base::Offset{0}, log_suffix);
  const auto at = files.chunks()[1].record.position;
  for (std::uint64_t byte = 0; byte < chunk_header_bytes; ++byte)
    for (unsigned bit = 0; bit < 8; ++bit) {
      disk.flip_bit(path, at + byte, bit);
      LogReader reader(disk, "log", files.view());
      ReadAhead window;
      REQUIRE(reader.seek_offset(base::Offset{0}, window));
      REQUIRE(reader.current(window));
      reader.advance();
      for (int again = 0; again < 2; ++again) {
        auto place = reader.current(window);
        if (place) {
          auto bytes = reader.chunk_bytes(window);
          REQUIRE_FALSE(bytes);
          CHECK(bytes.error().code == base::Errc::corrupt);
          CHECK_FALSE(reader.read_trailer(window));
          CHECK_FALSE(reader.check_header(window));
        } else {
          CHECK(place.error().code == base::Errc::corrupt);
        }
      }
      disk.flip_bit(path, at + byte, bit);
    }
}

TEST_CASE("a file that ends too early is an error") {
  MemoryDisk disk;
  LogFiles files(disk, "log");
  files.add_chunk({{"", {std::string(100'000, 'x')}}}, 1);
  disk.cut(files.path(base::Offset{0}, log_suffix), 50'000);
  LogReader reader(disk, "log", files.view());
  ReadAhead window;
  REQUIRE(reader.seek_offset(base::Offset{0}, window));
  REQUIRE(reader.current(window));
  auto checked = reader.check_header(window);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == base::Errc::corrupt);
}

}  // namespace
}  // namespace sluice::storage
