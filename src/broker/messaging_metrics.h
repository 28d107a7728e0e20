// SPDX-License-Identifier: Apache-2.0
// What one shard's Messaging counts: of RabbitMQ's global counters for AMQP 0-9-1 those that a session cannot
// see (amqp/metrics.h has the others), and our own of what travels between shards.
#pragma once

#include "base/metrics.h"
#include "broker/messaging.h"
#include "queue/work_queue.h"

namespace sluice::broker {

struct MessagingMetrics {
  base::Counter routed, unroutable_dropped;
  base::Counter publishers, consumers;
  base::Counter mailed_publishes, mailed_publish_bytes, mailed_deliveries, mailed_delivery_bytes;
  base::Counter stopped, replies_dropped;
  // Dead letters: of classic queues, of quorum queues, of quorum queues with the strategy at-least-once.
  base::Counter classic_expired, classic_rejected, classic_maxlen;
  base::Counter quorum_expired, quorum_rejected, quorum_maxlen, quorum_delivery_limit;
  base::Counter kept_expired, kept_rejected, kept_delivery_limit, kept_confirmed;

  void count_dead_letter(QueueType type, bool at_least_once, queue::DeadReason reason) {
    const bool classic = type == QueueType::classic;
    switch (reason) {
      case queue::DeadReason::expired:
        return (classic ? classic_expired : at_least_once ? kept_expired : quorum_expired).add();
      case queue::DeadReason::rejected:
        return (classic ? classic_rejected : at_least_once ? kept_rejected : quorum_rejected).add();
      case queue::DeadReason::maxlen:
        return (classic ? classic_maxlen : quorum_maxlen).add();
      case queue::DeadReason::delivery_limit:
        return (at_least_once ? kept_delivery_limit : quorum_delivery_limit).add();
    }
  }

  static constexpr auto metrics() {
    using M = MessagingMetrics;
    using base::metric;
    constexpr auto counter = base::MetricKind::counter;
    constexpr auto gauge = base::MetricKind::gauge;
    constexpr auto amqp = "protocol=\"amqp091\"";
    constexpr auto classic = "queue_type=\"rabbit_classic_queue\",dead_letter_strategy=\"at_most_once\"";
    constexpr auto quorum = "queue_type=\"rabbit_quorum_queue\",dead_letter_strategy=\"at_most_once\"";
    constexpr auto kept = "queue_type=\"rabbit_quorum_queue\",dead_letter_strategy=\"at_least_once\"";
    constexpr auto expired_name = "rabbitmq_global_messages_dead_lettered_expired_total";
    constexpr auto expired_help = "messages dead lettered because they expired";
    constexpr auto rejected_name = "rabbitmq_global_messages_dead_lettered_rejected_total";
    constexpr auto rejected_help = "messages dead lettered because a consumer rejected them";
    constexpr auto maxlen_name = "rabbitmq_global_messages_dead_lettered_maxlen_total";
    constexpr auto maxlen_help = "messages dead lettered because their queue was full";
    constexpr auto limit_name = "rabbitmq_global_messages_dead_lettered_delivery_limit_total";
    constexpr auto limit_help = "messages dead lettered because they failed too often";
    return std::tuple{
        metric("rabbitmq_global_messages_routed_total", &M::routed, counter,
               "copies of messages given to queues and streams", amqp),
        metric("rabbitmq_global_messages_unroutable_dropped_total", &M::unroutable_dropped, counter,
               "messages that reached no queue and were dropped", amqp),
        metric("rabbitmq_global_publishers", &M::publishers, gauge, "channels that have published", amqp),
        metric("rabbitmq_global_consumers", &M::consumers, gauge, "consumers of queues", amqp),
        metric(expired_name, &M::classic_expired, counter, expired_help, classic),
        metric(expired_name, &M::quorum_expired, counter, expired_help, quorum),
        metric(expired_name, &M::kept_expired, counter, expired_help, kept),
        metric(rejected_name, &M::classic_rejected, counter, rejected_help, classic),
        metric(rejected_name, &M::quorum_rejected, counter, rejected_help, quorum),
        metric(rejected_name, &M::kept_rejected, counter, rejected_help, kept),
        metric(maxlen_name, &M::classic_maxlen, counter, maxlen_help, classic),
        metric(maxlen_name, &M::quorum_maxlen, counter, maxlen_help, quorum),
        metric(limit_name, &M::quorum_delivery_limit, counter, limit_help, quorum),
        metric(limit_name, &M::kept_delivery_limit, counter, limit_help, kept),
        metric("rabbitmq_global_messages_dead_lettered_confirmed_total", &M::kept_confirmed, counter,
               "dead letters that all their new queues have confirmed", kept),
        metric("sluice_mailed_publishes_total", &M::mailed_publishes, counter,
               "batches of messages mailed to the shard that owns their queues"),
        metric("sluice_mailed_publish_bytes_total", &M::mailed_publish_bytes, counter,
               "bytes of those batches"),
        metric("sluice_mailed_deliveries_total", &M::mailed_deliveries, counter,
               "batches of deliveries mailed to the shard of their consumers"),
        metric("sluice_mailed_delivery_bytes_total", &M::mailed_delivery_bytes, counter,
               "bytes of those batches"),
        metric("sluice_amqp_replies_dropped_total", &M::replies_dropped, counter,
               "direct replies dropped because the requester did not read"),
        metric("sluice_amqp_publishers_stopped_total", &M::stopped, counter,
               "times a publishing connection was not read because queues, a shard, the memory or the disk "
               "were full"),
    };
  }
};

}  // namespace sluice::broker
