// SPDX-License-Identifier: Apache-2.0
// An extent counts what it holds in its file (references, live bytes), so every change of what is alive
// passes through take(). Released from the front it needs a number only; the bits are made at the first
// release elsewhere. QueueExtents splits and clips the older extents so that none overlaps.
#include "storage/journal_extents.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace sluice::storage {

Extent::Extent(JournalFile& file, base::Offset base, std::uint32_t count, std::uint32_t first_slot,
               std::uint64_t bytes)
    : file_(&file), base_(base), count_(count), live_(count), first_slot_(first_slot), bytes_(bytes) {
  file.references += count;
  file.live_bytes += bytes;
}

void Extent::begin(JournalFile& file, base::Offset base) {
  INVARIANT(live_ == 0, "an extent with {} live messages begins anew", live_);
  file_ = &file;
  base_ = base;
  count_ = head_ = first_slot_ = first_bit_ = 0;
  bytes_ = 0;
  bits_.clear();
  if (slots_)
    slots_->clear();
  else
    slots_ = std::make_shared<Slots>();
}

void Extent::push_bit(bool live) {
  const std::uint32_t at = first_bit_ + count_;
  if (at / 64 >= bits_.size()) bits_.push_back(0);
  if (live) bits_[at / 64] |= std::uint64_t{1} << (at % 64);
}

void Extent::append(base::Offset offset, Slot slot, std::uint32_t share_bytes) {
  if (offset != end()) {
    INVARIANT(offset > end() && offset - end() <= gap_max, "offset {} behind an extent that ends at {}",
              offset.value, end().value);
    if (bits_.empty()) make_bits();
    for (; end() < offset; ++count_) {
      push_bit(false);
      slots_->push_back({});
    }
  }
  if (!bits_.empty()) push_bit(true);
  slots_->push_back(slot);
  ++count_;
  ++live_;
  bytes_ += share_bytes;
  ++file_->references;
  file_->live_bytes += share_bytes;
}

void Extent::make_bits() {
  first_bit_ = 0;
  bits_.assign(count_ / 64 + 1, ~std::uint64_t{0});
  bits_.back() = (std::uint64_t{1} << (count_ % 64)) - 1;
  if (head_ > 0) clear_bits(0, head_ - 1);
}

// How many of them were set.
std::uint32_t Extent::clear_bits(std::uint32_t first, std::uint32_t last) {
  const std::uint32_t from = first_bit_ + first, to = first_bit_ + last;
  std::uint32_t cleared = 0;
  for (std::uint32_t word = from / 64; word <= to / 64; ++word) {
    std::uint64_t mask = ~std::uint64_t{0};
    if (word == from / 64) mask &= ~std::uint64_t{0} << (from % 64);
    if (word == to / 64) mask &= ~std::uint64_t{0} >> (63 - to % 64);
    cleared += static_cast<std::uint32_t>(std::popcount(bits_[word] & mask));
    bits_[word] &= ~mask;
  }
  return cleared;
}

void Extent::advance_head() {
  while (head_ < count_) {
    const std::uint32_t at = first_bit_ + head_;
    const std::uint64_t rest = bits_[at / 64] >> (at % 64);
    if (rest != 0) {
      head_ = std::min(count_, head_ + static_cast<std::uint32_t>(std::countr_zero(rest)));
      return;
    }
    head_ = std::min(count_, head_ + 64 - at % 64);
  }
}

std::uint32_t Extent::take(std::uint32_t released) {
  if (released == 0) return 0;
  const std::uint64_t share = released == live_ ? bytes_ : bytes_ / live_ * released;
  live_ -= released;
  bytes_ -= share;
  file_->references -= released;
  file_->live_bytes -= share;
  return released;
}

std::uint32_t Extent::release(std::uint32_t first, std::uint32_t last) {
  last = std::min(last, count_ - 1);
  if (count_ == 0 || last < head_) return 0;
  if (bits_.empty()) {
    if (first <= head_) {
      const std::uint32_t before = std::exchange(head_, last + 1);
      return take(head_ - before);
    }
    make_bits();
  }
  const std::uint32_t released = clear_bits(std::max(first, head_), last);
  if (first <= head_) advance_head();
  return take(released);
}

void Extent::set_hole(std::uint32_t index) {
  // The bytes are those of the others.
  const std::uint64_t bytes = bytes_;
  file_->live_bytes -= bytes_;
  bytes_ = 0;
  release(index, index);
  if (live_ == 0) return;
  bytes_ = bytes;
  file_->live_bytes += bytes;
}

