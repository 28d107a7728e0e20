// SPDX-License-Identifier: Apache-2.0
// The checksum of every part of a filter record or file: the low 32 bits of XXH3-64 with a seed that names
// the part, so that a right part in a wrong place does not pass.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace sluice::filters {

std::uint32_t checksum(base::ByteView bytes, std::uint64_t seed);

}  // namespace sluice::filters
