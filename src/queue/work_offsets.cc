// SPDX-License-Identifier: Apache-2.0
#include "queue/work_offsets.h"

#include <algorithm>
#include <bit>

#include "queue/work_varint.h"

namespace sluice::queue {

namespace {

constexpr std::uint64_t bit(std::uint32_t at) {
  return std::uint64_t{1} << (at & 63);
}

void fill(std::array<std::uint64_t, 64>& bits, std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t at = first; at < end;) {
    const std::uint32_t stop = std::min(end, (at | 63) + 1);
    const std::uint64_t low = ~std::uint64_t{0} << (at & 63);
    bits[at >> 6] |= (stop & 63) == 0 ? low : low & (bit(stop) - 1);
    at = stop;
  }
}

// How a block is written: whole; a range; bits.
enum class Form : std::uint8_t { full = 0, range = 1, bits = 2 };

}  // namespace

OffsetSet::OffsetSet(const OffsetSet& other) : count_(other.count_) {
  blocks_.reserve(other.blocks_.size() - other.head_);
  for (std::size_t i = other.head_; i < other.blocks_.size(); ++i) {
    const Block& block = other.blocks_[i];
    blocks_.push_back({block.number, block.bits ? std::make_unique<Bits>(*block.bits) : nullptr, block.first,
                       block.end, block.count});
  }
}

// ---- one block

bool OffsetSet::Block::contains(std::uint32_t at) const {
  return at >= first && at < end && (!bits || ((*bits)[at >> 6] & bit(at)) != 0);
}

void OffsetSet::Block::make_bits() {
  bits = std::make_unique<Bits>();
  fill(*bits, first, end);
}

void OffsetSet::Block::tidy() {
  if (count == end - first) bits.reset();
}

bool OffsetSet::Block::insert(std::uint32_t at) {
  if (contains(at)) return false;
  if (count == 0) {
    first = static_cast<std::uint16_t>(at);
    end = static_cast<std::uint16_t>(at + 1);
    return count = 1, true;
  }
  if (!bits && at != end && at + 1 != first) make_bits();
  if (bits) (*bits)[at >> 6] |= bit(at);
  first = static_cast<std::uint16_t>(std::min<std::uint32_t>(first, at));
  end = static_cast<std::uint16_t>(std::max<std::uint32_t>(end, at + 1));
  ++count;
  tidy();
  return true;
}

bool OffsetSet::Block::erase(std::uint32_t at) {
  if (!contains(at)) return false;
  if (--count == 0) return bits.reset(), true;
  if (!bits && at != first && at + 1 != end) make_bits();
  if (!bits) {
    at == first ? ++first : --end;
    return true;
  }
  (*bits)[at >> 6] &= ~bit(at);
  if (at == first) {
    first = static_cast<std::uint16_t>(next(at));
  } else if (at + 1 == end) {
    std::uint32_t word = at >> 6;
    while ((*bits)[word] == 0) --word;
    end = static_cast<std::uint16_t>((word << 6) + 64 -
                                     static_cast<std::uint32_t>(std::countl_zero((*bits)[word])));
  }
  tidy();
  return true;
}

std::uint32_t OffsetSet::Block::next(std::uint32_t at) const {
  if (!bits) return std::max<std::uint32_t>(at, first);
  std::uint32_t word = at >> 6;
  std::uint64_t left = (*bits)[word] & (~std::uint64_t{0} << (at & 63));
  while (left == 0) left = (*bits)[++word];
  return (word << 6) + static_cast<std::uint32_t>(std::countr_zero(left));
}

// ---- the set

std::size_t OffsetSet::find(std::uint64_t number) const {
  const std::size_t size = blocks_.size();
  if (head_ == size || blocks_[size - 1].number < number) return size;
  if (blocks_[head_].number >= number) return head_;
  if (blocks_[size - 1].number == number) return size - 1;
  const auto found =
      std::lower_bound(blocks_.begin() + static_cast<std::ptrdiff_t>(head_), blocks_.end(), number,
                       [](const Block& block, std::uint64_t n) { return block.number < n; });
  return static_cast<std::size_t>(found - blocks_.begin());
}

