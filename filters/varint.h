// SPDX-License-Identifier: Apache-2.0
// Unsigned LEB128 numbers of at most 32 bits, as the filter record and the segment dictionary hold them.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace sluice::filters {

inline void write_varint(base::ByteBuffer& out, std::uint32_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(value));
}

inline std::size_t varint_bytes(std::uint32_t value) {
  return value < 1U << 7 ? 1 : value < 1U << 14 ? 2 : value < 1U << 21 ? 3 : value < 1U << 28 ? 4 : 5;
}

// Moves `bytes` behind the number. False: cut short, or more than 32 bits.
inline bool read_varint(base::ByteView& bytes, std::uint32_t& value) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 5; ++i) {
    sum |= static_cast<std::uint64_t>(bytes[i] & 0x7F) << (7 * i);
    if ((bytes[i] & 0x80) != 0) continue;
    if (sum > UINT32_MAX) return false;
    value = static_cast<std::uint32_t>(sum);
    bytes = bytes.subspan(i + 1);
    return true;
  }
  return false;
}

// A number followed by as many bytes.
inline bool read_sized(base::ByteView& bytes, base::ByteView& part) {
  std::uint32_t size = 0;
  if (!read_varint(bytes, size) || size > bytes.size()) return false;
  part = bytes.first(size);
  bytes = bytes.subspan(size);
  return true;
}

}  // namespace sluice::filters
