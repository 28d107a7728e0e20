// SPDX-License-Identifier: Apache-2.0
#include "filters/segment_filter.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

using namespace sluice;
using namespace sluice::filters;

namespace {

struct Segment {
  std::map<std::string, std::vector<std::uint32_t>> truth;  // "" = unfiltered
  base::ByteBuffer file;
  std::uint64_t bytes_read = 0;
  std::uint32_t reads = 0;

  ReadAt read_at() {
    return [this](std::uint64_t position, base::MutableBytes into) {
      if (position > file.size() || into.size() > file.size() - position) return false;
      std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(position), into.size(), into.begin());
      bytes_read += into.size();
      ++reads;
      return true;
    };
  }
};

// `values_of(chunk)` are the values of the chunk's entries; none: a chunk without a record.
template <class F>
Segment build(std::uint32_t chunks, F&& values_of, SegmentFilterLimits limits = {}) {
  Segment segment;
  SegmentFilterBuilder builder(limits);
  ChunkFilterBuilder chunk_builder(16);
  base::ByteBuffer record;
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    chunk_builder.clear();
    record.clear();
    std::uint32_t entry = 0;
    for (const std::string& value : values_of(chunk)) {
      chunk_builder.add(value, {entry * 10, entry});
      ++entry;
      auto& ordinals = segment.truth[value];
      if (ordinals.empty() || ordinals.back() != chunk) ordinals.push_back(chunk);
    }
    if (chunk_builder.empty()) {
      builder.add_unfiltered_chunk();
      auto& ordinals = segment.truth[""];
      if (ordinals.empty() || ordinals.back() != chunk) ordinals.push_back(chunk);
      continue;
    }
    chunk_builder.finish(record);
    builder.add_chunk(ChunkFilterView::parse(record).value());
  }
  builder.finish(segment.file);
  return segment;
}

void check_exact(Segment& segment) {
  auto reader = SegmentFilterReader::open(segment.read_at());
  REQUIRE(reader.has_value());
  for (const auto& [value, ordinals] : segment.truth) {
    const SegmentMatch match = value.empty() ? reader->unfiltered_chunks() : reader->chunks_with(value);
    REQUIRE(match.kind == SegmentMatch::Kind::some);
    REQUIRE(match.chunks.to_vector() == ordinals);
  }
  for (int i = 0; i < 1000; ++i)
    REQUIRE(reader->chunks_with("absent-" + std::to_string(i)).kind == SegmentMatch::Kind::none);
  if (!segment.truth.contains("")) REQUIRE(reader->unfiltered_chunks().kind == SegmentMatch::Kind::none);
  std::size_t walked = 0;
  REQUIRE(reader->for_each_value([&](std::string_view value, const Bitmap& chunks) {
    ++walked;
    REQUIRE(chunks.to_vector() == segment.truth.at(std::string(value)));
  }));
  REQUIRE(walked == segment.truth.size() - segment.truth.count(""));
}

}  // namespace

TEST_CASE("a segment with one value") {
  Segment segment = build(1000, [](std::uint32_t) { return std::vector<std::string>{"KR", "KR"}; });
  check_exact(segment);
  CHECK(segment.file.size() < 300);
}