void OffsetSet::erase_block(std::size_t index) {
  if (index != head_) {
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(index));
    return;
  }
  if (++head_ == blocks_.size()) {
    if (blocks_.capacity() > 64) blocks_ = Blocks();  // a deep queue was drained: give its blocks back
    blocks_.clear();
    head_ = 0;
  } else if (head_ >= 64 && head_ * 2 >= blocks_.size()) {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

std::size_t OffsetSet::place(std::uint64_t number) {
  std::size_t index = find(number);
  if (index < blocks_.size() && blocks_[index].number == number) return index;
  if (index == head_ && head_ > 0) {
    index = --head_;
    blocks_[index] = Block{};
  } else {
    blocks_.emplace(blocks_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  blocks_[index].number = number;
  return index;
}

base::Offset OffsetSet::front() const {
  return offset_of(blocks_[head_], blocks_[head_].first);
}

base::Offset OffsetSet::back() const {
  return offset_of(blocks_.back(), blocks_.back().end - 1U);
}

base::Offset OffsetSet::pop_front() {
  Block& block = blocks_[head_];
  const base::Offset offset = offset_of(block, block.first);
  block.erase(block.first);
  if (block.count == 0) erase_block(head_);
  --count_;
  return offset;
}

bool OffsetSet::insert(base::Offset offset) {
  const std::uint64_t number = offset.value >> block_bits;
  const std::uint32_t at = offset.value & (block_offsets - 1);
  const std::size_t index = place(number);
  if (!blocks_[index].insert(at)) return false;
  ++count_;
  return true;
}

bool OffsetSet::erase(base::Offset offset) {
  const std::uint64_t number = offset.value >> block_bits;
  const std::size_t index = find(number);
  if (index == blocks_.size() || blocks_[index].number != number) return false;
  if (!blocks_[index].erase(offset.value & (block_offsets - 1))) return false;
  if (blocks_[index].count == 0) erase_block(index);
  --count_;
  return true;
}

bool OffsetSet::contains(base::Offset offset) const {
  const std::uint64_t number = offset.value >> block_bits;
  const std::size_t index = find(number);
  return index < blocks_.size() && blocks_[index].number == number &&
         blocks_[index].contains(offset.value & (block_offsets - 1));
}

std::optional<base::Offset> OffsetSet::first_from(base::Offset at) const {
  const std::uint64_t number = at.value >> block_bits;
  std::size_t index = find(number);
  if (index == blocks_.size()) return std::nullopt;
  const std::uint32_t within = at.value & (block_offsets - 1);
  if (blocks_[index].number == number) {
    if (within < blocks_[index].end) return offset_of(blocks_[index], blocks_[index].next(within));
    if (++index == blocks_.size()) return std::nullopt;
  }
  return offset_of(blocks_[index], blocks_[index].first);
}

base::Offset OffsetSet::end_of_run(base::Offset first) const {
  std::size_t index = find(first.value >> block_bits);
  std::uint32_t at = first.value & (block_offsets - 1);
  for (;; ++index, at = 0) {
    const Block& block = blocks_[index];
    std::uint32_t end = block.end;
    if (block.bits) {
      std::uint32_t word = at >> 6;
      std::uint64_t holes = ~(*block.bits)[word] & (~std::uint64_t{0} << (at & 63));
      while (holes == 0 && word + 1 < block.bits->size()) holes = ~(*block.bits)[++word];
      end = holes == 0 ? block_offsets : (word << 6) + static_cast<std::uint32_t>(std::countr_zero(holes));
    }
    const bool goes_on = end == block_offsets && index + 1 < blocks_.size() &&
                         blocks_[index + 1].number == block.number + 1 && blocks_[index + 1].first == 0;
    if (!goes_on) return offset_of(block, end - 1);
  }
}

void OffsetSet::insert_all(const OffsetSet& other) {
  for (std::size_t i = other.head_; i < other.blocks_.size(); ++i) {
    const Block& from = other.blocks_[i];
    const std::size_t index = place(from.number);
    Block& to = blocks_[index];
    count_ -= to.count;
    if (!to.bits) to.make_bits();
    if (from.bits)
      for (std::size_t word = 0; word < to.bits->size(); ++word) (*to.bits)[word] |= (*from.bits)[word];
    else
      fill(*to.bits, from.first, from.end);
    to.first = to.count == 0 ? from.first : std::min(to.first, from.first);
    to.end = std::max(to.end, from.end);
    std::uint32_t count = 0;
    for (const std::uint64_t word : *to.bits) count += static_cast<std::uint32_t>(std::popcount(word));
    to.count = static_cast<std::uint16_t>(count);
    to.tidy();
    count_ += to.count;
  }
}

void OffsetSet::clear() {
  *this = OffsetSet();
}

bool operator==(const OffsetSet& a, const OffsetSet& b) {
  if (a.count_ != b.count_ || a.blocks_.size() - a.head_ != b.blocks_.size() - b.head_) return false;
  for (std::size_t i = a.head_, j = b.head_; i < a.blocks_.size(); ++i, ++j) {
    const auto& x = a.blocks_[i];
    const auto& y = b.blocks_[j];
    if (x.number != y.number || x.first != y.first || x.count != y.count || !x.bits != !y.bits) return false;
    if (x.bits && *x.bits != *y.bits) return false;
  }
  return true;
}

std::size_t OffsetSet::heap_bytes() const {
  std::size_t bytes = blocks_.capacity() * sizeof(Block);
  for (const Block& block : blocks_) bytes += block.bits ? sizeof(Bits) : 0;
  return bytes;
}

// ---- serialised: blocks, then for each (number - previous - 1) * 3 + form, then range or bits
void OffsetSet::encode(base::ByteBuffer& out) const {
  write_varint(out, blocks_.size() - head_);
  std::uint64_t next = 0;
  for (std::size_t i = head_; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    const Form form = block.bits ? Form::bits : block.count == block_offsets ? Form::full : Form::range;
    write_varint(out, (block.number - next) * 3 + static_cast<std::uint64_t>(form));
    next = block.number + 1;
    if (form == Form::range) {
      write_varint(out, block.first);
      write_varint(out, block.count - 1U);
    } else if (form == Form::bits) {
      base::ByteWriter writer(out);
      for (const std::uint64_t word : *block.bits) writer.write(word);
    }
  }
}

bool OffsetSet::decode(base::ByteReader& from, base::Offset end) {
  clear();
  const std::uint64_t blocks = read_varint(from);
  if (!from.ok() || blocks > from.remaining()) return false;
  blocks_.reserve(blocks);
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const std::uint64_t head = read_varint(from);
    Block block;
    if (!from.ok() || head / 3 > (end.value >> block_bits) - std::min(next, end.value >> block_bits))
      return false;
    block.number = next + head / 3;
    next = block.number + 1;
    switch (static_cast<Form>(head % 3)) {
      case Form::full:
        block.end = block.count = block_offsets;
        break;
      case Form::range: {
        const std::uint64_t first = read_varint(from), more = read_varint(from);
        if (!from.ok() || first >= block_offsets || more >= block_offsets - first) return false;
        block.first = static_cast<std::uint16_t>(first);
        block.count = static_cast<std::uint16_t>(more + 1);
        block.end = static_cast<std::uint16_t>(first + more + 1);
        if (block.count == block_offsets) return false;  // one form for one set
        break;
      }
      case Form::bits: {
        block.bits = std::make_unique<Bits>();
        std::uint32_t first = block_offsets, last = 0, count = 0;
        for (std::uint32_t word = 0; word < block.bits->size(); ++word) {
          const std::uint64_t value = (*block.bits)[word] = from.read<std::uint64_t>();
          if (value == 0) continue;
          if (first == block_offsets) first = word * 64 + static_cast<std::uint32_t>(std::countr_zero(value));
          last = word * 64 + 63 - static_cast<std::uint32_t>(std::countl_zero(value));
          count += static_cast<std::uint32_t>(std::popcount(value));
        }
        if (!from.ok() || count == 0 || count == last + 1 - first) return false;
        block.first = static_cast<std::uint16_t>(first);
        block.end = static_cast<std::uint16_t>(last + 1);
        block.count = static_cast<std::uint16_t>(count);
        break;
      }
    }
    if (offset_of(block, block.end - 1U) >= end) return false;
    count_ += block.count;
    blocks_.push_back(std::move(block));
  }
  return true;
}

}  // namespace sluice::queue
