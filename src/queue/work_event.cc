// SPDX-License-Identifier: Apache-2.0
#include "queue/work_event.h"

#include <algorithm>

#include "queue/work_varint.h"

namespace sluice::queue {

namespace {

constexpr std::uint8_t version = 1;

// Each at most once, ascending.
enum class Part : std::uint8_t { purge = 1, delivered_below = 2, returned = 3, failed = 4, settled = 5 };

void begin_part(base::ByteBuffer& out, Part part) {
  out.push_back(static_cast<std::uint8_t>(part));
}

bool read_part(base::ByteReader& from, Part part, WorkEvent& event) {
  switch (part) {
    case Part::purge:
      event.purge.emplace();
      event.purge->below = base::Offset{read_varint(from)};
      event.purge->bytes_left = read_varint(from);
      return event.purge->kept.decode(from);
    case Part::delivered_below:
      event.delivered_below = base::Offset{read_varint(from)};
      return from.ok();
    case Part::returned:
      return event.returned.decode(from) && !event.returned.empty();
    case Part::failed:
      return event.failed.decode(from) && !event.failed.empty();
    case Part::settled:
      event.settled_bytes = read_varint(from);
      return event.settled.decode(from) && !event.settled.empty();
  }
  return false;
}

}  // namespace

void OffsetRuns::tidy() {
  const auto by_first = [](const Run& a, const Run& b) { return a.first < b.first; };
  if (!std::is_sorted(runs_.begin(), runs_.end(), by_first)) std::sort(runs_.begin(), runs_.end(), by_first);
  std::size_t kept = 0;
  for (const Run& run : runs_) {
    if (kept > 0 && run.first <= runs_[kept - 1].last + 1)
      runs_[kept - 1].last = std::max(runs_[kept - 1].last, run.last);
    else
      runs_[kept++] = run;
  }
  runs_.resize(kept);
}

void OffsetRuns::encode(base::ByteBuffer& out) const {
  write_varint(out, runs_.size());
  std::uint64_t next = 0;
  for (const Run& run : runs_) {
    write_varint(out, run.first.value - next);
    write_varint(out, run.last - run.first);
    next = run.last.value + 1;
  }
}

bool OffsetRuns::decode(base::ByteReader& from) {
  const std::uint64_t count = read_varint(from);
  if (!from.ok() || count > from.remaining() / 2) return false;
  runs_.reserve(count);
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t gap = read_varint(from), more = read_varint(from);
    constexpr std::uint64_t end = std::uint64_t{1} << 62;
    if (!from.ok() || gap >= end - next || more >= end - next - gap) return false;
    if (i > 0 && gap == 0) return false;
    runs_.push_back({base::Offset{next + gap}, base::Offset{next + gap + more}});
    next += gap + more + 1;
  }
  return true;
}

void WorkEvent::clear() {
  purge.reset();
  delivered_below.reset();
  returned.clear();
  failed.clear();
  settled.clear();
  settled_bytes = 0;
}

void WorkEvent::encode(base::ByteBuffer& out) {
  out.push_back(version);
  if (purge) {
    purge->kept.tidy();
    begin_part(out, Part::purge);
    write_varint(out, purge->below.value);
    write_varint(out, purge->bytes_left);
    purge->kept.encode(out);
  }
  if (delivered_below) {
    begin_part(out, Part::delivered_below);
    write_varint(out, delivered_below->value);
  }
  const auto write_runs = [&](Part part, OffsetRuns& runs, std::optional<std::uint64_t> bytes) {
    if (runs.empty()) return;
    runs.tidy();
    begin_part(out, part);
    if (bytes) write_varint(out, *bytes);
    runs.encode(out);
  };
  write_runs(Part::returned, returned, std::nullopt);
  write_runs(Part::failed, failed, std::nullopt);
  write_runs(Part::settled, settled, settled_bytes);
}

std::optional<WorkEvent> WorkEvent::decode(base::ByteView bytes) {
  base::ByteReader from(bytes);
  WorkEvent event;
  if (from.read<std::uint8_t>() != version) return std::nullopt;
  std::uint8_t before = 0;
  while (from.ok() && !from.at_end()) {
    const auto part = from.read<std::uint8_t>();
    if (part <= before || !read_part(from, static_cast<Part>(part), event)) return std::nullopt;
    before = part;
  }
  if (!from.ok()) return std::nullopt;
  return event;
}

}  // namespace sluice::queue
