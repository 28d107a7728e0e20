// SPDX-License-Identifier: Apache-2.0
#include "amqp/unsettled.h"

#include <algorithm>

namespace sluice::amqp {
namespace {

constexpr std::size_t squeeze_min = 64;        // fewer holes are not worth the walk
constexpr std::size_t keep_entries_max = 256;  // of capacity in an empty one

}  // namespace

void Unsettled::add(std::uint64_t tag, Source source, base::Offset offset) {
  // The front part is free once half of it is used up: entries move at most once per entry added.
  if (entries_.size() == entries_.capacity() && head_ > entries_.size() / 2) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  Entry& entry = entries_.emplace_back();
  entry.tag = tag & ((std::uint64_t{1} << 62) - 1);
  entry.source = source;
  entry.offset = offset;
  ++live_;
}

std::size_t Unsettled::index_of(std::uint64_t tag) const {
  if (head_ == entries_.size() || tag < entries_[head_].tag) return head_;
  const std::uint64_t distance = tag - entries_[head_].tag;
  if (distance < entries_.size() - head_ && entries_[head_ + distance].tag == tag) return head_ + distance;
  const auto from = entries_.begin() + static_cast<std::ptrdiff_t>(head_);
  const auto at = std::lower_bound(from, entries_.end(), tag,
                                   [](const Entry& entry, std::uint64_t t) { return entry.tag < t; });
  return static_cast<std::size_t>(at - entries_.begin());
}

Unsettled::Entry* Unsettled::find(std::uint64_t tag) {
  const std::size_t i = index_of(tag);
  if (i == entries_.size() || entries_[i].tag != tag || entries_[i].state != live) return nullptr;
  return &entries_[i];
}

void Unsettled::tidy() {
  while (head_ < entries_.size() && entries_[head_].state == gone) {
    ++head_;
    --gone_;
  }
  if (head_ == entries_.size()) {
    head_ = 0;
    if (entries_.capacity() > keep_entries_max) {
      std::vector<Entry>().swap(entries_);
    } else {
      entries_.clear();
    }
  } else if (gone_ > squeeze_min && gone_ > (entries_.size() - head_) / 2) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    std::erase_if(entries_, [](const Entry& entry) { return entry.state == gone; });
    head_ = gone_ = 0;
  }
}

void Unsettled::unmark_all() {
  for (std::size_t i = head_; i < entries_.size(); ++i) {
    if (entries_[i].state != marked) continue;
    entries_[i].state = live;
    ++live_;
  }
}

void Unsettled::drop_marked() {
  for (std::size_t i = head_; i < entries_.size(); ++i) {
    if (entries_[i].state != marked) continue;
    entries_[i].state = gone;
    ++gone_;
  }
  tidy();
}

}  // namespace sluice::amqp
