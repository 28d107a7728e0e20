// SPDX-License-Identifier: Apache-2.0
// Constants of the chunk filter record, shared by its writing and its reading half. Format: README.md.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::filters::format {

inline constexpr std::uint8_t chunk_version = 1;
inline constexpr std::uint8_t chunk_flag_dictionary = 1;
inline constexpr std::uint8_t chunk_flag_records = 2;
inline constexpr std::uint8_t chunk_flag_checks = 4;
inline constexpr std::uint32_t chunk_entries_max = 65'535;
// entry u16, position u32, with flags record u32 and check u32
constexpr std::size_t sample_bytes(bool records, bool checks) {
  return 6U + (records ? 4U : 0U) + (checks ? 4U : 0U);
}

// The dictionary's index has one entry (top half of the hash, position) per so many values, and none at all
// when a single group would hold them.
inline constexpr std::size_t index_every = 16;
inline constexpr std::size_t index_entry_bytes = 8;
constexpr std::size_t index_groups(std::size_t values) {
  return values <= index_every ? 0 : (values + index_every - 1) / index_every;
}

}  // namespace sluice::filters::format
