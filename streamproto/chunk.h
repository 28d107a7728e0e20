// SPDX-License-Identifier: Apache-2.0
// A chunk as Deliver carries it: a 48-byte header and the entries (reference, 8.2). The trailer and Bloom
// sizes stand in the header as stored, but neither is sent. The CRC-32 (IEEE) covers the data only; checking
// it is the reader's choice.
#pragma once

#include "streamproto/entries.h"
#include "streamproto/wire.h"

namespace sluice::streamproto {

inline constexpr std::size_t chunk_header_bytes = 48;
inline constexpr std::uint8_t chunk_magic = 0x50;

enum class ChunkType : std::uint8_t { user = 0, tracking_delta = 1, tracking_snapshot = 2 };

struct ChunkHeader {
  std::uint8_t magic = chunk_magic;
  ChunkType type = ChunkType::user;
  std::uint16_t entry_count = 0;   // a sub-batch is one
  std::uint32_t record_count = 0;  // messages, sub-batches expanded
  std::int64_t timestamp_ms = 0;
  std::uint64_t epoch = 0;
  std::uint64_t chunk_id = 0;  // offset of the first message
  std::uint32_t crc = 0;
  std::uint32_t data_bytes = 0;
  std::uint32_t trailer_bytes = 0;
  std::uint8_t bloom_bytes = 0;
  std::array<std::uint8_t, 3> reserved{};
  friend bool operator==(const ChunkHeader&, const ChunkHeader&) = default;
};

struct ChunkView {
  ChunkHeader header;
  base::ByteView data;
  Entries entries() const { return Entries(data); }
};

template <>
struct Codec<ChunkView> {
  static std::string type_name() { return "chunk"; }

  static ChunkView read(ByteReader& from, const WireContext&) {
    ChunkView chunk;
    ChunkHeader& header = chunk.header;
    header.magic = from.read<std::uint8_t>();
    header.type = static_cast<ChunkType>(from.read<std::uint8_t>());
    header.entry_count = from.read<std::uint16_t>();
    header.record_count = from.read<std::uint32_t>();
    header.timestamp_ms = from.read<std::int64_t>();
    header.epoch = from.read<std::uint64_t>();
    header.chunk_id = from.read<std::uint64_t>();
    header.crc = from.read<std::uint32_t>();
    header.data_bytes = from.read<std::uint32_t>();
    header.trailer_bytes = from.read<std::uint32_t>();
    header.bloom_bytes = from.read<std::uint8_t>();
    for (std::uint8_t& byte : header.reserved) byte = from.read<std::uint8_t>();
    chunk.data = from.read_bytes(header.data_bytes);
    return chunk;
  }

  static void write(ByteWriter& to, const ChunkView& chunk, const WireContext&) {
    const ChunkHeader& header = chunk.header;
    to.write(header.magic);
    to.write(static_cast<std::uint8_t>(header.type));
    to.write(header.entry_count);
    to.write(header.record_count);
    to.write(header.timestamp_ms);
    to.write(header.epoch);
    to.write(header.chunk_id);
    to.write(header.crc);
    to.write(header.data_bytes);
    to.write(header.trailer_bytes);
    to.write(header.bloom_bytes);
    to.write_bytes(header.reserved);
    to.write_bytes(chunk.data);
  }
};

}  // namespace sluice::streamproto
