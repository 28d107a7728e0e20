// SPDX-License-Identifier: Apache-2.0
// Counters of the stream protocol; one instance per shard. Names as in RabbitMQ's stream dashboard where it
// has them.
#pragma once

#include "base/metrics.h"
#include "streamproto/codes.h"

namespace sluice::stream {

struct Metrics {
  base::Counter messages_received, messages_received_confirm, messages_confirmed, messages_delivered;
  base::Counter connections, connections_opened, connections_closed;
  base::Counter frames_received, chunks_delivered, publishers_blocked, connections_refused;
  base::Counter stream_does_not_exist, subscription_id_already_exists, subscription_id_does_not_exist,
      stream_already_exists, stream_not_available, sasl_mechanism_not_supported, authentication_failure,
      sasl_error, sasl_challenge, sasl_authentication_failure_loopback, vhost_access_failure, unknown_frame,
      frame_too_large, internal_error, access_refused, precondition_failed, publisher_does_not_exist;

  // An answer with this code was given. Codes without a counter are not counted.
  void count(streamproto::ResponseCode code, std::uint64_t n = 1);

  static constexpr auto metrics() {
    using base::MetricKind;
    constexpr std::string_view label = "protocol=\"stream\"";
    const auto counter = [label](std::string_view name, base::Counter Metrics::* member,
                                 std::string_view help) {
      return base::metric(name, member, MetricKind::counter, help, label);
    };
    const auto plain = [](std::string_view name, base::Counter Metrics::* member, MetricKind kind,
                          std::string_view help) { return base::metric(name, member, kind, help); };
    return std::tuple{
        counter("rabbitmq_global_messages_received_total", &Metrics::messages_received,
                "messages received from publishers"),
        counter("rabbitmq_global_messages_received_confirm_total", &Metrics::messages_received_confirm,
                "messages received from publishers that expect confirms"),
        counter("rabbitmq_global_messages_confirmed_total", &Metrics::messages_confirmed,
                "messages confirmed to publishers"),
        counter("rabbitmq_global_messages_delivered_total", &Metrics::messages_delivered,
                "messages delivered to consumers"),
        plain("rabbitmq_connections", &Metrics::connections, MetricKind::gauge, "connections now"),
        plain("rabbitmq_connections_opened_total", &Metrics::connections_opened, MetricKind::counter,
              "connections opened"),
        plain("rabbitmq_connections_closed_total", &Metrics::connections_closed, MetricKind::counter,
              "connections closed"),
        counter("sluice_stream_frames_received_total", &Metrics::frames_received, "frames received"),
        counter("sluice_stream_chunks_delivered_total", &Metrics::chunks_delivered, "Deliver frames sent"),
        counter("sluice_stream_publishers_blocked_total", &Metrics::publishers_blocked,
                "times a socket was no longer read because of unconfirmed messages"),
        counter("sluice_stream_connections_refused_total", &Metrics::connections_refused,
                "connections ended by us for what they sent or did not send"),
        counter("rabbitmq_global_stream_error_stream_does_not_exist_total", &Metrics::stream_does_not_exist,
                "answers with code 2"),
        counter("rabbitmq_global_stream_error_subscription_id_already_exists_total",
                &Metrics::subscription_id_already_exists, "answers with code 3"),
        counter("rabbitmq_global_stream_error_subscription_id_does_not_exist_total",
                &Metrics::subscription_id_does_not_exist, "answers with code 4"),
        counter("rabbitmq_global_stream_error_stream_already_exists_total", &Metrics::stream_already_exists,
                "answers with code 5"),
        counter("rabbitmq_global_stream_error_stream_not_available_total", &Metrics::stream_not_available,
                "answers with code 6"),
        counter("rabbitmq_global_stream_error_sasl_mechanism_not_supported_total",
                &Metrics::sasl_mechanism_not_supported, "answers with code 7"),
        counter("rabbitmq_global_stream_error_authentication_failure_total", &Metrics::authentication_failure,
                "answers with code 8"),
        counter("rabbitmq_global_stream_error_sasl_error_total", &Metrics::sasl_error, "answers with code 9"),
        counter("rabbitmq_global_stream_error_sasl_challenge_total", &Metrics::sasl_challenge,
                "answers with code 10"),
        counter("rabbitmq_global_stream_error_sasl_authentication_failure_loopback_total",
                &Metrics::sasl_authentication_failure_loopback, "answers with code 11"),
        counter("rabbitmq_global_stream_error_vhost_access_failure_total", &Metrics::vhost_access_failure,
                "answers with code 12"),
        counter("rabbitmq_global_stream_error_unknown_frame_total", &Metrics::unknown_frame,
                "closed with code 13"),
        counter("rabbitmq_global_stream_error_frame_too_large_total", &Metrics::frame_too_large,
                "closed with code 14"),
        counter("rabbitmq_global_stream_error_internal_error_total", &Metrics::internal_error,
                "answers with code 15"),
        counter("rabbitmq_global_stream_error_access_refused_total", &Metrics::access_refused,
                "answers with code 16"),
        counter("rabbitmq_global_stream_error_precondition_failed_total", &Metrics::precondition_failed,
                "answers with code 17"),
        counter("rabbitmq_global_stream_error_publisher_does_not_exist_total",
                &Metrics::publisher_does_not_exist, "answers with code 18"),
    };
  }
};

}  // namespace sluice::stream
