// SPDX-License-Identifier: Apache-2.0
#include "filters/value_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sluice::filters {
namespace {

constexpr std::size_t slots_min = 64;

}  // namespace

std::uint32_t ValueTable::find_or_insert(std::string_view value, ValueHash hash) {
  if ((values_.size() + 1) * 2 > slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const Value& known = values_[slots_[slot] - 1];
    if (known.hash != hash) continue;
    if (known.text == no_text || !complete_) return slots_[slot] - 1;
    if (std::string_view{text_.data() + known.text, known.text_bytes} == value) return slots_[slot] - 1;
  }
  if (complete_ && text_.size() + value.size() > text_bytes_max_) complete_ = false;
  Value& added = values_.emplace_back(hash, no_text, 0U);
  if (complete_) {
    added.text = static_cast<std::uint32_t>(text_.size());
    added.text_bytes = static_cast<std::uint32_t>(value.size());
    text_.insert(text_.end(), value.begin(), value.end());
  }
  slots_[slot] = static_cast<std::uint32_t>(values_.size());
  return static_cast<std::uint32_t>(values_.size() - 1);
}

void ValueTable::grow() {
  slots_.assign(std::max(slots_min, slots_.size() * 2), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t id = 0; id < values_.size(); ++id) {
    std::size_t slot = values_[id].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = id + 1;
  }
}

// One pass into about as many buckets as there are values (by the hash's top bits), then a repair of the few
// neighbours out of order: linear for hashes, measurably cheaper than a comparison sort per chunk.
const std::vector<std::uint32_t>& ValueTable::ids_by_hash() {
  const std::size_t count = values_.size();
  const int bits = std::max(1, static_cast<int>(std::bit_width(count)));
  const auto bucket = [&](std::uint32_t id) {
    return static_cast<std::size_t>(values_[id].hash >> (64 - bits));
  };
  bucket_ends_.assign((std::size_t{1} << bits) + 1, 0);
  for (std::uint32_t id = 0; id < count; ++id) ++bucket_ends_[bucket(id) + 1];
  for (std::size_t b = 1; b < bucket_ends_.size(); ++b) bucket_ends_[b] += bucket_ends_[b - 1];
  order_.resize(count);
  for (std::uint32_t id = 0; id < count; ++id) order_[bucket_ends_[bucket(id)]++] = id;
  for (std::size_t i = 1; i < count; ++i) {
    const std::uint32_t id = order_[i];
    std::size_t at = i;
    for (; at > 0 && values_[order_[at - 1]].hash > values_[id].hash; --at) order_[at] = order_[at - 1];
    order_[at] = id;
  }
  return order_;
}

std::size_t ValueTable::memory_bytes() const {
  return text_.capacity() + values_.capacity() * sizeof(Value) + slots_.capacity() * sizeof(std::uint32_t);
}

void ValueTable::drop_texts() {
  complete_ = false;
  text_ = {};
}

// Frees each value's run of slots instead of the whole table, which may be large from an earlier chunk. A run
// is always freed up to its end, so a slot that is free already has nothing behind it.
void ValueTable::clear() {
  for (const Value& value : values_) {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t slot = value.hash & mask; slots_[slot] != 0; slot = (slot + 1) & mask) slots_[slot] = 0;
  }
  values_.clear();
  text_.clear();
  complete_ = true;
}

}  // namespace sluice::filters
