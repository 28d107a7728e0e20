// SPDX-License-Identifier: Apache-2.0
#include "filters/bitmap.h"

#include <roaring/roaring.h>

#include <bit>
#include <cstring>
#include <new>

namespace sluice::filters {
namespace {

roaring_bitmap_t* checked(roaring_bitmap_t* set) {
  if (set == nullptr) throw std::bad_alloc();
  return set;
}

// The portable format, https://github.com/RoaringBitmap/RoaringFormatSpec. Little-endian throughout.
constexpr std::uint32_t cookie_without_runs = 12346;
constexpr std::uint32_t cookie_with_runs = 12347;
constexpr std::uint32_t no_offsets_below = 4;  // containers, in the form with runs
constexpr std::uint32_t array_max = 4096;
constexpr std::size_t bits_bytes = 8192;

class LittleReader {
 public:
  explicit LittleReader(base::ByteView bytes) : bytes_(bytes) {}
  std::uint32_t u16() { return number(2); }
  std::uint32_t u32() { return number(4); }
  base::ByteView bytes(std::size_t size) {
    if (size > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const base::ByteView part = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return part;
  }
  bool ok() const { return ok_; }
  std::size_t remaining() const { return bytes_.size(); }

 private:
  std::uint32_t number(std::size_t size) {
    const base::ByteView part = bytes(size);
    std::uint32_t value = 0;
    for (std::size_t i = part.size(); i-- > 0;) value = value << 8 | part[i];
    return value;
  }
  base::ByteView bytes_;
  bool ok_ = true;
};

bool array_is_sound(LittleReader& from, std::uint32_t count) {
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t member = from.u16();
    if (!from.ok() || (i > 0 && member <= last)) return false;
    last = member;
  }
  return true;
}

bool bits_are_sound(LittleReader& from, std::uint32_t count) {
  const base::ByteView words = from.bytes(bits_bytes);
  std::uint32_t members = 0;
  for (std::size_t at = 0; at < words.size(); at += 8) {
    std::uint64_t word;
    std::memcpy(&word, words.data() + at, sizeof word);
    members += static_cast<std::uint32_t>(std::popcount(word));
  }
  return from.ok() && members == count;
}

bool runs_are_sound(LittleReader& from, std::uint32_t count) {
  const std::uint32_t runs = from.u16();
  std::uint32_t members = 0;
  std::uint32_t next = 0;  // neighbouring runs must not touch
  for (std::uint32_t i = 0; i < runs; ++i) {
    const std::uint32_t begin = from.u16();
    const std::uint32_t end = begin + from.u16() + 1;
    if (!from.ok() || begin < next || end > 65'536) return false;
    members += end - begin;
    next = end + 1;
  }
  return from.ok() && members == count;
}

bool is_sound(base::ByteView bytes) {
  LittleReader from(bytes);
  const std::uint32_t cookie = from.u32();
  const bool with_runs = (cookie & 0xFFFF) == cookie_with_runs;
  if (!with_runs && cookie != cookie_without_runs) return false;
  const std::uint32_t containers = with_runs ? (cookie >> 16) + 1 : from.u32();
  if (containers > 65'536) return false;
  const base::ByteView run_flags = from.bytes(with_runs ? (containers + 7) / 8 : 0);
  const base::ByteView keys = from.bytes(std::size_t{containers} * 4);
  const bool with_offsets = !with_runs || containers >= no_offsets_below;
  LittleReader offsets(from.bytes(with_offsets ? std::size_t{containers} * 4 : 0));
  if (!from.ok()) return false;

  LittleReader heads(keys);
  std::uint32_t last_key = 0;
  for (std::uint32_t i = 0; i < containers; ++i) {
    const std::uint32_t key = heads.u16();
    const std::uint32_t count = heads.u16() + 1;
    if (i > 0 && key <= last_key) return false;
    last_key = key;
    if (with_offsets && offsets.u32() != bytes.size() - from.remaining()) return false;
    const bool is_run = with_runs && (run_flags[i / 8] >> i % 8 & 1) != 0;
    const bool sound = is_run               ? runs_are_sound(from, count)
                       : count <= array_max ? array_is_sound(from, count)
                                            : bits_are_sound(from, count);
    if (!sound) return false;
  }
  return from.ok() && from.remaining() == 0;
}

}  // namespace

Bitmap::Bitmap() : set_(checked(roaring_bitmap_create())) {}
Bitmap::Bitmap(const Bitmap& other) : set_(checked(roaring_bitmap_copy(other.set_))) {}
Bitmap::~Bitmap() {
  if (set_ != nullptr) roaring_bitmap_free(set_);
}

void Bitmap::add(std::uint32_t ordinal) {
  roaring_bitmap_add(set_, ordinal);
}
void Bitmap::add_range(std::uint32_t begin, std::uint32_t end) {
  if (begin < end) roaring_bitmap_add_range_closed(set_, begin, end - 1);
}
void Bitmap::add_many(std::span<const std::uint32_t> ordinals) {
  roaring_bitmap_add_many(set_, ordinals.size(), ordinals.data());
}
bool Bitmap::contains(std::uint32_t ordinal) const {
  return roaring_bitmap_contains(set_, ordinal);
}
std::uint64_t Bitmap::count() const {
  return roaring_bitmap_get_cardinality(set_);
}
bool Bitmap::empty() const {
  return roaring_bitmap_is_empty(set_);
}
void Bitmap::unite(const Bitmap& other) {
  roaring_bitmap_or_inplace(set_, other.set_);
}
void Bitmap::intersect(const Bitmap& other) {
  roaring_bitmap_and_inplace(set_, other.set_);
}
bool operator==(const Bitmap& a, const Bitmap& b) {
  return roaring_bitmap_equals(a.set_, b.set_);
}

std::optional<std::uint32_t> Bitmap::first_from(std::uint32_t at) const {
  roaring_uint32_iterator_t iterator;
  roaring_init_iterator(set_, &iterator);
  if (!roaring_move_uint32_iterator_equalorlarger(&iterator, at)) return std::nullopt;
  return iterator.current_value;
}

std::vector<std::uint32_t> Bitmap::to_vector() const {
  std::vector<std::uint32_t> members(count());
  roaring_bitmap_to_uint32_array(set_, members.data());
  return members;
}

void Bitmap::serialize(base::ByteBuffer& out) {
  roaring_bitmap_run_optimize(set_);
  const std::size_t begin = out.size();
  out.resize(begin + roaring_bitmap_portable_size_in_bytes(set_));
  roaring_bitmap_portable_serialize(set_, reinterpret_cast<char*>(out.data() + begin));
}

base::Result<Bitmap> Bitmap::parse(base::ByteView bytes) {
  if (!is_sound(bytes)) return base::fail(base::Errc::corrupt, "bitmap: not a portable Roaring bitmap");
  roaring_bitmap_t* set =
      roaring_bitmap_portable_deserialize_safe(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (set == nullptr) return base::fail(base::Errc::corrupt, "bitmap: refused by the library");
  return Bitmap(set);
}

}  // namespace sluice::filters
