// SPDX-License-Identifier: Apache-2.0
// open() on directories that a crash or a bad disk left behind.
#include <catch2/catch.hpp>

#include <random>

#include "storage/trailer.h"
#include "support/temp_log.h"

namespace sluice {
namespace {

using storage::filter_suffix;
using storage::index_suffix;
using test::TempLog;

base::Errc open_error(TempLog& t, std::string* text = nullptr) {
  t.log.reset();
  t.report = {};
  auto opened = storage::SegmentLog::open(t.shard.shard, t.directory, t.options, t.report);
  REQUIRE_FALSE(opened);
  if (text != nullptr) *text = opened.error().text;
  return opened.error().code;
}

struct ChunkPlace {
  std::uint64_t position, end;
  base::Offset next_offset;
};
std::vector<ChunkPlace> places(TempLog& t, std::uint64_t segment) {
  auto file = t.shard.disk.open(t.path(segment), base::Disk::Mode::read).value();
  storage::SegmentScanner scanner(file, storage::file_header_bytes, file->size().value(),
                                  base::Offset{segment}, storage::SegmentScanner::Data::verify);
  std::vector<ChunkPlace> found;
  storage::ScannedChunk chunk;
  while (scanner.next(chunk).value_or(false))
    found.push_back({chunk.position, scanner.position(), chunk.header.next_offset()});
  return found;
}

TEST_CASE("Property: cut at every byte of the last two chunks, the prefix is intact") {
  for (unsigned seed = 0; seed < 6; ++seed) {
    std::mt19937 random(seed);
    TempLog t;
    t.options.segment_chunks_max = 40;
    t.open();
    for (auto chunks = 3 + random() % 60; chunks > 0; --chunks) {
      const auto messages = 1 + random() % 4;
      for (unsigned i = 0; i < messages; ++i)
        t.builder.add_message(base::as_bytes(std::string(random() % 90, 'x')), random() % 2 ? "" : "value");
      if (random() % 2) t.builder.set_sequence(fmt::format("publisher {}", random() % 3), random());
      REQUIRE(t.append_built());
      if (random() % 8 == 0) REQUIRE(t.log->flush_index());
    }
    const bool flushed = seed % 2 == 0;
    if (flushed) REQUIRE(t.log->flush_index());
    const auto segment = t.log->view().active.first_offset.value;
    const auto whole = t.log->view();
    const auto all = places(t, segment);
    const std::uint64_t end = all.back().end;
    const std::uint64_t from = all.size() > 1 ? all[all.size() - 2].position : all.back().position;
    auto saved = t.shard.disk.copy();
    for (std::uint64_t size = from; size <= end; ++size) {
      TempLog cut;
      cut.options = t.options;
      for (const auto& path : saved->paths()) cut.shard.disk.set_bytes(path, saved->bytes(path));
      cut.shard.disk.cut(t.path(segment), size);
      cut.open();
      base::Offset expected{segment};
      for (const auto& place : all)
        if (place.end <= size) expected = place.next_offset;
      INFO("seed " << seed << ", cut to " << size << " of " << end);
      REQUIRE(cut.log->view().next_offset == expected);
      REQUIRE(cut.count_records() == expected.value);
      REQUIRE(cut.report.damage.empty());
      cut.append(2);
      cut.open();
      REQUIRE(cut.report.bytes_cut == 0);
      REQUIRE(cut.log->view().next_offset == expected + 2);
    }
    CHECK(whole.next_offset == all.back().next_offset);
  }
}

TEST_CASE("Garbage and zeros behind the last chunk are cut") {
  TempLog t;
  t.open();
  for (int i = 0; i < 20; ++i) t.append(2);
  auto bytes = t.shard.disk.bytes(t.path(0));
  const auto good_bytes = bytes.size();
  SECTION("zeros") {
    bytes.resize(bytes.size() + 5000);
  }
  SECTION("noise") {
    std::mt19937 random(3);
    for (int i = 0; i < 5000; ++i) bytes.push_back(static_cast<std::uint8_t>(random()));
  }
  SECTION("a repetition of an old chunk") {
    bytes.insert(bytes.end(), bytes.begin() + 32, bytes.begin() + 500);
  }
  t.shard.disk.set_bytes(t.path(0), bytes);
  t.open();
  CHECK(t.report.bytes_cut == bytes.size() - good_bytes);
  CHECK(t.shard.logger.has("cut the torn end of a log"));
  CHECK(t.count_records() == 40);
}

TEST_CASE("A torn chunk that holds somebody's copy of a log is a torn tail, not damage") {
  TempLog t;
  t.open();
  for (int i = 0; i < 5; ++i) t.append();
  TempLog other;
  other.open();
  for (int i = 0; i < 300; ++i) other.append();
  t.shard.clock.advance(1);
  t.builder.add_message(other.shard.disk.bytes(other.path(0)), {});
  t.builder.add_message(base::as_bytes(std::string(1000, 'x')), {});
  REQUIRE(t.append_built());
  t.shard.disk.cut(t.path(0), t.shard.disk.bytes(t.path(0)).size() - 500);
  t.open();
  CHECK(t.log->view().next_offset == base::Offset{5});
}

TEST_CASE("Damage with good chunks behind it keeps the log offline and the file as it is") {
  TempLog t;
  t.open();
  for (int i = 0; i < 30; ++i) t.append(2);
  const auto all = places(t, 0);
  const auto bytes = t.shard.disk.bytes(t.path(0));
  std::uint64_t at = 0;
  SECTION("in the data") {
    at = all[20].position + 50;
  }
  SECTION("in the header's length") {
    at = all[20].position + 38;
  }
  SECTION("in the header's chunk id") {
    at = all[20].position + 31;
  }
  SECTION("in the first byte") {
    at = all[20].position;
  }
  SECTION("in the trailer") {
    at = all[20].end - 6;
  }
  SECTION("so that the chunk seems to run past the end") {
    at = all[20].position + 36 + 1;
  }
  SECTION("in the file header") {
    at = 3;
  }
  t.shard.disk.flip_bit(t.path(0), at, 4);
  std::string text;
  CHECK(open_error(t, &text) == base::Errc::corrupt);
  CHECK(text.find(t.path(0)) != std::string::npos);
  CHECK(text.find(at == 3 ? "byte 0" : fmt::format("byte {}", all[20].position)) != std::string::npos);
  CHECK(t.report.damage.size() == 1);
  CHECK(t.shard.disk.bytes(t.path(0)).size() == bytes.size());
}

TEST_CASE("A flipped bit in the last chunk cuts it") {
  TempLog t;
  t.open();
  for (int i = 0; i < 30; ++i) t.append(2);
  REQUIRE(t.log->flush_index());
  const auto all = places(t, 0);
  t.shard.disk.flip_bit(t.path(0), all.back().position + 55);
  t.open();
  CHECK(t.log->view().next_offset == base::Offset{58});
  CHECK(t.report.bytes_cut == all.back().end - all.back().position);
  CHECK(t.shard.disk.bytes(t.path(0, index_suffix)).size() == storage::index_position(29));
}

TEST_CASE("An index that is missing, short, long or damaged is put right") {
  TempLog t;
  t.options.segment_chunks_max = 50;
  t.open();
  for (std::uint64_t i = 0; i < 120; ++i) t.append(1, i % 7 == 3 ? "KR" : "", "publisher", i);
  REQUIRE(t.log->close());
  const std::uint64_t segment = GENERATE(0U, 50U, 100U);
  const auto path = t.path(segment, index_suffix);
  const auto good = t.shard.disk.bytes(path);
  SECTION("missing") {
    REQUIRE(t.shard.disk.remove(path));
  }
  SECTION("empty") {
    t.shard.disk.cut(path, 0);
  }
  SECTION("header only") {
    t.shard.disk.cut(path, 32);
  }
  SECTION("short by half a record") {
    t.shard.disk.cut(path, good.size() - 24);
  }
  SECTION("short by three records") {
    t.shard.disk.cut(path, good.size() - 144);
  }
  SECTION("wrong header") {
    t.shard.disk.flip_bit(path, 5);
  }
  SECTION("wrong first record") {
    t.shard.disk.flip_bit(path, 40);
  }
  SECTION("wrong last record") {
    t.shard.disk.flip_bit(path, good.size() - 30);
  }
  SECTION("long") {
    auto longer = good;
    longer.insert(longer.end(), good.end() - 48, good.end());
    t.shard.disk.set_bytes(path, longer);
  }
  t.open();
  REQUIRE(t.log->flush_index());
  CHECK((t.shard.disk.bytes(path) == good));
  CHECK(t.report.damage.empty());
  CHECK(t.report.indexes_rebuilt <= (segment == 100 ? 0 : 1));
  CHECK(t.log->view().next_offset == base::Offset{120});
  CHECK(t.log->sequence("publisher") == 119);
  CHECK(t.log->view().active.has_filter_values);
}

TEST_CASE("A record in the middle of the newest index that is wrong is put right") {
  TempLog t;
  t.open();
  for (int i = 0; i < 600; ++i) t.append();
  REQUIRE(t.log->close());
  const auto good = t.shard.disk.bytes(t.path(0, index_suffix));
  t.shard.disk.flip_bit(t.path(0, index_suffix), storage::index_position(7) + 3);
  t.open();
  REQUIRE(t.log->flush_index());
  CHECK((t.shard.disk.bytes(t.path(0, index_suffix)) == good));
}

TEST_CASE("Damaged, cut or missing segments in the middle are reported") {
  TempLog t;
  t.options.segment_chunks_max = 10;
  t.open();
  for (int i = 0; i < 45; ++i) t.append();
  std::string text;
  SECTION("cut") {
    t.shard.disk.cut(t.path(10), t.shard.disk.bytes(t.path(10)).size() - 3);
    CHECK(open_error(t, &text) == base::Errc::corrupt);
    CHECK(text.find(t.path(10)) != std::string::npos);
  }
  SECTION("missing") {
    REQUIRE(t.shard.disk.remove(t.path(20)));
    CHECK(open_error(t, &text) == base::Errc::corrupt);
    CHECK(text.find("it ends before offset 20, the next segment begins at 30") != std::string::npos);
  }
  SECTION("renamed") {
    REQUIRE(t.shard.disk.rename(t.path(20), t.path(21)));
    CHECK(open_error(t, &text) == base::Errc::corrupt);
    CHECK(text.find("it ends before offset 20, the next segment begins at 21") != std::string::npos);
  }
  SECTION("without header") {
    t.shard.disk.flip_bit(t.path(20), 1);
    CHECK(open_error(t, &text) == base::Errc::corrupt);
    CHECK(text.find("SLUICLOG") != std::string::npos);
  }
}

TEST_CASE("Files of another version are refused with a clear text") {
  TempLog t;
  t.options.segment_chunks_max = 10;
  t.open();
  for (int i = 0; i < 15; ++i) t.append();
  const std::uint64_t segment = GENERATE(0U, 10U);
  auto bytes = t.shard.disk.bytes(t.path(segment));
  storage::encode_file_header({storage::FileKind::log, 2, base::Offset{segment}}, bytes.data());
  t.shard.disk.set_bytes(t.path(segment), bytes);
  std::string text;
  CHECK(open_error(t, &text) == base::Errc::precondition_failed);
  CHECK(text.find("has format version 2, this program reads version 1") != std::string::npos);
}

TEST_CASE("Empty and half-made last segments go, the one before is continued") {
  TempLog t;
  t.options.segment_chunks_max = 10;
  t.open();
  for (int i = 0; i < 20; ++i) t.append(1, "KR", "publisher", 5);
  const auto header = t.shard.disk.bytes(t.path(10));
  std::vector<std::uint8_t> empty(32);
  storage::encode_file_header({storage::FileKind::log, storage::format_version, base::Offset{20}},
                              empty.data());
  SECTION("no bytes") {
    t.shard.disk.set_bytes(t.path(20), {});
  }
  SECTION("half a header") {
    t.shard.disk.set_bytes(t.path(20), {empty.begin(), empty.begin() + 20});
  }
  SECTION("a header") {
    t.shard.disk.set_bytes(t.path(20), empty);
  }
  SECTION("a header and half a chunk") {
    empty.insert(empty.end(), header.begin() + 32, header.begin() + 100);
    t.shard.disk.set_bytes(t.path(20), empty);
  }
  t.open();
  const auto view = t.log->view();
  CHECK_FALSE(t.shard.disk.exists(t.path(20)));
  CHECK(view.active.first_offset == base::Offset{10});
  CHECK(view.next_offset == base::Offset{20});
  CHECK(t.log->sequence("publisher") == 5);
  t.append();
  CHECK(t.log->view().active.first_offset == base::Offset{20});
  CHECK(t.shard.disk.exists(t.path(10, filter_suffix)));
}

TEST_CASE("Leftovers are removed, foreign files stay") {
  TempLog t;
  t.open();
  t.append();
  t.shard.disk.set_bytes(t.path(7, index_suffix), {1, 2, 3});
  t.shard.disk.set_bytes(t.path(7, filter_suffix), {1, 2, 3});
  t.shard.disk.set_bytes(t.path(0, filter_suffix) + ".tmp", {1});
  t.shard.disk.set_bytes(t.directory + "/notes.txt", {1});
  t.open();
  CHECK_FALSE(t.shard.disk.exists(t.path(7, index_suffix)));
  CHECK_FALSE(t.shard.disk.exists(t.path(7, filter_suffix)));
  CHECK_FALSE(t.shard.disk.exists(t.path(0, filter_suffix) + ".tmp"));
  CHECK(t.shard.disk.exists(t.directory + "/notes.txt"));
  CHECK(t.shard.logger.has("not a file of this log"));
}

TEST_CASE("A disk that cannot be read is not taken for an empty one") {
  TempLog t;
  t.options.segment_chunks_max = 10;
  t.open();
  for (int i = 0; i < 35; ++i) t.append();
  REQUIRE(t.log->close());
  const auto before = t.shard.disk.copy();
  for (std::uint64_t n = 1;; ++n) {
    auto disk = before->copy();
    TempLog again;
    again.options = t.options;
    for (const auto& path : before->paths()) again.shard.disk.set_bytes(path, before->bytes(path));
    again.shard.disk.fail_read(n);
    storage::OpenReport report;
    auto opened = storage::SegmentLog::open(again.shard.shard, again.directory, again.options, report);
    if (opened && again.shard.disk.counts().reads < n) break;
    CHECK(report.bytes_cut == 0);
    CHECK(report.damage.empty());
    if (opened) CHECK((*opened)->view().next_offset == base::Offset{35});
    REQUIRE(n < 1000);
  }
}

TEST_CASE("Opening reads little of a long log") {
  TempLog t;
  t.open();
  const std::string body(64 << 10, 'x');
  for (int i = 0; i < 400; ++i) {
    t.builder.add_message(base::as_bytes(body), {});
    REQUIRE(t.append_built());
  }
  REQUIRE(t.log->close());
  const auto before = t.shard.disk.counts().read_bytes;
  t.open();
  CHECK(t.shard.disk.counts().read_bytes - before < t.log->bytes() / 2);
}

}  // namespace
}  // namespace sluice
