// SPDX-License-Identifier: Apache-2.0
// What the work queues of one shard count. One instance per shard. Gauges are sums over its queues.
#pragma once

#include "base/metrics.h"

namespace sluice::queue {

struct WorkMetrics {
  base::Counter ready, unacked, messages, bytes, consumers;
  base::Counter published, delivered, acked, redelivered, dropped, dead, expired, lost, rejected_publishes;

  static constexpr auto metrics() {
    using base::metric;
    using Me = WorkMetrics;
    constexpr auto counter = base::MetricKind::counter;
    constexpr auto gauge = base::MetricKind::gauge;
    return std::tuple{
        metric("rabbitmq_queue_messages_ready", &Me::ready, gauge, "messages ready to be delivered"),
        metric("rabbitmq_queue_messages_unacked", &Me::unacked, gauge, "messages delivered and not settled"),
        metric("rabbitmq_queue_messages", &Me::messages, gauge, "messages ready and not settled"),
        metric("rabbitmq_queue_messages_bytes", &Me::bytes, gauge, "size of the bodies of these"),
        metric("rabbitmq_queue_consumers", &Me::consumers, gauge, "consumers of work queues"),
        metric("rabbitmq_queue_messages_published_total", &Me::published, counter,
               "messages put into work queues, once per queue"),
        metric("rabbitmq_queue_messages_delivered_total", &Me::delivered, counter,
               "messages delivered from work queues, gets included"),
        metric("rabbitmq_queue_messages_acked_total", &Me::acked, counter, "messages acknowledged"),
        metric("rabbitmq_queue_messages_redelivered_total", &Me::redelivered, counter,
               "of the delivered, those that may have been delivered before"),
        metric("sluice_queue_messages_dropped_total", &Me::dropped, counter,
               "messages dropped because their queue was full"),
        metric("sluice_queue_messages_expired_total", &Me::expired, counter, "messages that expired"),
        metric("sluice_queue_messages_dead_total", &Me::dead, counter, "messages handed on as dead letters"),
        metric("sluice_queue_messages_lost_total", &Me::lost, counter,
               "messages that could not be read because of damage"),
        metric("sluice_queue_publishes_rejected_total", &Me::rejected_publishes, counter,
               "messages that full queues refused"),
    };
  }
};

}  // namespace sluice::queue