TEST_CASE("a segment with 100,000 distinct values answers from two small reads") {
  std::mt19937_64 random(5);
  Segment segment = build(20'000, [&](std::uint32_t chunk) {
    std::vector<std::string> values;
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t which = i < 5 ? (chunk * 5 + static_cast<unsigned>(i)) : random() % 100'000;
      values.push_back("device-" + std::to_string(which));
    }
    if (chunk % 10 == 0) values.emplace_back("");
    return values;
  });
  REQUIRE(segment.truth.size() == 100'001);
  INFO("100,000 values in 200,000 (chunk, value) pairs: file of " << segment.file.size() << " bytes");
  CHECK(segment.file.size() < 4'000'000);
  check_exact(segment);

  auto reader = SegmentFilterReader::open(segment.read_at());
  segment.bytes_read = segment.reads = 0;
  CHECK(reader->chunks_with("device-77").kind == SegmentMatch::Kind::some);
  CHECK(segment.reads == 3);  // Bloom block, table entry, dictionary block
  CHECK(segment.bytes_read < 8192);

  std::uint32_t maybes = 0;
  segment.reads = 0;
  for (int i = 0; i < 20'000; ++i) reader->chunks_with("other-" + std::to_string(i));
  maybes = (segment.reads - 20'000) / 2;
  INFO("wrong maybes of the Bloom filter: " << maybes / 200.0 << " %");
  CHECK(maybes < 300);
}

TEST_CASE("chunks without any value, mixed chunks and values in very many chunks") {
  std::mt19937_64 random(11);
  Segment segment = build(30'000, [&](std::uint32_t chunk) {
    std::vector<std::string> values;
    if (chunk % 7 == 0) return values;
    values.emplace_back("everywhere");
    if (random() % 2) values.emplace_back("half");
    if (chunk > 10'000 && chunk < 12'000) values.emplace_back("burst");
    if (chunk % 100 == 3) values.emplace_back("");
    return values;
  });
  check_exact(segment);
  INFO("3 values in 30,000 chunks: file of " << segment.file.size() << " bytes");

  Segment unfiltered = build(100, [](std::uint32_t) { return std::vector<std::string>{}; });
  check_exact(unfiltered);
}

TEST_CASE("beyond its limits a segment keeps only a Bloom filter that never says no wrongly") {
  const auto many = [](std::uint32_t chunk) {
    std::vector<std::string> values;
    for (int i = 0; i < 10; ++i) values.push_back(std::to_string(chunk * 10 + static_cast<unsigned>(i)));
    return values;
  };
  for (const SegmentFilterLimits limits :
       {SegmentFilterLimits{.distinct_values_max = 1000}, SegmentFilterLimits{.memory_bytes_max = 10'000}}) {
    Segment segment = build(500, many, limits);
    CHECK(segment.file.size() < 10'000);
    auto reader = SegmentFilterReader::open(segment.read_at());
    REQUIRE(reader.has_value());
    CHECK(reader->header().dictionary_blocks == 0);
    std::uint32_t all = 0;
    for (const auto& [value, ordinals] : segment.truth)
      all += reader->chunks_with(value).kind == SegmentMatch::Kind::all;
    CHECK(all == segment.truth.size());
  }
}

TEST_CASE("a chunk whose record is damaged may hold anything, and only it") {
  SegmentFilterBuilder builder;
  ChunkFilterBuilder chunk(16);
  chunk.add("a", {0, 0});
  base::ByteBuffer record;
  chunk.finish(record);
  builder.add_chunk(ChunkFilterView::parse(record).value());
  builder.add_unknown_chunk();
  builder.add_unfiltered_chunk();
  Segment segment;
  builder.finish(segment.file);
  auto reader = SegmentFilterReader::open(segment.read_at());
  REQUIRE(reader.has_value());
  CHECK(reader->chunks_with("a").chunks.to_vector() == std::vector<std::uint32_t>{0, 1});
  CHECK(reader->chunks_with("b").chunks.to_vector() == std::vector<std::uint32_t>{1});
  CHECK(reader->unfiltered_chunks().chunks.to_vector() == std::vector<std::uint32_t>{1, 2});
}

TEST_CASE("any damaged byte makes the answer wider, never narrower") {
  Segment segment = build(64, [](std::uint32_t chunk) {
    return std::vector<std::string>{"v" + std::to_string(chunk % 5), chunk % 2 ? "" : "even"};
  });
  const base::ByteBuffer whole = segment.file;
  for (std::size_t i = 0; i < whole.size() * 2; ++i) {
    segment.file = whole;
    if (i < whole.size())
      segment.file[i] ^= 0x41;
    else
      segment.file.resize(i - whole.size());
    auto reader = SegmentFilterReader::open(segment.read_at());
    if (!reader) continue;
    for (const auto& [value, ordinals] : segment.truth) {
      const SegmentMatch match = value.empty() ? reader->unfiltered_chunks() : reader->chunks_with(value);
      if (match.kind == SegmentMatch::Kind::all) continue;
      REQUIRE(match.kind == SegmentMatch::Kind::some);
      for (const std::uint32_t ordinal : ordinals) REQUIRE(match.chunks.contains(ordinal));
    }
  }
}
