// SPDX-License-Identifier: Apache-2.0
#include "filters/bloom.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "filters/checksum.h"

namespace sluice::filters {
namespace {

constexpr std::uint8_t unfiltered_flag = 0x80;
constexpr std::uint8_t probes_mask = 0x0F;

// Double hashing: the i-th probe is a + i * b, each mapped to [0, bits) by multiplication. Both halves are
// mixed from the whole hash, since the caller may have used its top bits to pick a block.
struct Probes {
  std::uint32_t a, b;
  explicit Probes(ValueHash hash) {
    const std::uint64_t mixed = (hash ^ hash >> 31) * 0x9E3779B97F4A7C15ULL;
    a = static_cast<std::uint32_t>(mixed);
    b = static_cast<std::uint32_t>(mixed >> 32) | 1;
  }
  std::size_t next(std::uint64_t bits) {
    const std::uint64_t bit = (static_cast<std::uint64_t>(a) * bits) >> 32;
    a += b;
    return static_cast<std::size_t>(bit);
  }
};

}  // namespace

ValueHash hash_value(std::string_view value) {
  return XXH3_64bits(value.data(), value.size());
}

std::uint32_t checksum(base::ByteView bytes, std::uint64_t seed) {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed));
}

unsigned best_probes(std::size_t bits, std::size_t values) {
  const double best =
      0.6931 * static_cast<double>(bits) / static_cast<double>(std::max<std::size_t>(values, 1));
  return static_cast<unsigned>(std::clamp(std::lround(std::min(best, 100.0)), 1L, long{bloom_probes_max}));
}

void set_probes(base::MutableBytes bits, ValueHash hash, unsigned probes) {
  Probes at(hash);
  for (unsigned i = 0; i < probes; ++i) {
    const std::size_t bit = at.next(bits.size() * 8);
    bits[bit / 8] = static_cast<std::uint8_t>(bits[bit / 8] | 1U << bit % 8);
  }
}

bool test_probes(base::ByteView bits, ValueHash hash, unsigned probes) {
  Probes at(hash);
  for (unsigned i = 0; i < probes; ++i) {
    const std::size_t bit = at.next(bits.size() * 8);
    if ((bits[bit / 8] >> bit % 8 & 1) == 0) return false;
  }
  return true;
}

BloomWriter::BloomWriter(base::MutableBytes bytes, std::size_t expected_values) : bytes_(bytes) {
  INVARIANT(bytes.size() >= bloom_bytes_min && bytes.size() <= bloom_bytes_max, "{} bytes", bytes.size());
  probes_ = best_probes((bytes.size() - 1) * 8, expected_values);
  std::ranges::fill(bytes_, std::uint8_t{0});
  bytes_[0] = static_cast<std::uint8_t>(probes_);
}

void BloomWriter::add(ValueHash hash) {
  set_probes(bytes_.subspan(1), hash, probes_);
}

void BloomWriter::set_unfiltered() {
  bytes_[0] = static_cast<std::uint8_t>(bytes_[0] | unfiltered_flag);
}

BloomView::BloomView(base::ByteView bytes) {
  if (bytes.size() < bloom_bytes_min) return;
  const unsigned probes = bytes[0] & probes_mask;
  if (probes == 0 || probes > bloom_probes_max || (bytes[0] & ~(unfiltered_flag | probes_mask)) != 0) return;
  bits_ = bytes.subspan(1);
  probes_ = probes;
  unfiltered_ = (bytes[0] & unfiltered_flag) != 0;
}

bool BloomView::may_contain(ValueHash hash) const {
  return probes_ == 0 || test_probes(bits_, hash, probes_);
}

bool BloomView::may_have_unfiltered() const {
  return unfiltered_;
}

}  // namespace sluice::filters
