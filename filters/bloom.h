// SPDX-License-Identifier: Apache-2.0
// Bloom filters over filter values: "this value was not added" is certain, "it was" is a maybe.
//
// Two shapes share one hash. BloomWriter/BloomView is the filter of one chunk: 16..255 bytes, chosen by the
// stream; byte 0 holds the flag "an unfiltered message is present" and the number of probes, the other bytes
// are bits. Bits of a segment's filter lie in blocks (segment_filter.h) and use set_probes/test_probes alone.
// Pure; called by the builders on the writing shard and by plans on the reading one. Format: README.md.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace sluice::filters {

inline constexpr std::size_t bloom_bytes_min = 16;
inline constexpr std::size_t bloom_bytes_max = 255;
inline constexpr unsigned bloom_probes_max = 8;

// XXH3-64 of the value, seed 0. Part of the disk formats.
using ValueHash = std::uint64_t;
ValueHash hash_value(std::string_view value);

// The number of probes (1..8) with the fewest wrong maybes for `values` distinct values in `bits` bits.
unsigned best_probes(std::size_t bits, std::size_t values);

// Sets or tests `probes` bits of `bits`, which has at least one byte.
void set_probes(base::MutableBytes bits, ValueHash hash, unsigned probes);
bool test_probes(base::ByteView bits, ValueHash hash, unsigned probes);

// Fills `bytes` (bloom_bytes_min..max of them, owned by the caller, zeroed by the constructor).
class BloomWriter {
 public:
  BloomWriter(base::MutableBytes bytes, std::size_t expected_values);
  void add(std::string_view value) { add(hash_value(value)); }
  void add(ValueHash hash);
  void set_unfiltered();

 private:
  base::MutableBytes bytes_;
  unsigned probes_;
};

// Reads what BloomWriter wrote. Any bytes are accepted: too short or with an impossible header they answer
// maybe to everything.
class BloomView {
 public:
  BloomView() = default;
  explicit BloomView(base::ByteView bytes);
  bool may_contain(std::string_view value) const { return may_contain(hash_value(value)); }
  bool may_contain(ValueHash hash) const;
  bool may_have_unfiltered() const;

 private:
  base::ByteView bits_;
  unsigned probes_ = 0;  // 0: answers maybe
  bool unfiltered_ = true;
};

}  // namespace sluice::filters
