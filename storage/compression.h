// SPDX-License-Identifier: Apache-2.0
// The one door to the compression libraries: unpacks the body of a sub-batch, which publishers compressed and
// the broker otherwise passes on as it is. Called by views that look into messages (filters), on the view's
// shard. Bodies are hostile: output is bounded by what the batch declares, memory grows with what really
// comes out.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace sluice::storage {

// Codes of the stream protocol, section 7.2.
enum class Compression : std::uint8_t {
  none = 0,
  gzip = 1,
  snappy = 2,  // framing format, not a raw block
  lz4 = 3,     // frame format
  zstd = 4,
};

inline constexpr std::size_t uncompressed_bytes_max = 64 << 20;

// The unpacked body, exactly `uncompressed_bytes` long: a view of `body` itself when it is not compressed,
// else of `into`, which is overwritten. too_large above uncompressed_bytes_max; precondition_failed for a
// code nobody knows; malformed for everything else.
base::Result<base::ByteView> uncompress(std::uint8_t compression, base::ByteView body,
                                        std::uint32_t uncompressed_bytes, base::ByteBuffer& into);

}  // namespace sluice::storage
