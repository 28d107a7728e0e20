// SPDX-License-Identifier: Apache-2.0
// The unsettled deliveries of one consumer (or of the holder of basic.get), ordered by offset: a ring of 24
// bytes a delivery. Deliveries come in ascending order but for requeued and prioritised messages, and are
// settled near the front: both ends are O(1), the middle is a binary search and leaves a gap. Those that come
// far out of order are kept in a tree beside the ring (one allocation each), so that no order of deliveries
// costs more than O(log n).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "base/ids.h"

namespace sluice::queue {

// A message taken from a queue and not settled yet.
struct Taken {
  base::Offset offset;
  std::uint32_t bytes = 0;         // of its body
  std::uint32_t delivered_at = 0;  // monotonic ms, truncated
  std::uint16_t acquired = 0;      // how often it was taken before
  std::uint16_t failed = 0;        // of these, how often the delivery failed
  std::uint8_t priority = 0;
  bool gone = false;  // inside the ring: settled
  friend bool operator==(const Taken&, const Taken&) = default;
};
static_assert(sizeof(Taken) == 24);

class UnackedList {
 public:
  std::uint64_t count() const { return live_ + late_.size(); }
  bool empty() const { return count() == 0; }
  void add(const Taken& taken);
  std::optional<Taken> remove(base::Offset offset);
  // Calls each(taken) in ascending order of offsets.
  template <class Each>
  void for_each(Each each) const {
    auto late = late_.begin();
    for (std::uint32_t i = 0; i < size_; ++i) {
      const Taken& taken = at(i);
      if (taken.gone) continue;
      for (; late != late_.end() && late->first < taken.offset; ++late) each(late->second);
      each(taken);
    }
    for (; late != late_.end(); ++late) each(late->second);
  }
  void clear();

 private:
  static constexpr std::uint32_t shift_max = 64;  // out of order by more: late_
  static constexpr std::uint32_t kept_max = 32;   // an empty ring that is larger is given back
  Taken& at(std::uint32_t i) const { return ring_[(head_ + i) & (capacity_ - 1)]; }
  void grow();
  bool insert_near_end(const Taken& taken);
  void trim();

  std::unique_ptr<Taken[]> ring_;
  std::uint32_t capacity_ = 0, head_ = 0;
  std::uint32_t size_ = 0;  // with gaps
  std::uint32_t live_ = 0;  // without
  std::map<base::Offset, Taken> late_;
};

}  // namespace sluice::queue
