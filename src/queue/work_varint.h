// SPDX-License-Identifier: Apache-2.0
// Unsigned LEB128 numbers of 64 bits, as the events and checkpoints of work queues hold them.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace sluice::queue {

inline void write_varint(base::ByteBuffer& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(value));
}

// Fails the reader when the number is cut short, longer than 64 bits or longer than it has to be.
inline std::uint64_t read_varint(base::ByteReader& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = from.read<std::uint8_t>();
    const std::uint64_t part = byte & 0x7FU;
    if (shift == 63 && part > 1) break;
    value |= part << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) break;
      return value;
    }
  }
  from.set_failed();
  return 0;
}

}  // namespace sluice::queue
