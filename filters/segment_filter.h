// SPDX-License-Identifier: Apache-2.0
// The `.filter` file of a sealed segment: which of its chunks hold which filter value.
//
// SegmentFilterBuilder is fed every chunk of the segment in order (a chunk's ordinal is its place in the
// segment, from 0) and gives the bytes of the file; it runs in the background and its memory is bounded.
// SegmentFilterReader answers from the file through a ReadAt and reads only what it needs: the header once,
// then per value one Bloom block (64 bytes) and, if that says maybe, one dictionary block (about 4 KiB).
// Every part has its own checksum; a damaged part answers "maybe". Format: README.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "filters/bitmap.h"
#include "filters/chunk_filter.h"

namespace sluice::filters {

struct SegmentFilterLimits {
  std::size_t distinct_values_max = 1 << 20;  // above: Bloom only
  std::size_t memory_bytes_max = 64 << 20;    // of the builder's dictionary; above: Bloom only
};

class SegmentFilterBuilder {
 public:
  explicit SegmentFilterBuilder(SegmentFilterLimits limits = {});
  ~SegmentFilterBuilder();
  SegmentFilterBuilder(SegmentFilterBuilder&&) noexcept;
  SegmentFilterBuilder& operator=(SegmentFilterBuilder&&) noexcept;

  // Exactly one of these per chunk, in order; the first call is chunk 0.
  void add_chunk(const ChunkFilterView& filter);
  void add_unfiltered_chunk();  // no filter record: every entry is unfiltered
  void add_unknown_chunk();     // damaged record: may hold anything

  std::uint32_t chunk_count() const;
  bool has_values() const;  // false: all chunks unfiltered, the file is a header and a bitmap
  // Appends the file. The builder is used up.
  void finish(base::ByteBuffer& out);

 private:
  class BlockedBloom;
  struct State;
  std::unique_ptr<State> state_;
};

// Which chunks of the segment may hold what was asked for.
struct SegmentMatch {
  enum class Kind : std::uint8_t { none, some, all };
  Kind kind = Kind::none;
  Bitmap chunks;  // ordinals when kind == some

  void unite(SegmentMatch other);
};

// Reads into.size() bytes of the file at `position`; false when they are not all there.
using ReadAt = std::function<bool(std::uint64_t position, base::MutableBytes into)>;

class SegmentFilterReader {
 public:
  struct Header {
    std::uint32_t chunk_count = 0;
    std::uint32_t bloom_blocks = 0;
    std::uint32_t bloom_probes = 0;
    std::uint32_t dictionary_blocks = 0;    // 0: no dictionary
    std::uint64_t distinct_count = 0;       // a lower bound when over the limit
    std::uint64_t unfiltered_position = 0;  // parts follow each other: the next one's position ends a part
    std::uint64_t unknown_position = 0;
    std::uint64_t bloom_position = 0;
    std::uint64_t table_position = 0;
    std::uint64_t dictionary_position = 0;
    std::uint64_t file_bytes = 0;
    std::uint32_t unfiltered_checksum = 0;
  };

  // Reads and checks the header and the bitmaps of unknown chunks; keeps `read` for later questions.
  // An error means: take the segment as "all".
  static base::Result<SegmentFilterReader> open(ReadAt read);

  const Header& header() const { return header_; }
  SegmentMatch chunks_with(std::string_view value) { return chunks_with(value, hash_value(value)); }
  SegmentMatch chunks_with(std::string_view value, ValueHash hash);
  SegmentMatch unfiltered_chunks();
  SegmentMatch unknown_chunks() const;  // those that may hold anything; part of every answer above

  // For inspection: every value with its chunks, block by block. An error names the damaged part.
  base::Result<> for_each_value(const std::function<void(std::string_view, const Bitmap&)>& f);

 private:
  explicit SegmentFilterReader(ReadAt read) : read_(std::move(read)) {}
  bool read_bitmap(std::uint64_t begin, std::uint64_t end, std::uint32_t checksum, std::uint64_t seed,
                   Bitmap& into);
  bool bloom_may_contain(ValueHash hash);
  bool read_block(std::uint32_t number, base::ByteView& values);

  ReadAt read_;
  Header header_;
  Bitmap unknown_;
  base::ByteBuffer block_;  // the last dictionary block read, reused
};

}  // namespace sluice::filters