void Extent::cut_front(std::uint32_t count) {
  INVARIANT(count <= head_, "an extent is cut at {}, its first live one is {}", count, head_);
  base_ = base_ + count;
  count_ -= count;
  head_ -= count;
  first_slot_ += count;
  if (!bits_.empty()) first_bit_ += count;
}

void Extent::shrink() {
  slots_->erase(slots_->begin(), slots_->begin() + first_slot_);
  first_slot_ = 0;
  const std::uint32_t words = bits_.empty() ? 0 : first_bit_ / 64;
  bits_.erase(bits_.begin(), bits_.begin() + words);
  first_bit_ -= words * 64;
}

Extent Extent::split(std::uint32_t index) {
  Extent rest;
  rest.file_ = file_;
  rest.base_ = base_ + index;
  rest.count_ = count_ - index;
  rest.first_slot_ = first_slot_ + index;
  rest.slots_ = slots_;
  if (bits_.empty()) {
    rest.head_ = std::max(head_, index) - index;
    rest.live_ = rest.count_ - rest.head_;
  } else {
    rest.bits_ = bits_;
    rest.first_bit_ = first_bit_ + index;
    // Counted on a copy: what is cleared there is what this one keeps.
    Extent left = *this;
    rest.live_ = live_ - (index == 0 ? 0 : left.clear_bits(0, index - 1));
    rest.advance_head();
  }
  const std::uint64_t share = live_ == 0 ? 0 : bytes_ / live_ * rest.live_;
  rest.bytes_ = share;
  count_ = index;
  head_ = std::min(head_, index);
  live_ -= rest.live_;
  bytes_ -= share;
  return rest;
}

void Extent::detach() {
  const auto from = slots_->begin() + first_slot_;
  slots_ = std::make_shared<Slots>(from, from + count_);
  first_slot_ = 0;
  if (bits_.empty()) return;
  // Bits of what went with the rest would be taken for those of what comes.
  const std::uint32_t end = first_bit_ + count_;
  bits_.resize((end + 63) / 64);
  if (end % 64 != 0) bits_.back() &= (std::uint64_t{1} << (end % 64)) - 1;
}

void Extent::set_indexed(std::uint32_t first_slot) {
  first_slot_ = first_slot;
  slots_.reset();
}

std::optional<QueueExtents::Found> QueueExtents::find(base::Offset offset) const {
  const Extent* extent = &active_;
  if (active_.empty() || offset < active_.base()) {
    auto behind = older_.upper_bound(offset);
    if (behind == older_.begin()) return std::nullopt;
    extent = &std::prev(behind)->second;
  }
  if (offset >= extent->end()) return std::nullopt;
  const auto index = static_cast<std::uint32_t>(offset - extent->base());
  if (!extent->is_live(index)) return std::nullopt;
  return Found{extent, index};
}

bool QueueExtents::append(JournalFile& file, base::Offset offset, Slot slot, std::uint32_t share_bytes) {
  const bool goes_on =
      !active_.empty() && active_.file() == &file && offset - active_.end() <= Extent::gap_max;
  const bool is_known = active_.file() == &file;
  if (!goes_on) {
    if (!active_.empty()) seal_active();
    INVARIANT(older_.empty() || older_.rbegin()->second.end() <= offset,
              "offset {} comes after {} in its queue", offset.value, older_.rbegin()->second.end().value);
    active_.begin(file, offset);
  }
  active_.append(offset, slot, share_bytes);
  return !is_known;
}

base::Offset QueueExtents::end() const {
  if (!active_.empty()) return active_.end();
  return older_.empty() ? base::Offset{} : older_.rbegin()->second.end();
}

void QueueExtents::seal_active() {
  if (active_.empty()) {
    active_ = Extent{};
    return;
  }
  const auto base = active_.base();
  older_.insert_or_assign(older_.end(), base, std::exchange(active_, Extent{}));
}

QueueExtents::Map::iterator QueueExtents::containing(base::Offset offset) {
  auto at = older_.upper_bound(offset);
  if (at == older_.begin()) return older_.end();
  --at;
  return offset < at->second.end() ? at : older_.end();
}

