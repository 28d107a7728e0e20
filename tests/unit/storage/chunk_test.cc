// SPDX-License-Identifier: Apache-2.0
// The chunk as bytes: header, entries, trailer, builder.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <random>

#include "filters/chunk_filter.h"
#include "storage/chunk.h"
#include "storage/crc32.h"
#include "storage/entries.h"

namespace sluice {
namespace {

using storage::chunk_header_bytes;
using storage::ChunkBuilder;
using storage::EntryCursor;
using storage::EntryView;

struct Parts {
  base::ByteView header, data, trailer;
  explicit Parts(const ChunkBuilder::Finished& chunk)
      : header(chunk.bytes.first(chunk_header_bytes)),
        data(chunk.bytes.subspan(chunk_header_bytes, chunk.header.data_bytes)),
        trailer(chunk.bytes.subspan(chunk.header.wire_bytes())) {}
};

TEST_CASE("A chunk of simple entries and sub-batches is what a Deliver frame carries") {
  ChunkBuilder builder(1 << 20, 16);
  builder.add_message(base::as_bytes("one"), {});
  builder.add_sub_batch({4, 10, 300, base::as_bytes("packed")}, {});
  builder.add_message({}, {});
  const auto chunk = builder.finish(base::Offset{42}, base::Epoch{3}, 1234);
  const Parts parts(chunk);
  CHECK(chunk.header.records == 12);
  CHECK(chunk.header.entries == 3);
  CHECK(chunk.header.next_offset() == base::Offset{54});
  CHECK(chunk.header.stored_bytes() == chunk.bytes.size());
  CHECK(chunk.header.data_crc == storage::crc32(parts.data));
  CHECK(base::as_text(parts.data) ==
        std::string_view("\0\0\0\3one\xC0\0\x0A\0\0\x01\x2C\0\0\0\6packed\0\0\0\0", 28));

  const auto decoded = storage::decode_chunk_header(parts.header);
  REQUIRE(decoded);
  CHECK(decoded->timestamp_ms == 1234);
  CHECK(decoded->epoch == base::Epoch{3});
  CHECK(decoded->chunk_id == base::Offset{42});
  CHECK(storage::header_check_holds(parts.header, parts.trailer));

  EntryCursor cursor(parts.data);
  EntryView entry;
  REQUIRE(cursor.next(entry));
  CHECK(base::as_text(entry.body) == "one");
  REQUIRE(cursor.next(entry));
  CHECK(entry.is_sub_batch);
  CHECK(int{entry.compression} == 4);
  CHECK(entry.records == 10);
  CHECK(entry.uncompressed_bytes == 300);
  CHECK(entry.position == 7);
  CHECK(entry.bytes == 17);
  REQUIRE(cursor.next(entry));
  CHECK(entry.body.empty());
  CHECK_FALSE(cursor.next(entry));
  CHECK(cursor.ok());
}

TEST_CASE("A cursor stops at entries that run over the end") {
  ChunkBuilder builder(1 << 20, 16);
  for (int i = 0; i < 5; ++i) builder.add_message(base::as_bytes("abcdef"), {});
  builder.add_sub_batch({1, 2, 20, base::as_bytes("zzzz")}, {});
  const auto chunk = builder.finish({}, {}, 0);
  const Parts parts(chunk);
  for (std::size_t size = 0; size <= parts.data.size(); ++size) {
    EntryCursor cursor(parts.data.first(size));
    EntryView entry;
    std::size_t seen = 0;
    while (cursor.next(entry)) seen += entry.bytes;
    CHECK(seen <= size);
    CHECK(cursor.ok() == (seen == size));
  }
}

TEST_CASE("Filter values reach the trailer with their entries' places, also when the first come late") {
  ChunkBuilder builder(1 << 20, 32);
  for (int round = 0; round < 3; ++round) {
    builder.add_message(base::as_bytes("a"), {});
    builder.add_sub_batch({0, 3, 18, base::as_bytes("\0\0\0\2xy\0\0\0\2xy\0\0\0\2xy")}, {});
    builder.add_message(base::as_bytes("b"), "KR");
    builder.add_message(base::as_bytes("c"), "JP");
    builder.set_sequence("p1", 5);
    builder.set_sequence("p2", 6);
    builder.set_sequence("p1", 7);
    const auto chunk = builder.finish(base::Offset{0}, base::Epoch{1}, 1);
    const Parts parts(chunk);
    const auto trailer = storage::TrailerView::parse(parts.header, parts.trailer);
    REQUIRE(trailer);
    CHECK_FALSE(trailer->is_snapshot());
    std::vector<std::pair<std::string, std::uint64_t>> sequences;
    trailer->for_each_sequence(
        [&](std::string_view reference, std::uint64_t id) { sequences.emplace_back(reference, id); });
    CHECK(sequences == storage::SequenceList{{"p1", 7}, {"p2", 6}});
    const auto filter = filters::ChunkFilterView::parse(trailer->filter_record());
    REQUIRE(filter);
    CHECK(filter->entry_count() == 4);
    CHECK(filter->has_unfiltered());
    CHECK(filter->may_contain("KR"));
    CHECK_FALSE(filter->may_contain("DE"));
    builder.clear();
    // A chunk without filter values in between has no record.
    builder.add_message(base::as_bytes("plain"), {});
    const auto plain = builder.finish(base::Offset{0}, base::Epoch{1}, 1);
    CHECK(storage::TrailerView::parse(Parts(plain).header, Parts(plain).trailer)->filter_record().empty());
    builder.release();
  }
}

TEST_CASE("Many references in one chunk: the last publishing id of each wins") {
  ChunkBuilder builder(1 << 20, 16);
  builder.add_message(base::as_bytes("x"), {});
  for (std::uint64_t round = 0; round < 3; ++round)
    for (int i = 0; i < 100; ++i) builder.set_sequence(fmt::format("r{}", i), round);
  const auto chunk = builder.finish({}, {}, 0);
  const auto trailer = storage::TrailerView::parse(Parts(chunk).header, Parts(chunk).trailer);
  REQUIRE(trailer);
  CHECK(trailer->sequence_count() == 100);
  trailer->for_each_sequence([&](std::string_view, std::uint64_t id) { CHECK(id == 2); });
}

TEST_CASE("A builder is full by bytes and by entries, never when empty") {
  ChunkBuilder small(200, 16);
  CHECK(small.has_room(10'000'000));
  small.add_message(base::as_bytes(std::string(100, 'x')), {});
  CHECK_FALSE(small.has_room(100));
  CHECK(small.has_room(10));

  ChunkBuilder large(100 << 20, 16);
  for (int i = 0; i < 65'535; ++i) {
    REQUIRE(large.has_room(1));
    large.add_message(base::as_bytes("x"), {});
  }
  CHECK_FALSE(large.has_room(1));
  CHECK(large.finish({}, {}, 0).header.entries == 65'535);
}

TEST_CASE("Every flipped bit of header and trailer is noticed") {
  ChunkBuilder builder(1 << 20, 16);
  builder.add_message(base::as_bytes("one"), "KR");
  builder.set_sequence("publisher", 9);
  const auto chunk = builder.finish(base::Offset{42}, base::Epoch{3}, 1234);
  base::ByteBuffer bytes(chunk.bytes.begin(), chunk.bytes.end());
  const std::size_t wire = chunk.header.wire_bytes();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (at >= chunk_header_bytes && at < wire) continue;
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[at] ^= static_cast<std::uint8_t>(1u << bit);
      const base::ByteView view(bytes);
      CHECK_FALSE(storage::TrailerView::parse(view.first(chunk_header_bytes), view.subspan(wire)));
      bytes[at] ^= static_cast<std::uint8_t>(1u << bit);
    }
  }
  for (std::size_t size = wire; size < bytes.size(); ++size)
    CHECK_FALSE(storage::TrailerView::parse(base::ByteView(bytes).first(chunk_header_bytes),
                                            base::ByteView(bytes).subspan(wire, size - wire)));
}

TEST_CASE("Headers with impossible fields are malformed") {
  ChunkBuilder builder(1 << 20, 16);
  builder.add_message(base::as_bytes("one"), {});
  const auto good = builder.finish({}, {}, 0).header;
  const auto refused = [](storage::ChunkHeader header) {
    std::uint8_t bytes[chunk_header_bytes];
    encode_chunk_header(header, bytes);
    return !storage::decode_chunk_header(bytes);
  };
  CHECK_FALSE(refused(good));
  auto bad = good;
  bad.type = 1;
  CHECK(refused(bad));
  bad = good, bad.entries = 0;
  CHECK(refused(bad));
  bad = good, bad.records = 0;
  CHECK(refused(bad));
  bad = good, bad.records = 65'536;
  CHECK(refused(bad));
  bad = good, bad.data_bytes = 3;
  CHECK(refused(bad));
  bad = good, bad.data_bytes = 4'000'000'000;
  CHECK(refused(bad));
  bad = good, bad.trailer_bytes = 15;
  CHECK(refused(bad));
  bad = good, bad.trailer_bytes = 100 << 20;
  CHECK(refused(bad));
  bad = good, bad.chunk_id = base::Offset{UINT64_MAX};
  CHECK(refused(bad));
  CHECK_FALSE(storage::decode_chunk_header(base::as_bytes("P")));
}

}  // namespace
}  // namespace sluice
