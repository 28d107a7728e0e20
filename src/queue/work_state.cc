// SPDX-License-Identifier: Apache-2.0
#include "queue/work_state.h"

#include <algorithm>

#include "base/check.h"

namespace sluice::queue {

namespace {

constexpr std::uint8_t quorum_priority_max = 31, quorum_priority_default = 4;

// Sums of sizes forgive: a damaged message is dropped without its size being known.
void subtract(std::uint64_t& from, std::uint64_t n) {
  from -= std::min(from, n);
}

std::uint16_t plus_one(std::uint16_t n) {
  return n == UINT16_MAX ? n : static_cast<std::uint16_t>(n + 1);
}

}  // namespace

std::uint8_t WorkState::priority_of(const storage::MessageMeta& meta) const {
  if (quorum_)
    return meta.has_priority ? std::min(meta.priority, quorum_priority_max) : quorum_priority_default;
  return meta.has_priority ? std::min(meta.priority, priority_max_) : 0;
}

WorkState::Level& WorkState::level(std::uint8_t priority) {
  std::size_t i = 0;
  while (i < levels_.size() && levels_[i].priority > priority) ++i;
  if (i == levels_.size() || levels_[i].priority != priority) {
    levels_.emplace(levels_.begin() + static_cast<std::ptrdiff_t>(i));
    levels_[i].priority = priority;
  }
  return levels_[i];
}

WorkState::Rare& WorkState::rare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

base::Offset WorkState::enqueue(const storage::MessageMeta& meta, std::uint32_t bytes) {
  const base::Offset offset = next_;
  next_ = next_ + 1;
  level(priority_of(meta)).ready.insert(offset);
  ++totals_.ready;
  totals_.ready_bytes += bytes;
  if (meta.expires_at_ms != 0) has_expirations_ = true;
  if (is_transient(meta)) {
    rare().transient.insert(offset);
    rare().transient_bytes += bytes;
  }
  return offset;
}

// ---- taking

std::optional<base::Offset> WorkState::head() const {
  if (totals_.ready == 0) return std::nullopt;
  if (quorum_)
    for (const Level& each : levels_)
      if (!each.returned.empty()) return each.returned.front();
  for (const Level& each : levels_)
    if (!each.ready.empty()) return each.ready.front();
  return std::nullopt;
}

std::optional<Taken> WorkState::take() {
  if (totals_.ready == 0) return std::nullopt;
  if (quorum_)
    for (Level& each : levels_)
      if (!each.returned.empty()) return taken_from(each, each.returned.pop_front());
  for (Level& each : levels_)
    if (!each.ready.empty()) return taken_from(each, each.ready.pop_front());
  INVARIANT(false, "{} ready and none found", totals_.ready);
}

Taken WorkState::take_at(base::Offset offset) {
  for (Level& each : levels_)
    if (each.returned.erase(offset) || each.ready.erase(offset)) return taken_from(each, offset);
  INVARIANT(false, "offset {} is not ready", offset.value);
}

Taken WorkState::taken_from(Level& from, base::Offset offset) {
  from.out.insert(offset);
  --totals_.ready;
  ++totals_.out;
  const Counts counts = counts_of(offset);
  Taken taken;
  taken.offset = offset;
  taken.acquired = counts.acquired;
  taken.failed = counts.failed;
  taken.priority = from.priority;
  return taken;
}

void WorkState::weigh(Taken& taken, std::uint32_t bytes) {
  taken.bytes = bytes;
  totals_.out_bytes += bytes;
  subtract(totals_.ready_bytes, bytes);
  if (is_known_transient(taken.offset)) rare_->transient_out_bytes += bytes;
}

void WorkState::put_back(const Taken& taken) {
  Level& to = level(taken.priority);
  INVARIANT(to.out.erase(taken.offset), "offset {} is not out", taken.offset.value);
  (quorum_ && taken.acquired > 0 ? to.returned : to.ready).insert(taken.offset);
  --totals_.out;
  ++totals_.ready;
  totals_.ready_bytes += taken.bytes;
  subtract(totals_.out_bytes, taken.bytes);
  if (is_known_transient(taken.offset)) subtract(rare_->transient_out_bytes, taken.bytes);
}

Taken WorkState::counted(Taken taken, bool failed) {
  taken.acquired = plus_one(taken.acquired);
  if (failed) taken.failed = plus_one(taken.failed);
  return taken;
}

void WorkState::requeue(const Taken& taken) {
  set_counts(taken.offset, {taken.acquired, taken.failed});
  put_back(taken);
}

std::uint32_t WorkState::settle(const Taken& taken) {
  Level& from = level(taken.priority);
  INVARIANT(from.out.erase(taken.offset), "offset {} is not out", taken.offset.value);
  --totals_.out;
  subtract(totals_.out_bytes, taken.bytes);
  if (totals_.ready == 0) {
    totals_.ready_bytes = 0;
    if (totals_.out == 0) totals_.out_bytes = 0, has_expirations_ = false;
  }
  if (!rare_) return taken.bytes;
  if (taken.acquired > 0) forget_counts(taken.offset);
  if (rare_->transient.empty() || !rare_->transient.erase(taken.offset)) return taken.bytes;
  subtract(rare_->transient_bytes, taken.bytes);
  subtract(rare_->transient_out_bytes, taken.bytes);
  return 0;
}

WorkPurge WorkState::purge(std::uint64_t& purged) {
  purged = totals_.ready;
  WorkPurge event;
  event.below = next_;
  event.bytes_left =
      totals_.out_bytes - (rare_ ? std::min(totals_.out_bytes, rare_->transient_out_bytes) : 0);
  OffsetSet out;
  for (Level& each : levels_) {
    each.ready.clear();
    each.returned.clear();
    out.insert_all(each.out);
  }
  out.for_each_run([&](base::Offset first, base::Offset last) { event.kept.add(first, last); });
  totals_.ready = totals_.ready_bytes = 0;
  if (!rare_) return event;
  const auto keep = [&](OffsetSet& set) {
    OffsetSet kept;
    set.for_each_run([&](base::Offset first, base::Offset last) {
      for (auto at = out.first_from(first); at && *at <= last; at = out.first_from(*at + 1)) kept.insert(*at);
    });
    set = std::move(kept);
  };
  keep(rare_->acquired);
  keep(rare_->failed);
  keep(rare_->transient);
  rare_->transient_bytes = rare_->transient_out_bytes;
  std::erase_if(rare_->counts, [&](const auto& each) { return !out.contains(base::Offset{each.first}); });
  return event;
}

// ---- counts

WorkState::Counts WorkState::counts_of(base::Offset offset) const {
  Counts counts;
  if (rare_ && rare_->acquired.contains(offset)) {
    const auto exact = rare_->counts.find(offset.value);
    if (exact != rare_->counts.end()) return exact->second;
    counts.acquired = 1;
    counts.failed = rare_->failed.contains(offset) ? 1 : 0;
  } else if (offset < recovered_below_) {
    counts.acquired = 1;
  }
  return counts;
}

void WorkState::set_counts(base::Offset offset, Counts counts) {
  if (counts.acquired == 0) return;
  Rare& all = rare();
  all.acquired.insert(offset);
  if (!quorum_) return;  // only whether it is redelivered
  if (counts.failed > 0) all.failed.insert(offset);
  if (counts.acquired > 1 || counts.failed > 1) all.counts[offset.value] = counts;
}

void WorkState::forget_counts(base::Offset offset) {
  rare_->acquired.erase(offset);
  rare_->failed.erase(offset);
  if (!rare_->counts.empty()) rare_->counts.erase(offset.value);
}

// ---- questions

bool WorkState::is_ready(base::Offset offset) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const Level& each) {
    return each.ready.contains(offset) || each.returned.contains(offset);
  });
}

