// SPDX-License-Identifier: Apache-2.0
// What two shards tell each other about work queues, each at most one mail per pair of shards and turn:
// WorkRequests go from the shard of a session to the shard that owns the queues (messages, settlements),
// WorkNews come back (deliveries, confirms, consumers that end). Between a shard and itself nothing is
// mailed.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "broker/message_batches.h"
#include "queue/work_queue.h"

namespace sluice::broker {

// A consumer, or what a channel has taken from a queue by basic.get. Made on the session's shard, which its
// upper bits name (news.h); the queue's shard knows it as its ConsumerId. Unique in the process, never
// reused.
using SourceId = queue::ConsumerId;

struct WorkRequests {
  struct Range {
    base::Offset first;
    std::uint64_t count = 0;
  };
  struct Settled {
    SourceId source;
    queue::Settlement settlement = queue::Settlement::accepted;
    std::uint32_t ranges = 0;  // of `ranges`, in order
  };
  struct Taken {  // deliveries that a client's session has room for again
    std::uint64_t client = 0;
    std::uint64_t bytes = 0;
  };

  PublishBatch published;
  std::vector<Settled> settled;
  std::vector<Range> ranges;
  std::vector<Taken> taken;

  void settle(SourceId source, std::span<const base::Offset> offsets, queue::Settlement settlement) {
    auto& entry = settled.emplace_back(source, settlement, 0);
    for (const auto offset : offsets) {
      if (entry.ranges > 0 && ranges.back().first + ranges.back().count == offset) {
        ++ranges.back().count;
      } else {
        ranges.push_back({offset, 1});
        ++entry.ranges;
      }
    }
  }
  bool empty() const { return published.empty() && settled.empty() && taken.empty(); }
};

struct WorkNews {
  struct Active {  // single active consumers
    SourceId source;
    bool active = false;
  };

  DeliveryBatch deliveries;
  std::vector<queue::Confirm> confirms;
  std::vector<SourceId> timed_out, lost;  // lost: their queue was deleted or failed
  std::vector<Active> active;
  std::optional<bool> full;       // the queues' journal is behind (true), or has caught up
  std::uint64_t taken_bytes = 0;  // published bytes that have reached the journal

  bool empty() const {
    return deliveries.empty() && confirms.empty() && timed_out.empty() && lost.empty() && active.empty() &&
           !full && taken_bytes == 0;
  }
};

}  // namespace sluice::broker
