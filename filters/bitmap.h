// SPDX-License-Identifier: Apache-2.0
// Compressed set of 32-bit ordinals (chunks of a segment): the one door to CRoaring.
//
// serialize() writes the portable Roaring format; parse() accepts only bytes that are whole and well formed
// (the library itself trusts the contents of containers, so this door checks them first). Not shared between
// threads.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

struct roaring_bitmap_s;

namespace sluice::filters {

class Bitmap {
 public:
  Bitmap();
  ~Bitmap();
  Bitmap(const Bitmap& other);
  Bitmap(Bitmap&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
  Bitmap& operator=(Bitmap other) noexcept {
    std::swap(set_, other.set_);
    return *this;
  }

  void add(std::uint32_t ordinal);
  void add_range(std::uint32_t begin, std::uint32_t end);  // end excluded
  void add_many(std::span<const std::uint32_t> ordinals);  // any order, sorted is faster
  bool contains(std::uint32_t ordinal) const;
  std::uint64_t count() const;
  bool empty() const;
  void unite(const Bitmap& other);
  void intersect(const Bitmap& other);
  friend bool operator==(const Bitmap& a, const Bitmap& b);

  // The first member >= at. Walk a set with first_from(last + 1); O(log n) each.
  std::optional<std::uint32_t> first_from(std::uint32_t at) const;
  std::vector<std::uint32_t> to_vector() const;

  // Appends the portable form, run-length encoded where that is smaller.
  void serialize(base::ByteBuffer& out);
  // Errc::corrupt unless all of `bytes` is one well-formed bitmap.
  static base::Result<Bitmap> parse(base::ByteView bytes);

 private:
  explicit Bitmap(roaring_bitmap_s* set) : set_(set) {}
  roaring_bitmap_s* set_;  // null only when moved from
};

}  // namespace sluice::filters