bool WorkState::is_live(base::Offset offset) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const Level& each) {
    return each.ready.contains(offset) || each.out.contains(offset) || each.returned.contains(offset);
  });
}

OffsetSet WorkState::live() const {
  OffsetSet all;
  for (const Level& each : levels_) {
    all.insert_all(each.ready);
    all.insert_all(each.returned);
    all.insert_all(each.out);
  }
  return all;
}

bool WorkState::exceeds(const WorkOptions& limits) const {
  return totals_.ready > limits.length_max.value_or(UINT64_MAX) ||
         totals_.ready_bytes > limits.length_bytes_max.value_or(UINT64_MAX);
}

bool WorkState::would_exceed(const WorkOptions& limits, std::uint64_t bytes, std::uint64_t leaving) const {
  const std::uint64_t ready = totals_.ready - std::min(leaving, totals_.ready);
  const std::uint64_t ready_bytes = ready == 0 ? 0 : totals_.ready_bytes * ready / totals_.ready;
  return ready >= limits.length_max.value_or(UINT64_MAX) ||
         ready_bytes + bytes > limits.length_bytes_max.value_or(UINT64_MAX);
}

std::size_t WorkState::heap_bytes() const {
  std::size_t bytes = levels_.capacity() * sizeof(Level);
  for (const Level& each : levels_)
    bytes += each.ready.heap_bytes() + each.returned.heap_bytes() + each.out.heap_bytes();
  if (rare_)
    bytes += sizeof(Rare) + rare_->acquired.heap_bytes() + rare_->failed.heap_bytes() +
             rare_->transient.heap_bytes() + rare_->counts.size() * 32;
  return bytes;
}

}  // namespace sluice::queue
