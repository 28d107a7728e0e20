// SPDX-License-Identifier: Apache-2.0
// CRC-32 (IEEE 802.3, as zlib and Ethernet compute it): what the stream protocol asks over a chunk's data and
// what our own files use over everything else. The one door to ISA-L, which runs at tens of bytes per
// nanosecond on large inputs.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace sluice::storage {

// crc32(b, crc32(a)) is the CRC of a followed by b; crc32 of nothing is 0.
std::uint32_t crc32(base::ByteView bytes, std::uint32_t crc_before = 0);
// CRC-32C (Castagnoli), which the snappy framing format uses.
std::uint32_t crc32c(base::ByteView bytes);

}  // namespace sluice::storage
