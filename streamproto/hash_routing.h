// SPDX-License-Identifier: Apache-2.0
// Which partition of a superstream a routing key belongs to, as the Java, Go, .NET and Rust clients compute
// it: MurmurHash3 x86 32-bit with seed 104729 over the UTF-8 bytes, modulo the partition count, an index into
// the list of the Partitions answer. Used by our client and by the demo; the broker never hashes.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace sluice::streamproto {

inline constexpr std::uint32_t routing_seed = 104729;

std::uint32_t murmur3_x86_32(base::ByteView bytes, std::uint32_t seed);

// `partition_count` must not be 0.
inline std::uint32_t partition_of(std::string_view routing_key, std::uint32_t partition_count) {
  return murmur3_x86_32(base::as_bytes(routing_key), routing_seed) % partition_count;
}

}  // namespace sluice::streamproto
