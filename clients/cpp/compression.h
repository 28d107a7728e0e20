// SPDX-License-Identifier: Apache-2.0
// Sub-entry batches packed and unpacked: gzip, snappy (framing format), LZ4 (frame format), Zstandard, as all
// stream clients write them. One door to the four compression libraries. Decompression never yields more than
// it was told the batch holds, and that is bounded.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "streamproto/entries.h"

namespace sluice::client {

inline constexpr std::size_t uncompressed_bytes_max = 64 * 1024 * 1024;

base::Result<base::ByteBuffer> compress(streamproto::Compression compression, base::ByteView bytes);

// Fails unless exactly `uncompressed_bytes` come out.
base::Result<base::ByteBuffer> decompress(streamproto::Compression compression, base::ByteView bytes,
                                          std::size_t uncompressed_bytes);

// CRC-32 (IEEE) of a chunk's data section.
std::uint32_t crc32(base::ByteView bytes);

}  // namespace sluice::client
