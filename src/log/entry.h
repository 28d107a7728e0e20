// SPDX-License-Identifier: Apache-2.0
// One entry of a publish frame: a message, or a sub-batch with its validated header. Views into somebody
// else's bytes; the same struct from the session down to the log, so that nothing is converted per message.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace sluice::log {

struct Entry {
  std::uint64_t publishing_id = 0;
  std::string_view filter_value;  // empty: unfiltered
  base::ByteView body;            // message, or the (compressed) body of a sub-batch
  bool is_sub_batch = false;
  std::uint8_t compression = 0;  // the three fields below only for a sub-batch, already validated
  std::uint16_t records = 1;
  std::uint32_t uncompressed_bytes = 0;
};

}  // namespace sluice::log
