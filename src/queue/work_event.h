// SPDX-License-Identifier: Apache-2.0
// What happened to the messages of one queue during one turn, as one journal event: runs of settled and of
// returned offsets, how far was delivered, purges. WorkQueues fills one while the turn goes on; WorkState
// applies the decoded one again when the journal is replayed. Layout: storage/FORMAT.md, "Work queues".
//
// Messages that are enqueued need no event: the journal's message record is one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace sluice::queue {

// Rows of offsets. In any order while offsets are added; sorted and without overlap after tidy() and as
// decoded.
class OffsetRuns {
 public:
  struct Run {
    base::Offset first, last;  // both included
    friend bool operator==(const Run&, const Run&) = default;
  };

  void add(base::Offset first, base::Offset last) {
    if (!runs_.empty() && runs_.back().last + 1 == first)
      runs_.back().last = last;
    else
      runs_.push_back({first, last});
  }
  void add(base::Offset offset) { add(offset, offset); }
  void tidy();
  bool empty() const { return runs_.empty(); }
  void clear() { runs_.clear(); }
  auto begin() const { return runs_.begin(); }
  auto end() const { return runs_.end(); }
  std::size_t capacity() const { return runs_.capacity(); }
  friend bool operator==(const OffsetRuns&, const OffsetRuns&) = default;

  void encode(base::ByteBuffer& out) const;  // precondition: tidy
  bool decode(base::ByteReader& from);

 private:
  std::vector<Run> runs_;
};

// What a purge did: ready messages below `below` are gone, except these, and this many bytes stayed.
struct WorkPurge {
  base::Offset below;
  OffsetRuns kept;
  std::uint64_t bytes_left = 0;
  friend bool operator==(const WorkPurge&, const WorkPurge&) = default;
};

struct WorkEvent {
  // Applied in this order.
  std::optional<WorkPurge> purge;
  std::optional<base::Offset> delivered_below;  // the high-water mark of deliveries that may come back
  OffsetRuns returned;                          // quorum: taken and given back; their counts grow
  OffsetRuns failed;                            // of these, by failed deliveries
  OffsetRuns settled;
  std::uint64_t settled_bytes = 0;
  friend bool operator==(const WorkEvent&, const WorkEvent&) = default;

  bool empty() const {
    return !purge && !delivered_below && returned.empty() && failed.empty() && settled.empty();
  }
  void clear();  // keeps memory
  void encode(base::ByteBuffer& out);
  // nullopt: malformed. Allocates at most 16 bytes per byte read.
  static std::optional<WorkEvent> decode(base::ByteView bytes);
};

}  // namespace sluice::queue
