// SPDX-License-Identifier: Apache-2.0
// ISA-L's reflected gzip CRC inverts before and after as zlib does, so a running value can be passed on.
#include "storage/crc32.h"

#include <isa-l/crc.h>

namespace sluice::storage {

std::uint32_t crc32(base::ByteView bytes, std::uint32_t crc_before) {
  if (bytes.empty()) return crc_before;
  return crc32_gzip_refl(crc_before, bytes.data(), bytes.size());
}

std::uint32_t crc32c(base::ByteView bytes) {
  constexpr unsigned inverted = 0xffffffffu;
  // The library takes a pointer to non-const and a signed length; it writes nothing. Sub-batches are far
  // smaller.
  return ~crc32_iscsi(const_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), inverted);
}

}  // namespace sluice::storage
