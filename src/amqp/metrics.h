// SPDX-License-Identifier: Apache-2.0
// Counters of AMQP 0-9-1 sessions; one instance per shard. Names as RabbitMQ's Prometheus plugin has them.
#pragma once

#include "base/metrics.h"
#include "broker/messaging.h"

namespace sluice::amqp {

// What is counted per type of the queue a message was delivered from.
template <broker::QueueType type>
struct DeliveryMetrics {
  base::Counter delivered, consume_manual_ack, consume_auto_ack, get_manual_ack, get_auto_ack, redelivered;

  static constexpr std::string_view labels() {
    switch (type) {
      case broker::QueueType::classic:
        return "protocol=\"amqp091\",queue_type=\"rabbit_classic_queue\"";
      case broker::QueueType::quorum:
        return "protocol=\"amqp091\",queue_type=\"rabbit_quorum_queue\"";
      case broker::QueueType::stream:
        return "protocol=\"amqp091\",queue_type=\"rabbit_stream_queue\"";
    }
  }
  static constexpr auto metrics() {
    using D = DeliveryMetrics;
    const auto counter = [](std::string_view name, base::Counter D::* member, std::string_view help) {
      return base::metric(name, member, base::MetricKind::counter, help, labels());
    };
    return std::tuple{
        counter("rabbitmq_global_messages_delivered_total", &D::delivered, "messages delivered to consumers"),
        counter("rabbitmq_global_messages_delivered_consume_manual_ack_total", &D::consume_manual_ack,
                "messages delivered to consumers that acknowledge"),
        counter("rabbitmq_global_messages_delivered_consume_auto_ack_total", &D::consume_auto_ack,
                "messages delivered to consumers that do not acknowledge"),
        counter("rabbitmq_global_messages_delivered_get_manual_ack_total", &D::get_manual_ack,
                "messages taken with basic.get, to be acknowledged"),
        counter("rabbitmq_global_messages_delivered_get_auto_ack_total", &D::get_auto_ack,
                "messages taken with basic.get without acknowledgement"),
        counter("rabbitmq_global_messages_redelivered_total", &D::redelivered,
                "messages delivered that had been delivered before")};
  }
};

struct Metrics {
  base::Counter messages_received, messages_received_confirm, messages_confirmed, messages_returned,
      messages_settled, get_empty;
  base::Counter connections, connections_opened, connections_closed;
  base::Counter channels, channels_opened, channels_closed;
  base::Counter consumers;
  base::Counter frames_received, connections_refused, connections_blocked, channel_errors, connection_errors,
      transactions_committed;
  DeliveryMetrics<broker::QueueType::classic> classic;
  DeliveryMetrics<broker::QueueType::quorum> quorum;
  DeliveryMetrics<broker::QueueType::stream> stream;

  template <class F>
  void delivered(broker::QueueType type, F&& count) {
    switch (type) {
      case broker::QueueType::classic:
        return count(classic);
      case broker::QueueType::quorum:
        return count(quorum);
      case broker::QueueType::stream:
        return count(stream);
    }
  }
  // All of them; the parts per queue type register on their own.
  void add_to(base::MetricsRegistry& registry) const {
    registry.add(*this);
    registry.add(classic);
    registry.add(quorum);
    registry.add(stream);
  }

  static constexpr auto metrics() {
    using base::MetricKind;
    using M = Metrics;
    const auto global = [](std::string_view name, base::Counter M::* member, std::string_view help) {
      return base::metric(name, member, MetricKind::counter, help, "protocol=\"amqp091\"");
    };
    const auto counter = [](std::string_view name, base::Counter M::* member, std::string_view help) {
      return base::metric(name, member, MetricKind::counter, help);
    };
    const auto gauge = [](std::string_view name, base::Counter M::* member, std::string_view help) {
      return base::metric(name, member, MetricKind::gauge, help);
    };
    return std::tuple{
        global("rabbitmq_global_messages_received_total", &M::messages_received,
               "messages received from publishers"),
        global("rabbitmq_global_messages_received_confirm_total", &M::messages_received_confirm,
               "messages received from publishers that expect confirms"),
        global("rabbitmq_global_messages_confirmed_total", &M::messages_confirmed,
               "messages confirmed to publishers"),
        global("rabbitmq_global_messages_unroutable_returned_total", &M::messages_returned,
               "mandatory messages returned to their publishers"),
        global("rabbitmq_global_messages_acknowledged_total", &M::messages_settled,
               "messages acknowledged by consumers"),
        global("rabbitmq_global_messages_get_empty_total", &M::get_empty, "basic.get that found nothing"),
        gauge("rabbitmq_connections", &M::connections, "connections now"),
        counter("rabbitmq_connections_opened_total", &M::connections_opened, "connections opened"),
        counter("rabbitmq_connections_closed_total", &M::connections_closed, "connections closed"),
        gauge("rabbitmq_channels", &M::channels, "channels now"),
        counter("rabbitmq_channels_opened_total", &M::channels_opened, "channels opened"),
        counter("rabbitmq_channels_closed_total", &M::channels_closed, "channels closed"),
        gauge("rabbitmq_consumers", &M::consumers, "consumers on AMQP channels now"),
        counter("sluice_amqp_frames_received_total", &M::frames_received, "frames received"),
        counter("sluice_amqp_connections_refused_total", &M::connections_refused,
                "connections that did not get through their handshake"),
        counter("sluice_amqp_connections_blocked_total", &M::connections_blocked,
                "times a publishing connection was blocked by an alarm"),
        counter("sluice_amqp_channel_errors_total", &M::channel_errors, "channels closed by us"),
        counter("sluice_amqp_connection_errors_total", &M::connection_errors, "connections closed by us"),
        counter("sluice_amqp_transactions_committed_total", &M::transactions_committed,
                "transactions committed")};
  }
};

}  // namespace sluice::amqp
