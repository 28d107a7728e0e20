// SPDX-License-Identifier: Apache-2.0
// The trailer of a chunk: what belongs to it but must not reach clients. Written by ChunkBuilder (and again
// by the segment writer when it adds a snapshot of the publisher sequences), read by recovery, readers and
// tools/inspect.
//
//    0  4  header check     CRC-32 over the 48 header bytes
//    4  1  version          1
//    5  1  flags            bit 0: the sequences are a snapshot of all of the log's, least recently used
//    first 6  2  sequence count 8  4  filter record bytes
//   12  4  trailer check    CRC-32 over bytes 0-11 and 16-end of the trailer
//   16  .  sequences        reference length u8 | reference | publishing id u64
//    .  .  filter record    filters/chunk_filter.h; empty: no message has a filter value
//
// The header check comes first, so a reader that has just the header and the first bytes behind the data can
// trust the header's lengths.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace sluice::storage {

inline constexpr std::size_t header_check_bytes = 4;
inline constexpr std::size_t trailer_fixed_bytes = 16;
inline constexpr std::uint8_t trailer_version = 1;
inline constexpr std::size_t reference_bytes_max = 255;
// Far above what a chunk can need: 65,535 references, a filter record. Bounds what a scan reads into memory.
inline constexpr std::size_t trailer_bytes_limit = 64 << 20;

using SequenceList = std::vector<std::pair<std::string, std::uint64_t>>;

inline std::unexpected<base::Error> corrupt(std::string text) {
  return base::fail(base::Errc::corrupt, std::move(text));
}

// `trailer` needs only its first header_check_bytes here.
bool header_check_holds(base::ByteView header, base::ByteView trailer);

class TrailerView {
 public:
  // Checks both checksums and every length. `trailer` must outlive the view.
  static base::Result<TrailerView> parse(base::ByteView header, base::ByteView trailer);

  bool is_snapshot() const { return snapshot_; }
  std::uint16_t sequence_count() const { return sequence_count_; }
  base::ByteView filter_record() const { return filter_record_; }

  // f(std::string_view reference, std::uint64_t publishing_id), in the order stored.
  template <class F>
  void for_each_sequence(F&& f) const {
    base::ByteReader in(sequences_);
    while (!in.at_end()) {
      const auto reference = base::as_text(in.read_bytes(in.read<std::uint8_t>()));
      f(reference, in.read<std::uint64_t>());
    }
  }

 private:
  bool snapshot_ = false;
  std::uint16_t sequence_count_ = 0;
  base::ByteView sequences_;
  base::ByteView filter_record_;
};

// Builds a trailer in `out` (replaced). The two checks are filled in by seal_trailer, once the header, which
// holds the trailer's size, is final.
void build_trailer(const SequenceList& sequences, bool snapshot, base::ByteView filter_record,
                   base::ByteBuffer& out);
void seal_trailer(base::ByteView header, base::MutableBytes trailer);

}  // namespace sluice::storage
