// SPDX-License-Identifier: Apache-2.0
// Checkpoints of WorkState, and how checkpoint, messages and events make the state again. Layout:
// storage/FORMAT.md, "Work queues".
#include <algorithm>

#include "queue/work_state.h"
#include "queue/work_varint.h"

namespace sluice::queue {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t flag_expirations = 1, flag_rare = 2;

void erase_runs(OffsetSet& set, const OffsetRuns& runs) {
  for (const auto& run : runs)
    for (auto at = set.first_from(run.first); at && *at <= run.last;) {
      set.erase(*at);
      at = set.first_from(*at + 1);
    }
}

}  // namespace

// ---- writing

void WorkState::encode_checkpoint(base::ByteBuffer& out) const {
  const bool has_rare = rare_ && !rare_->acquired.empty();
  out.push_back(version);
  out.push_back(
      static_cast<std::uint8_t>((has_expirations_ ? flag_expirations : 0) | (has_rare ? flag_rare : 0)));
  write_varint(out, next_.value);
  write_varint(out, delivered_below_.value);
  const std::uint64_t bytes = totals_.ready_bytes + totals_.out_bytes;
  write_varint(out, bytes - std::min(bytes, rare_ ? rare_->transient_bytes : 0));
  const auto is_used = [](const Level& each) {
    return !each.ready.empty() || !each.returned.empty() || !each.out.empty();
  };
  write_varint(out, static_cast<std::uint64_t>(std::count_if(levels_.begin(), levels_.end(), is_used)));
  for (const Level& each : levels_)
    if (is_used(each)) encode_level(each, out);
  if (has_rare) encode_counts(out);
}

// After a crash everything that is out is ready.
void WorkState::encode_level(const Level& from, base::ByteBuffer& out) const {
  out.push_back(from.priority);
  const bool all_transient = !rare_ || rare_->transient.empty();
  if (from.returned.empty() && from.out.empty() && all_transient) return from.ready.encode(out);
  OffsetSet all = from.ready;
  all.insert_all(from.returned);
  all.insert_all(from.out);
  if (!all_transient) {
    OffsetRuns transient;
    rare_->transient.for_each_run([&](base::Offset first, base::Offset last) { transient.add(first, last); });
    erase_runs(all, transient);
  }
  all.encode(out);
}

void WorkState::encode_counts(base::ByteBuffer& out) const {
  rare_->acquired.encode(out);
  rare_->failed.encode(out);
  std::vector<std::pair<std::uint64_t, Counts>> sorted(rare_->counts.begin(), rare_->counts.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  write_varint(out, sorted.size());
  std::uint64_t next = 0;
  for (const auto& [offset, counts] : sorted) {
    write_varint(out, offset - next);
    write_varint(out, counts.acquired);
    write_varint(out, counts.failed);
    next = offset + 1;
  }
}

// ---- reading

bool WorkState::recover_checkpoint(base::ByteView bytes) {
  base::ByteReader from(bytes);
  if (from.read<std::uint8_t>() != version) return false;
  const auto flags = from.read<std::uint8_t>();
  has_expirations_ = (flags & flag_expirations) != 0;
  next_ = base::Offset{read_varint(from)};
  delivered_below_ = base::Offset{read_varint(from)};
  totals_.ready_bytes = read_varint(from);
  if (!from.ok() || flags > (flag_expirations | flag_rare) || next_.value >> 62 != 0) return false;
  if (!decode_levels(from)) return false;
  if ((flags & flag_rare) != 0 && !decode_counts(from)) return false;
  return from.ok() && from.at_end();
}

bool WorkState::decode_levels(base::ByteReader& from) {
  const std::uint64_t count = read_varint(from);
  if (!from.ok() || count > 256) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    Level read;
    read.priority = from.read<std::uint8_t>();
    if (!levels_.empty() && read.priority >= levels_.back().priority) return false;
    if (!read.ready.decode(from, next_)) return false;
    totals_.ready += read.ready.count();
    levels_.push_back(std::move(read));
  }
  return from.ok();
}

bool WorkState::decode_counts(base::ByteReader& from) {
  Rare& all = rare();
  if (!all.acquired.decode(from, next_) || !all.failed.decode(from, next_)) return false;
  const std::uint64_t count = read_varint(from);
  if (!from.ok() || count > from.remaining()) return false;
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t gap = read_varint(from), acquired = read_varint(from), failed = read_varint(from);
    if (!from.ok() || gap >= next_.value - std::min(next, next_.value)) return false;
    if (acquired > UINT16_MAX || failed > acquired) return false;
    all.counts[next + gap] = {static_cast<std::uint16_t>(acquired), static_cast<std::uint16_t>(failed)};
    next += gap + 1;
  }
  return true;
}

// ---- replay

void WorkState::recover_message(const storage::MessageMeta& meta, base::Offset offset, std::uint32_t bytes) {
  if (offset < next_ || offset.value >> 62 != 0) return;
  next_ = offset + 1;
  if (is_transient(meta)) return;
  level(priority_of(meta)).ready.insert(offset);
  ++totals_.ready;
  totals_.ready_bytes += bytes;
  if (meta.expires_at_ms != 0) has_expirations_ = true;
}

void WorkState::drop_ready(const OffsetRuns& runs) {
  for (Level& each : levels_) {
    totals_.ready -= each.ready.count();
    erase_runs(each.ready, runs);
    totals_.ready += each.ready.count();
  }
  if (!rare_) return;
  erase_runs(rare_->acquired, runs);
  erase_runs(rare_->failed, runs);
  if (rare_->counts.empty()) return;
  std::erase_if(rare_->counts,
                [&](const auto& each) { return !rare_->acquired.contains(base::Offset{each.first}); });
}

void WorkState::bump(const OffsetRuns& runs, bool failed) {
  for (const auto& run : runs)
    for (const Level& each : levels_)
      for (auto at = each.ready.first_from(run.first); at && *at <= run.last;
           at = each.ready.first_from(*at + 1)) {
        Taken taken;
        const Counts counts = counts_of(*at);
        taken.acquired = counts.acquired;
        taken.failed = counts.failed;
        taken = counted(taken, failed);
        // A failed delivery stands in both runs: it was acquired once.
        set_counts(*at, {failed ? counts.acquired : taken.acquired, taken.failed});
      }
}

void WorkState::recover_event(const WorkEvent& event) {
  if (event.purge) {
    OffsetRuns gone;
    base::Offset next;
    for (const auto& run : event.purge->kept) {
      if (run.first >= event.purge->below) break;
      if (run.first > next) gone.add(next, base::Offset{run.first.value - 1});
      next = run.last + 1;
    }
    if (next < event.purge->below) gone.add(next, base::Offset{event.purge->below.value - 1});
    drop_ready(gone);
    totals_.ready_bytes = event.purge->bytes_left;
  }
  if (event.delivered_below) delivered_below_ = std::max(delivered_below_, *event.delivered_below);
  bump(event.returned, false);
  bump(event.failed, true);
  drop_ready(event.settled);
  totals_.ready_bytes -= std::min(totals_.ready_bytes, event.settled_bytes);
}

void WorkState::finish_recovery(bool durable) {
  if (!durable) {
    levels_.clear();
    rare_.reset();
    totals_ = {};
    has_expirations_ = false;
  }
  recovered_below_ = delivered_below_ = std::min(delivered_below_, next_);
}

}  // namespace sluice::queue
