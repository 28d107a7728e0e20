// SPDX-License-Identifier: Apache-2.0
// Options of AMQP 0-9-1, with RabbitMQ's names and defaults. Filled by the server before any shard starts.
#pragma once

#include <cstdint>

#include "base/options.h"

namespace sluice::amqp {

struct Options {
  std::uint32_t frame_max = 131'072;
  std::uint32_t initial_frame_max = 8'192;
  std::uint16_t channel_max = 2'047;
  std::uint16_t heartbeat = 60;
  base::DurationMs handshake_timeout{10'000};
  base::ByteSize max_message_size{16'777'216};
  std::uint32_t consumer_max_per_channel = 0;
  std::uint32_t channel_max_per_node = 0;
  std::uint32_t connection_max = 0;
  std::uint16_t default_consumer_prefetch = 0;

  static constexpr auto options() {
    using base::option;
    using base::Range;
    return std::tuple{
        option("frame_max", &Options::frame_max,
               "largest AMQP 0-9-1 frame in bytes, proposed to clients; 0: no limit of our own"),
        option("initial_frame_max", &Options::initial_frame_max,
               "largest AMQP 0-9-1 frame in bytes before the limits are negotiated", Range{4'096, 1 << 20}),
        option("channel_max", &Options::channel_max,
               "channels of one AMQP 0-9-1 connection, proposed to clients; 0: no limit of our own"),
        option("heartbeat", &Options::heartbeat,
               "heartbeat in seconds proposed to AMQP 0-9-1 clients; 0: none"),
        option("handshake_timeout", &Options::handshake_timeout,
               "how long the handshake of an AMQP 0-9-1 connection may take", Range{100, 600'000}),
        option("max_message_size", &Options::max_message_size,
               "largest message in bytes that AMQP 0-9-1 clients may publish", Range{1, 512LL << 20}),
        option("consumer_max_per_channel", &Options::consumer_max_per_channel,
               "consumers on one AMQP 0-9-1 channel; 0: no limit"),
        option("channel_max_per_node", &Options::channel_max_per_node,
               "open AMQP 0-9-1 channels of the node; 0: no limit"),
        option("connection_max", &Options::connection_max, "open AMQP 0-9-1 connections; 0: no limit"),
        option("default_consumer_prefetch", &Options::default_consumer_prefetch,
               "prefetch of AMQP 0-9-1 consumers that set none; 0: no limit"),
    };
  }
};

}  // namespace sluice::amqp
