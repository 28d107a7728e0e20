// SPDX-License-Identifier: Apache-2.0
// What a work queue is on the shard that owns it, arguments and policies merged: what the queue itself needs
// and what the broker does around it. Plain data.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/messaging.h"
#include "queue/work_queue.h"

namespace sluice::broker {

struct DeadLetterTarget {
  std::string exchange;
  std::optional<std::string> routing_key;  // nothing: the message's own keys
  bool at_least_once = false;              // kept until its new queues have it
};

struct QueueSettings {
  queue::WorkOptions options;
  std::optional<DeadLetterTarget> dead_letters;
};

// `effective`: arguments and policies of the queue merged, under the names of arguments (x-...).
// consumer_timeout_ms: of quorum queues that do not say; 0: none.
QueueSettings to_settings(QueueType type, bool durable, const base::FieldTable& effective,
                          std::int64_t consumer_timeout_ms);

// As the owner shard remembers it; there may be very many.
struct OwnedQueue {
  std::string vhost, name;
  QueueType type = QueueType::classic;
  bool auto_delete = false;
  std::unique_ptr<DeadLetterTarget> dead_letters;
};

}  // namespace sluice::broker
