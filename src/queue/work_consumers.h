// SPDX-License-Identifier: Apache-2.0
// The consumers of one work queue and whose turn it is: highest priority first, round robin within a
// priority, those that can take nothing now (prefetch, full session) passed over; one active consumer, and an
// exclusive one. A pure machine; WorkQueues owns the consumers themselves and delivers.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "queue/work_queue.h"
#include "queue/work_unacked.h"

namespace sluice::queue {

struct WorkQueue;

// A consumer, or the holder of what basic.get took, or a cancelled consumer with unsettled deliveries.
struct WorkConsumer {
  ConsumerId id;
  WorkQueue* queue = nullptr;
  ConsumerOptions options;
  UnackedList unacked;
  bool attached = false;  // takes part in deliveries
  bool ready = true;
  bool waiting = false;  // is in a list of WorkConsumers
  bool has_timer = false;
  WorkConsumer* before = nullptr;
  WorkConsumer* after = nullptr;

  bool has_credit() const {
    return options.no_ack || options.prefetch == 0 || unacked.count() < options.prefetch;
  }
};

class WorkConsumers {
 public:
  struct ActiveChange {
    WorkConsumer* before = nullptr;
    WorkConsumer* now = nullptr;
    explicit operator bool() const { return before != now; }
  };

  // access_refused: exclusive, or this one would be and is not the first, or one at a time is active anyway.
  base::Result<> may_add(const ConsumerOptions& options, bool single_active, bool quorum) const;
  ActiveChange add(WorkConsumer& consumer, bool single_active, bool quorum);
  ActiveChange remove(WorkConsumer& consumer);
  // After anything that may let it take more or less: credit, ready. May end the wait of a consumer of
  // higher priority for the active one to drain.
  ActiveChange refresh(WorkConsumer& consumer);

  // Whose turn it is; nullptr: nobody can take anything.
  WorkConsumer* next() const;
  // It took one.
  void rotate(WorkConsumer& consumer);
  // How many messages those who wait could take; UINT64_MAX without a limit.
  std::uint64_t credit() const;

  std::size_t count() const { return all_.size(); }
  WorkConsumer* active() const { return active_; }
  const std::vector<WorkConsumer*>& all() const { return all_; }

 private:
  struct Group {
    std::int32_t priority = 0;
    WorkConsumer* first = nullptr;
    WorkConsumer* last = nullptr;
  };
  bool may_wait(const WorkConsumer& consumer) const;
  Group& group(std::int32_t priority);
  void link(WorkConsumer& consumer);
  void unlink(WorkConsumer& consumer);
  ActiveChange elect();

  std::vector<WorkConsumer*> all_;  // in order of arrival
  std::vector<Group> groups_;       // highest priority first
  WorkConsumer* active_ = nullptr;
  bool single_active_ = false, quorum_ = false, exclusive_ = false;
};

}  // namespace sluice::queue
