// SPDX-License-Identifier: Apache-2.0
// Set of entry indexes of one chunk: plain bits, at most 65,535 of them, reused from chunk to chunk without
// allocation. Plans collect matches here; the results leave as sorted indexes.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace sluice::filters {

class EntrySet {
 public:
  void reset(std::uint32_t size) {
    size_ = size;
    words_.assign((size + 63) / 64, 0);
  }
  std::uint32_t size() const { return size_; }
  // index < size().
  void add(std::uint32_t index) { words_[index / 64] |= 1ULL << (index % 64); }
  void add_range(std::uint32_t begin, std::uint32_t end) {
    for (; begin < end && begin % 64 != 0; ++begin) add(begin);
    for (; begin + 64 <= end; begin += 64) words_[begin / 64] = ~0ULL;
    for (; begin < end; ++begin) add(begin);
  }
  bool contains(std::uint32_t index) const { return (words_[index / 64] >> (index % 64)) & 1; }
  std::uint32_t count() const {
    std::uint32_t n = 0;
    for (std::uint64_t word : words_) n += static_cast<std::uint32_t>(std::popcount(word));
    return n;
  }
  template <class F>
  void for_each(F&& f) const {
    for (std::uint32_t w = 0; w < words_.size(); ++w)
      for (std::uint64_t word = words_[w]; word != 0; word &= word - 1)
        f(w * 64 + static_cast<std::uint32_t>(std::countr_zero(word)));
  }

 private:
  std::vector<std::uint64_t> words_;
  std::uint32_t size_ = 0;
};

}  // namespace sluice::filters
