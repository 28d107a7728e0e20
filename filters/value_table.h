// SPDX-License-Identifier: Apache-2.0
// The distinct filter values of a chunk or a segment while its filter is built: value -> dense id, from 0.
//
// Texts are kept up to a bound; values that come after it are told apart by their hash alone (complete() is
// false then), which is enough for a Bloom filter. clear() keeps the memory, so a table that has seen its
// load once does not allocate again.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "filters/bloom.h"

namespace sluice::filters {

class ValueTable {
 public:
  explicit ValueTable(std::size_t text_bytes_max) : text_bytes_max_(text_bytes_max) {}

  std::uint32_t find_or_insert(std::string_view value) { return find_or_insert(value, hash_value(value)); }
  std::uint32_t find_or_insert(std::string_view value, ValueHash hash);

  std::uint32_t count() const { return static_cast<std::uint32_t>(values_.size()); }
  bool complete() const { return complete_; }
  std::size_t text_bytes() const { return text_.size(); }
  std::size_t memory_bytes() const;

  ValueHash hash(std::uint32_t id) const { return values_[id].hash; }
  // Only while complete().
  std::string_view text(std::uint32_t id) const {
    return {text_.data() + values_[id].text, values_[id].text_bytes};
  }

  // The ids in the order of their hashes; valid until the next insertion.
  const std::vector<std::uint32_t>& ids_by_hash();

  // From now on only hashes: gives the texts back.
  void drop_texts();
  void clear();

 private:
  struct Value {
    ValueHash hash;
    std::uint32_t text;  // position in text_, or no_text
    std::uint32_t text_bytes;
  };
  static constexpr std::uint32_t no_text = UINT32_MAX;
  void grow();

  std::size_t text_bytes_max_;
  std::vector<Value> values_;
  std::vector<std::uint32_t> slots_;  // open addressing: id + 1, 0 is free
  std::vector<char> text_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> bucket_ends_;
  bool complete_ = true;
};

}  // namespace sluice::filters
