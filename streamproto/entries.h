// SPDX-License-Identifier: Apache-2.0
// Entries: what a chunk is a sequence of and what Publish carries. An entry is one message or a sub-batch of
// messages that the publisher packed (and perhaps compressed) together; it lies in a chunk exactly as it came
// in.
//
//   simple    : 0:1 Size:31 | Data
//   sub-batch : 1:1 Compression:3 Reserved:4 | Records:uint16 | UncompressedSize:uint32 | Size:uint32 | Data
//               Data, uncompressed, is Records simple entries
//
// The hot loops of both ends: nothing here allocates, copies or throws. Iterate with next() until it is
// false, then ask ok(): false means the bytes did not parse.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace sluice::streamproto {

enum class Compression : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4, user = 7 };

inline constexpr std::size_t simple_header_bytes = 4;
inline constexpr std::size_t sub_batch_header_bytes = 11;
inline constexpr std::uint32_t sub_batch_bit = 0x80000000;

struct EntryView {
  base::ByteView bytes;  // whole, with its header: what a chunk stores
  base::ByteView data;   // the message, or the packed messages of a sub-batch
  bool is_sub_batch = false;
  // Of a sub-batch only:
  Compression compression = Compression::none;  // may be none of the enumerators
  std::uint16_t record_count = 1;               // 1 for a simple entry
  std::uint32_t uncompressed_bytes = 0;
};

struct SubBatchLimits {
  std::uint32_t uncompressed_bytes_max = 67108864;
};

// What RabbitMQ checks since 4.3.5 (reference, 7.2). True for a simple entry.
inline bool is_valid(const EntryView& entry, const SubBatchLimits& limits) {
  if (!entry.is_sub_batch) return true;
  return entry.uncompressed_bytes <= limits.uncompressed_bytes_max && entry.record_count >= 1 &&
         std::uint64_t{entry.record_count} * simple_header_bytes <= entry.uncompressed_bytes &&
         entry.compression <= Compression::zstd &&
         (entry.compression == Compression::none || !entry.data.empty());
}

// The entry at the begin of `from`; false when it is cut short. Reserved bits are not looked at.
inline bool read_entry(base::ByteView from, EntryView& entry) {
  if (from.size() < simple_header_bytes) return false;
  const auto word = base::load_be<std::uint32_t>(from.data());
  if ((word & sub_batch_bit) == 0) {
    if (from.size() - simple_header_bytes < word) return false;
    entry.bytes = from.first(simple_header_bytes + word);
    entry.data = from.subspan(simple_header_bytes, word);
    entry.is_sub_batch = false;
    entry.compression = Compression::none;
    entry.record_count = 1;
    entry.uncompressed_bytes = 0;
    return true;
  }
  if (from.size() < sub_batch_header_bytes) return false;
  const auto size = base::load_be<std::uint32_t>(from.data() + 7);
  if (from.size() - sub_batch_header_bytes < size) return false;
  entry.bytes = from.first(sub_batch_header_bytes + size);
  entry.data = from.subspan(sub_batch_header_bytes, size);
  entry.is_sub_batch = true;
  entry.compression = static_cast<Compression>((from[0] >> 4) & 7);
  entry.record_count = base::load_be<std::uint16_t>(from.data() + 1);
  entry.uncompressed_bytes = base::load_be<std::uint32_t>(from.data() + 3);
  return true;
}

// The entries of a chunk's data section, or the messages in the uncompressed data of a sub-batch.
class Entries {
 public:
  Entries() = default;
  explicit Entries(base::ByteView data) : rest_(data) {}

  bool next(EntryView& entry) {
    if (rest_.empty()) return false;
    if (!read_entry(rest_, entry)) {
      ok_ = false;
      rest_ = {};
      return false;
    }
    rest_ = rest_.subspan(entry.bytes.size());
    return true;
  }
  bool ok() const { return ok_; }

 private:
  base::ByteView rest_;
  bool ok_ = true;
};

inline void write_simple_entry(base::ByteView data, base::ByteBuffer& to) {
  base::ByteWriter writer(to);
  writer.write(static_cast<std::uint32_t>(data.size()));
  writer.write_bytes(data);
}

inline void write_sub_batch(Compression compression, std::uint16_t record_count,
                            std::uint32_t uncompressed_bytes, base::ByteView data, base::ByteBuffer& to) {
  base::ByteWriter writer(to);
  writer.write(static_cast<std::uint8_t>(0x80 | (static_cast<unsigned>(compression) << 4)));
  writer.write(record_count);
  writer.write(uncompressed_bytes);
  writer.write(static_cast<std::uint32_t>(data.size()));
  writer.write_bytes(data);
}

}  // namespace sluice::streamproto
