// SPDX-License-Identifier: Apache-2.0
#include "streamproto/hash_routing.h"

#include <bit>

namespace sluice::streamproto {
namespace {

constexpr std::uint32_t scramble(std::uint32_t word) {
  return std::rotl(word * 0xCC9E2D51U, 15) * 0x1B873593U;
}

std::uint32_t little_endian_word(const std::uint8_t* from, std::size_t size) {
  std::uint32_t word = 0;
  for (std::size_t i = size; i > 0; --i) word = (word << 8) | from[i - 1];
  return word;
}

}  // namespace

std::uint32_t murmur3_x86_32(base::ByteView bytes, std::uint32_t seed) {
  std::uint32_t hash = seed;
  std::size_t at = 0;
  for (; bytes.size() - at >= 4; at += 4) {
    hash ^= scramble(little_endian_word(bytes.data() + at, 4));
    hash = std::rotl(hash, 13) * 5 + 0xE6546B64U;
  }
  hash ^= scramble(little_endian_word(bytes.data() + at, bytes.size() - at));
  hash ^= static_cast<std::uint32_t>(bytes.size());
  hash = (hash ^ (hash >> 16)) * 0x85EBCA6BU;
  hash = (hash ^ (hash >> 13)) * 0xC2B2AE35U;
  return hash ^ (hash >> 16);
}

}  // namespace sluice::streamproto
