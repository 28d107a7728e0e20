// SPDX-License-Identifier: Apache-2.0
// Damage to the files of a MemoryDisk that a fuzzer's input describes: the fuzzers of recovery begin with
// good files and edit them.
#pragma once

#include <algorithm>

#include "base/bytes.h"
#include "support/memory_disk.h"

namespace sluice::test {

inline void copy_files(const MemoryDisk& from, MemoryDisk& to) {
  for (const auto& path : from.paths()) to.set_bytes(path, from.bytes(path));
}

// Five bytes an edit: file, position (16 bits), what, value.
inline void edit_file(MemoryDisk& disk, base::ByteReader& in) {
  const auto paths = disk.paths();
  if (paths.empty()) return;
  const auto& path = paths[in.read<std::uint8_t>() % paths.size()];
  auto bytes = disk.bytes(path);
  const std::size_t at = in.read<std::uint16_t>() % (bytes.size() + 1);
  const auto what = in.read<std::uint8_t>();
  const auto value = in.read<std::uint8_t>();
  switch (what % 6) {
    case 0:
      if (at < bytes.size()) bytes[at] = value;
      break;
    case 1:
      bytes.resize(at);
      break;
    case 2:
      bytes.insert(bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end());
      break;
    case 3:
      bytes.resize(bytes.size() + value);
      break;
    case 4:
      disk.remove(path).value();
      return;
    default:
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), std::uint8_t{0});
      break;
  }
  disk.set_bytes(path, bytes);
}

// At most eight.
inline void edit_files(MemoryDisk& disk, base::ByteReader& in) {
  for (int edits = 0; edits < 8 && in.remaining() >= 5; ++edits) edit_file(disk, in);
}

}  // namespace sluice::test
