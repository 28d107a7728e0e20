// SPDX-License-Identifier: Apache-2.0
// The reading half of segment_filter.h.
#include <fmt/format.h>

#include <array>

#include "filters/checksum.h"
#include "filters/positions.h"
#include "filters/segment_filter.h"
#include "filters/segment_filter_format.h"

namespace sluice::filters {
namespace {

std::unexpected<base::Error> damaged(std::string_view what) {
  return base::fail(base::Errc::corrupt, fmt::format("segment filter: {}", what));
}

// The most bytes a bitmap of so many chunks takes.
std::uint64_t bitmap_bytes_max(std::uint32_t chunk_count) {
  return 64 + (chunk_count / 65'536ULL + 1) * (8192 + 16);
}

bool parse_ordinals(const EncodedPositions& positions, std::uint32_t chunk_count, Bitmap& chunks) {
  if (positions.form != PositionsForm::roaring)
    return for_each_range(positions, chunk_count,
                          [&](std::uint32_t begin, std::uint32_t end) { chunks.add_range(begin, end); });
  auto parsed = Bitmap::parse(positions.bytes);
  if (!parsed || parsed->first_from(chunk_count)) return false;
  chunks = std::move(*parsed);
  return true;
}

}  // namespace

void SegmentMatch::unite(SegmentMatch other) {
  if (kind == Kind::all || other.kind == Kind::none) return;
  if (other.kind == Kind::all || kind == Kind::none) {
    *this = std::move(other);
    return;
  }
  chunks.unite(other.chunks);
}

base::Result<SegmentFilterReader> SegmentFilterReader::open(ReadAt read) {
  std::array<std::uint8_t, format::segment_header_bytes> bytes;
  if (!read(0, bytes)) return damaged("no whole header");
  base::ByteReader from(bytes);
  if (base::as_text(from.read_bytes(8)) != format::segment_magic) return damaged("not a segment filter");
  const auto version = from.read<std::uint32_t>();
  if (version != format::segment_version) return damaged(fmt::format("version {} is unknown", version));
  if (base::load_be<std::uint32_t>(bytes.data() + bytes.size() - 4) !=
      checksum(base::ByteView(bytes).first(bytes.size() - 4), format::header_seed))
    return damaged("header checksum differs");

  SegmentFilterReader reader(std::move(read));
  Header& header = reader.header_;
  header.chunk_count = from.read<std::uint32_t>();
  header.distinct_count = from.read<std::uint64_t>();
  header.bloom_blocks = from.read<std::uint32_t>();
  header.bloom_probes = from.read<std::uint32_t>();
  header.dictionary_blocks = from.read<std::uint32_t>();
  from.skip(4);
  header.unfiltered_position = from.read<std::uint64_t>();
  header.unknown_position = from.read<std::uint64_t>();
  header.bloom_position = from.read<std::uint64_t>();
  header.table_position = from.read<std::uint64_t>();
  header.dictionary_position = from.read<std::uint64_t>();
  header.file_bytes = from.read<std::uint64_t>();
  header.unfiltered_checksum = from.read<std::uint32_t>();
  const auto unknown_checksum = from.read<std::uint32_t>();
  if (header.chunk_count > format::segment_chunks_max || header.bloom_blocks == 0 ||
      header.bloom_probes == 0 || header.bloom_probes > bloom_probes_max)
    return damaged("header out of range");
  if (!reader.read_bitmap(header.unknown_position, header.bloom_position, unknown_checksum,
                          format::unknown_seed, reader.unknown_))
    return damaged("bitmap of unknown chunks");
  return reader;
}

bool SegmentFilterReader::read_bitmap(std::uint64_t begin, std::uint64_t end, std::uint32_t wanted_checksum,
                                      std::uint64_t seed, Bitmap& into) {
  if (begin > end || end - begin > bitmap_bytes_max(header_.chunk_count)) return false;
  base::ByteBuffer bytes(end - begin);
  if (!read_(begin, bytes) || checksum(bytes, seed) != wanted_checksum) return false;
  auto parsed = Bitmap::parse(bytes);
  if (!parsed || parsed->first_from(header_.chunk_count)) return false;
  into = std::move(*parsed);
  return true;
}

SegmentMatch SegmentFilterReader::unknown_chunks() const {
  if (unknown_.empty()) return {};
  return {SegmentMatch::Kind::some, unknown_};
}

SegmentMatch SegmentFilterReader::unfiltered_chunks() {
  SegmentMatch match{SegmentMatch::Kind::some, {}};
  if (!read_bitmap(header_.unfiltered_position, header_.unknown_position, header_.unfiltered_checksum,
                   format::unfiltered_seed, match.chunks))
    return {SegmentMatch::Kind::all, {}};
  match.unite(unknown_chunks());
  if (match.chunks.empty()) match.kind = SegmentMatch::Kind::none;
  return match;
}

bool SegmentFilterReader::bloom_may_contain(ValueHash hash) {
  const std::uint32_t block = format::bucket_of(hash, header_.bloom_blocks);
  std::array<std::uint8_t, format::bloom_block_bytes> bytes;
  if (!read_(header_.bloom_position + std::uint64_t{block} * bytes.size(), bytes)) return true;
  const base::ByteView bits = base::ByteView(bytes).first(format::bloom_block_bits_bytes);
  if (base::load_be<std::uint32_t>(bytes.data() + bits.size()) != checksum(bits, format::bloom_seed | block))
    return true;
  return test_probes(bits, hash, header_.bloom_probes);
}

SegmentMatch SegmentFilterReader::chunks_with(std::string_view value, ValueHash hash) {
  SegmentMatch all{SegmentMatch::Kind::all, {}};
  if (value.empty() || !bloom_may_contain(hash)) return unknown_chunks();
  if (header_.dictionary_blocks == 0) return all;
  base::ByteView rest;
  if (!read_block(format::bucket_of(hash, header_.dictionary_blocks), rest)) return all;
  while (!rest.empty()) {
    base::ByteView text;
    EncodedPositions positions;
    if (!read_sized(rest, text) || !read_positions(rest, positions)) return all;
    if (base::as_text(text) != value) continue;
    SegmentMatch match{SegmentMatch::Kind::some, {}};
    if (!parse_ordinals(positions, header_.chunk_count, match.chunks)) return all;
    match.unite(unknown_chunks());
    return match;
  }
  return unknown_chunks();
}

// Reads dictionary block `number` into block_; `values` is what it holds.
bool SegmentFilterReader::read_block(std::uint32_t number, base::ByteView& values) {
  std::array<std::uint8_t, 2 * format::table_entry_bytes> entry;
  if (!read_(header_.table_position + std::uint64_t{number} * format::table_entry_bytes, entry)) return false;
  const auto begin = base::load_be<std::uint64_t>(entry.data());
  const auto end = base::load_be<std::uint64_t>(entry.data() + 8);
  if (begin > end || end - begin < 4 || end - begin > format::dictionary_block_bytes_max ||
      end > header_.file_bytes)
    return false;
  block_.resize(end - begin);
  if (!read_(header_.dictionary_position + begin, block_)) return false;
  values = base::ByteView(block_).subspan(4);
  return base::load_be<std::uint32_t>(block_.data()) == checksum(values, format::dictionary_seed | number);
}

base::Result<> SegmentFilterReader::for_each_value(
    const std::function<void(std::string_view, const Bitmap&)>& f) {
  for (std::uint32_t number = 0; number < header_.dictionary_blocks; ++number) {
    base::ByteView rest;
    if (!read_block(number, rest)) return damaged(fmt::format("dictionary block {}", number));
    while (!rest.empty()) {
      base::ByteView text;
      EncodedPositions positions;
      Bitmap chunks;
      if (!read_sized(rest, text) || !read_positions(rest, positions) ||
          !parse_ordinals(positions, header_.chunk_count, chunks))
        return damaged(fmt::format("a value in dictionary block {}", number));
      f(base::as_text(text), chunks);
    }
  }
  return {};
}

}  // namespace sluice::filters
