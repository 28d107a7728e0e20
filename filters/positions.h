// SPDX-License-Identifier: Apache-2.0
// Sorted sets of small numbers as bytes, in the smallest of a few forms: entries of a chunk, and the chunks
// of a rare value in a segment. A set is written as varint(bytes << 2 | form) and the bytes:
//
//   form 0  first, then each gap - 1, as varints
//   form 1  runs: gap before the run (the later ones - 1), length - 1, as varints
//   form 2  varint first, then bits from `first` on, lowest bit of a byte first; the last byte is not zero
//   form 3  a portable Roaring bitmap (segment dictionary only; bitmap.h)
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "filters/varint.h"

namespace sluice::filters {

enum class PositionsForm : std::uint8_t { deltas, runs, bits, roaring };

struct EncodedPositions {
  PositionsForm form = PositionsForm::deltas;
  base::ByteView bytes;
};

// Appends the set; `positions` ascend strictly. Empty is allowed.
void write_positions(base::ByteBuffer& out, std::span<const std::uint32_t> positions);
// Appends a set whose bytes exist already.
void write_positions(base::ByteBuffer& out, PositionsForm form, base::ByteView bytes);

// Moves `bytes` behind the set, without looking into it. False: cut short.
bool read_positions(base::ByteView& bytes, EncodedPositions& positions);

// Calls f(begin, end) for ranges of members in ascending order, all below `limit`. False: damaged; some
// ranges may have been handed out. Not for form roaring.
template <class F>
bool for_each_range(const EncodedPositions& positions, std::uint32_t limit, F&& f) {
  base::ByteView rest = positions.bytes;
  std::uint64_t at = 0;
  switch (positions.form) {
    case PositionsForm::deltas:
      for (std::uint32_t gap = 0; !rest.empty(); ++at) {
        if (!read_varint(rest, gap)) return false;
        at += gap;
        if (at >= limit) return false;
        f(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + 1));
      }
      return true;
    case PositionsForm::runs:
      for (bool first = true; !rest.empty(); first = false) {
        std::uint32_t gap = 0;
        std::uint32_t length = 0;
        if (!read_varint(rest, gap) || !read_varint(rest, length)) return false;
        at += gap + (first ? 0ULL : 1ULL);
        const std::uint64_t end = at + length + 1;
        if (end > limit) return false;
        f(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end));
        at = end;
      }
      return true;
    case PositionsForm::bits: {
      std::uint32_t first = 0;
      if (!read_varint(rest, first)) return false;
      for (std::size_t i = 0; i < rest.size(); ++i) {
        for (unsigned bit = 0; bit < 8; ++bit) {
          if ((rest[i] >> bit & 1) == 0) continue;
          const std::uint64_t member = first + 8ULL * i + bit;
          if (member >= limit) return false;
          f(static_cast<std::uint32_t>(member), static_cast<std::uint32_t>(member + 1));
        }
      }
      return true;
    }
    case PositionsForm::roaring:
      return false;
  }
  return false;
}

}  // namespace sluice::filters
