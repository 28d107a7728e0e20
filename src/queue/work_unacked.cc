// SPDX-License-Identifier: Apache-2.0
#include "queue/work_unacked.h"

#include <algorithm>

namespace sluice::queue {

void UnackedList::add(const Taken& taken) {
  if (size_ == capacity_) grow();
  if (size_ == 0 || at(size_ - 1).offset < taken.offset) {
    at(size_++) = taken;
    ++live_;
  } else if (!insert_near_end(taken)) {
    late_.emplace(taken.offset, taken);
  }
}

// precondition: room for one
bool UnackedList::insert_near_end(const Taken& taken) {
  std::uint32_t place = size_;
  while (place > 0 && taken.offset < at(place - 1).offset) {
    if (size_ - place == shift_max) return false;
    --place;
  }
  if (place > 0 && at(place - 1).offset == taken.offset) {  // its gap is still there
    at(place - 1) = taken;
    ++live_;
    return true;
  }
  for (std::uint32_t i = size_; i > place; --i) at(i) = at(i - 1);
  at(place) = taken;
  ++size_;
  ++live_;
  return true;
}

std::optional<Taken> UnackedList::remove(base::Offset offset) {
  if (live_ > 0 && at(0).offset == offset) {
    const Taken taken = at(0);
    --live_;
    at(0).gone = true;
    trim();
    return taken;
  }
  std::uint32_t low = 0, high = size_;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (at(middle).offset < offset)
      low = middle + 1;
    else
      high = middle;
  }
  if (low < size_ && at(low).offset == offset && !at(low).gone) {
    const Taken taken = at(low);
    at(low).gone = true;
    --live_;
    trim();
    return taken;
  }
  const auto late = late_.find(offset);
  if (late == late_.end()) return std::nullopt;
  const Taken taken = late->second;
  late_.erase(late);
  return taken;
}

void UnackedList::trim() {
  while (size_ > 0 && at(0).gone) head_ = (head_ + 1) & (capacity_ - 1), --size_;
  while (size_ > 0 && at(size_ - 1).gone) --size_;
  if (size_ == 0) {
    head_ = 0;
    if (capacity_ > kept_max) ring_.reset(), capacity_ = 0;
  } else if (size_ > kept_max && live_ < size_ / 2) {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < size_; ++i)
      if (!at(i).gone) at(kept++) = at(i);
    size_ = kept;
  }
}

void UnackedList::grow() {
  const std::uint32_t capacity = std::max(8U, capacity_ * 2);
  auto larger = std::make_unique<Taken[]>(capacity);
  for (std::uint32_t i = 0; i < size_; ++i) larger[i] = at(i);
  ring_ = std::move(larger);
  capacity_ = capacity;
  head_ = 0;
}

void UnackedList::clear() {
  *this = UnackedList();
}

}  // namespace sluice::queue
