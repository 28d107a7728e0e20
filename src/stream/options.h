// SPDX-License-Identifier: Apache-2.0
// Options of the stream protocol, with RabbitMQ's names and defaults. Filled by the server before any shard
// starts.
#pragma once

#include <cstdint>
#include <string>

#include "base/options.h"

namespace sluice::stream {

struct Options {
  std::uint32_t initial_credits = 50'000;
  std::uint32_t credits_required_for_unblocking = 12'500;
  std::uint32_t frame_max = 1'048'576;
  std::uint32_t initial_frame_max = 8'192;
  std::uint32_t heartbeat = 60;
  std::string advertised_host;
  std::uint16_t advertised_port = 0;
  std::uint32_t max_connections = 0;
  std::uint32_t max_uncompressed_sub_entry_batch_size = 67'108'864;

  static constexpr auto options() {
    using base::option;
    using base::Range;
    return std::tuple{
        option("stream.initial_credits", &Options::initial_credits,
               "unconfirmed messages of one connection before its socket is no longer read",
               Range{1, 10'000'000}),
        option("stream.credits_required_for_unblocking", &Options::credits_required_for_unblocking,
               "credits at which such a socket is read again", Range{1, 10'000'000}),
        option("stream.frame_max", &Options::frame_max,
               "largest frame in bytes a client may send after Open; 0: no limit of our own"),
        option("stream.initial_frame_max", &Options::initial_frame_max,
               "largest frame in bytes a client may send before Open"),
        option("stream.heartbeat", &Options::heartbeat, "heartbeat in seconds proposed to clients; 0: none"),
        option("stream.advertised_host", &Options::advertised_host,
               "host that clients are told to connect to; empty: the address they connected to"),
        option("stream.advertised_port", &Options::advertised_port,
               "port that clients are told to connect to; 0: the port they connected to"),
        option("stream.max_connections", &Options::max_connections, "open stream connections; 0: no limit"),
        option("stream.max_uncompressed_sub_entry_batch_size",
               &Options::max_uncompressed_sub_entry_batch_size,
               "largest uncompressed size in bytes of a sub-entry batch"),
    };
  }
};

}  // namespace sluice::stream
