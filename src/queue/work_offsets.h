// SPDX-License-Identifier: Apache-2.0
// OffsetSet: an ordered set of message offsets that is small when they are dense: blocks of 4096 offsets, a
// block being a range as long as it has no holes (24 bytes), else a bitmap (512 bytes more). 20 million
// messages in a row take 120 KB; with holes everywhere 2.6 MB. Taking the first, adding behind the last and
// removing near either end are O(1); anything else is a binary search over the blocks.
//
// Used by WorkState. The serialised form (storage/FORMAT.md, "Work queues") has at least one byte per block,
// so that what a decoder allocates is bounded by what it has read.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace sluice::queue {

class OffsetSet {
 public:
  OffsetSet() = default;
  OffsetSet(OffsetSet&&) noexcept = default;
  OffsetSet& operator=(OffsetSet&&) noexcept = default;
  OffsetSet(const OffsetSet& other);
  OffsetSet& operator=(const OffsetSet& other) { return *this = OffsetSet(other); }

  bool empty() const { return count_ == 0; }
  std::uint64_t count() const { return count_; }
  // preconditions: not empty
  base::Offset front() const;
  base::Offset back() const;
  base::Offset pop_front();

  // False: it was there already.
  bool insert(base::Offset offset);
  // False: it was not there.
  bool erase(base::Offset offset);
  bool contains(base::Offset offset) const;
  std::optional<base::Offset> first_from(base::Offset at) const;
  void insert_all(const OffsetSet& other);
  void clear();
  friend bool operator==(const OffsetSet& a, const OffsetSet& b);

  // Calls run(first, last), both included, for maximal rows in ascending order.
  template <class Run>
  void for_each_run(Run run) const {
    for (auto first = empty() ? std::nullopt : std::optional(front()); first;) {
      const base::Offset last = end_of_run(*first);
      run(*first, last);
      first = first_from(last + 1);
    }
  }

  void encode(base::ByteBuffer& out) const;
  // False: malformed, or a member >= end. The reader then stands anywhere.
  bool decode(base::ByteReader& from, base::Offset end);

  std::size_t heap_bytes() const;

 private:
  static constexpr unsigned block_bits = 12;
  static constexpr std::uint32_t block_offsets = 1U << block_bits;
  using Bits = std::array<std::uint64_t, block_offsets / 64>;

  // Members lie in [first, end), of which both ends are members; without bits all between are.
  struct Block {
    std::uint64_t number = 0;
    std::unique_ptr<Bits> bits;
    std::uint16_t first = 0, end = 0, count = 0;

    bool contains(std::uint32_t at) const;
    bool insert(std::uint32_t at);
    bool erase(std::uint32_t at);
    std::uint32_t next(std::uint32_t at) const;  // member >= at; precondition: there is one
    void make_bits();
    void tidy();  // after a change of bits: ends are members, no bits without holes
  };

  using Blocks = std::vector<Block>;
  std::size_t find(std::uint64_t number) const;  // index of the first block with this number or a higher one
  std::size_t place(std::uint64_t number);       // index of the block with this number, made when missing
  void erase_block(std::size_t index);
  base::Offset end_of_run(base::Offset first) const;
  static base::Offset offset_of(const Block& block, std::uint32_t at) {
    return base::Offset{block.number << block_bits | at};
  }

  Blocks blocks_;  // ascending; those before head_ are gone
  std::size_t head_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace sluice::queue