bool QueueExtents::move(base::Offset offset, JournalFile& to, Slot slot, std::uint32_t share_bytes) {
  auto behind = older_.upper_bound(offset);
  if (auto from = containing(offset); from != older_.end() && from->second.file() != &to) {
    Extent& extent = from->second;
    const auto index = static_cast<std::uint32_t>(offset - extent.base());
    extent.release(0, index);
    if (extent.empty()) {
      behind = older_.erase(from);
    } else {
      extent.cut_front(index + 1);
      auto node = older_.extract(from);
      node.key() = node.mapped().base();
      behind = older_.insert(std::move(node)).position;
    }
  }
  if (behind != older_.begin()) {
    Extent& before = std::prev(behind)->second;
    if (before.file() == &to && before.has_slots() && offset >= before.end() &&
        offset - before.end() <= Extent::gap_max) {
      before.append(offset, slot, share_bytes);
      return false;
    }
    if (offset < before.end()) {
      // Copies come in the order in which files were compacted, not in that of offsets. Recovery does not see
      // the extents of files that are gone since: to it the place of a copy may look like a gap between
      // others.
      const bool is_hole = before.file() == &to && before.has_slots() &&
                           before.slot(static_cast<std::uint32_t>(offset - before.base())).size == 0;
      if (is_hole) fill_hole(std::prev(behind), offset, slot, share_bytes);
      return false;  // else this very copy is known
    }
  }
  Extent made;
  made.begin(to, offset);
  made.append(offset, slot, share_bytes);
  older_.emplace_hint(behind, offset, std::move(made));
  return true;
}

// The extent ends before the hole and goes on with it; what stood behind becomes one of its own.
void QueueExtents::fill_hole(Map::iterator at, base::Offset offset, Slot slot, std::uint32_t share_bytes) {
  Extent& extent = at->second;
  Extent rest = extent.split(static_cast<std::uint32_t>(offset - extent.base()));
  if (!rest.empty()) {
    rest.cut_front(rest.head());
    const auto base = rest.base();
    older_.emplace_hint(std::next(at), base, std::move(rest));
  }
  extent.detach();
  extent.append(offset, slot, share_bytes);
}

void QueueExtents::clip(base::Offset first, base::Offset end) {
  auto at = older_.upper_bound(first);
  if (at != older_.begin()) --at;
  while (at != older_.end() && at->first < end) {
    Extent& extent = at->second;
    if (extent.end() <= first) {
      ++at;
      continue;
    }
    if (extent.base() < first) {
      Extent rest = extent.split(static_cast<std::uint32_t>(first - extent.base()));
      const auto base = rest.base();
      const auto next =
          rest.empty() ? std::next(at) : older_.emplace_hint(std::next(at), base, std::move(rest));
      if (extent.empty()) older_.erase(at);
      at = next;
      continue;
    }
    if (extent.end() > end) {
      Extent rest = extent.split(static_cast<std::uint32_t>(end - extent.base()));
      const auto base = rest.base();
      if (!rest.empty()) older_.emplace_hint(std::next(at), base, std::move(rest));
    }
    extent.release_all();
    at = older_.erase(at);
  }
}

void QueueExtents::add_run(Extent run) {
  if (run.empty()) return;
  clip(run.base(), run.end());
  const auto base = run.base();
  older_.insert_or_assign(base, std::move(run));
}

void QueueExtents::release(base::Offset first, base::Offset last) {
  if (!older_.empty() && first < older_.rbegin()->second.end()) {
    auto at = older_.upper_bound(first);
    if (at != older_.begin()) --at;
    while (at != older_.end() && at->first <= last) {
      Extent& extent = at->second;
      if (extent.end() > first) {
        const auto from = first > extent.base() ? first - extent.base() : 0;
        const auto to = std::min<std::uint64_t>(last - extent.base(), extent.count() - 1);
        extent.release(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to));
      }
      at = extent.empty() ? older_.erase(at) : std::next(at);
    }
  }
  if (active_.empty() || last < active_.base() || first >= active_.end()) return;
  const auto from = first > active_.base() ? first - active_.base() : 0;
  const auto to = std::min<std::uint64_t>(last - active_.base(), active_.count() - 1);
  active_.release(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to));
  // Settled messages are forgotten in steps, so that a queue that moves forward costs little of it.
  constexpr std::uint32_t cut_min = 1024;
  if (active_.head() >= cut_min && active_.head() > active_.count() / 2 && !active_.empty()) {
    active_.cut_front(active_.head());
    active_.shrink();
  }
}

void QueueExtents::release_all() {
  for (auto& [base, extent] : older_) extent.release_all();
  older_.clear();
  active_.release_all();
}

}  // namespace sluice::storage
