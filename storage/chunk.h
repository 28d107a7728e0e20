// SPDX-License-Identifier: Apache-2.0
// The chunk: the unit of writing, filtering, delivering and (later) replicating. On disk:
//
//   header (48 bytes) | data (data_bytes) | trailer (trailer_bytes)
//
// Header and data are byte for byte what a Deliver frame carries (stream protocol reference, section 8.2), so
// a chunk goes from the page cache to a socket untouched. The trailer is ours: a check over the header, the
// publisher sequences this chunk advances, and its filter record (trailer.h). FORMAT.md has an example.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "filters/chunk_filter.h"
#include "storage/trailer.h"

namespace sluice::storage {

inline constexpr std::size_t chunk_header_bytes = 48;

struct ChunkHeader {
  std::uint8_t type = 0;      // 0 user; nothing else is written
  std::uint16_t entries = 0;  // a sub-batch counts 1
  std::uint32_t records = 0;  // messages, sub-batches expanded
  std::int64_t timestamp_ms = 0;
  base::Epoch epoch;
  base::Offset chunk_id;
  std::uint32_t data_crc = 0;  // CRC-32 (IEEE) over the data
  std::uint32_t data_bytes = 0;
  std::uint32_t trailer_bytes = 0;

  std::uint64_t wire_bytes() const { return chunk_header_bytes + std::uint64_t{data_bytes}; }
  std::uint64_t stored_bytes() const { return wire_bytes() + trailer_bytes; }
  base::Offset next_offset() const { return chunk_id + records; }
};

void encode_chunk_header(const ChunkHeader& header, std::uint8_t* to);  // writes chunk_header_bytes
// malformed when magic, version or lengths are impossible.
base::Result<ChunkHeader> decode_chunk_header(base::ByteView bytes);

struct SubBatch {
  std::uint8_t compression = 0;
  std::uint16_t records = 0;
  std::uint32_t uncompressed_bytes = 0;
  base::ByteView body;
};

// Collects one chunk. Call order: add_*, set_sequence in any order, finish, use the result, clear. Reused: it
// keeps its buffers, so a busy log does not allocate per chunk. Owned by the log's shard.
class ChunkBuilder {
 public:
  ChunkBuilder(std::size_t chunk_bytes_max, std::uint8_t bloom_bytes);

  // True for an empty builder, whatever the size up to chunk_bytes_limit.
  bool has_room(std::size_t body_bytes) const;
  bool empty() const { return records_ == 0; }
  std::uint32_t records() const { return records_; }
  std::size_t data_bytes() const { return size_ - chunk_header_bytes; }

  // Only while has_room(). The body is copied once, straight to where the disk write takes it from.
  void add_message(base::ByteView body, std::string_view filter_value);
  void add_sub_batch(const SubBatch& batch, std::string_view filter_value);
  // The highest publishing id of this reference (1..255 bytes) in this chunk; the last call per reference
  // wins.
  void set_sequence(std::string_view reference, std::uint64_t publishing_id);

  struct Finished {
    ChunkHeader header;
    base::ByteView bytes;  // header | data | trailer, valid until clear()
  };
  Finished finish(base::Offset chunk_id, base::Epoch epoch, std::int64_t timestamp_ms);
  void clear();
  // clear(), and gives the memory back: for a log that has gone quiet.
  void release();

 private:
  void reserve(std::size_t more_bytes);
  void note_filter_value(std::string_view filter_value);
  void fill_filter_from_data();
  void append(base::ByteView bytes);
  void keep_last_sequences();
  std::uint32_t check_data();

  std::size_t chunk_bytes_max_;
  std::uint8_t bloom_bytes_;
  std::uint32_t records_ = 0;
  std::uint32_t entries_ = 0;
  std::unique_ptr<std::uint8_t[]> buffer_;  // header room | data | trailer
  std::size_t size_ = chunk_header_bytes, capacity_ = 0;
  filters::ChunkFilterBuilder filter_;
  bool filtering_ = false;  // some message had a filter value; until then filter_ is not fed
  SequenceList sequences_;
  std::vector<std::uint32_t> sample_checks_;
  base::ByteBuffer filter_record_, trailer_;
};

}  // namespace sluice::storage
