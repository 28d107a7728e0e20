// SPDX-License-Identifier: Apache-2.0
// Constants of the `.filter` file, shared by its builder and its reader. Format: README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/bloom.h"

namespace sluice::filters::format {

inline constexpr std::string_view segment_magic = "SLFILTER";
inline constexpr std::uint32_t segment_version = 1;
inline constexpr std::size_t segment_header_bytes = 128;
inline constexpr std::uint32_t segment_chunks_max = 1U << 26;

// A Bloom block is one cache line: 60 bytes of bits and their checksum.
inline constexpr std::size_t bloom_block_bytes = 64;
inline constexpr std::size_t bloom_block_bits_bytes = 60;
inline constexpr std::size_t bloom_bits_per_value = 12;  // in blocks: about 0.8 % wrong maybes

inline constexpr std::size_t dictionary_block_bytes = 4096;  // aimed at; a block holds whole buckets
inline constexpr std::size_t dictionary_block_bytes_max = 16 << 20;
inline constexpr std::size_t table_entry_bytes = 8;

// Seeds of the checksums: a kind in the top half, a block's number below.
inline constexpr std::uint64_t header_seed = 1ULL << 32;
inline constexpr std::uint64_t unfiltered_seed = 2ULL << 32;
inline constexpr std::uint64_t unknown_seed = 3ULL << 32;
inline constexpr std::uint64_t bloom_seed = 4ULL << 32;
inline constexpr std::uint64_t dictionary_seed = 5ULL << 32;

// Maps a hash to one of `buckets` so that buckets ascend with hashes.
inline std::uint32_t bucket_of(ValueHash hash, std::uint32_t buckets) {
  return static_cast<std::uint32_t>((hash >> 32) * buckets >> 32);
}

}  // namespace sluice::filters::format
