// SPDX-License-Identifier: Apache-2.0
// SegmentInfo: what is known of a segment without opening its files. Immutable for sealed segments; part of
// the LogView that readers of other shards get.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace sluice::storage {

struct SegmentInfo {
  base::Offset first_offset;   // names the files
  base::Offset next_offset;    // one past its last message
  base::Offset last_chunk_id;  // meaningless while chunks == 0
  std::int64_t first_timestamp_ms = 0, last_timestamp_ms = 0;
  std::uint64_t log_bytes = 0;  // valid bytes of the .log file
  std::uint32_t chunks = 0;
  // Some message has one: sealed segments then have a .filter file once it is built.
  bool has_filter_values = false;
};

}  // namespace sluice::storage
