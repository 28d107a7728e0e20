// SPDX-License-Identifier: Apache-2.0
// What an Environment, a stream, a producer and a consumer can be told. Plain data with working defaults; a
// bound stands on everything that could grow.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "streamproto/entries.h"
#include "streamproto/offset_spec.h"

namespace sluice::client {

using streamproto::Compression;
using streamproto::OffsetSpec;

struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 5552;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// Reconnection: waits first_delay, then twice as long each time up to max_delay; gives up after attempts_max
// in a row.
struct RetryPolicy {
  std::chrono::milliseconds first_delay{200};
  std::chrono::milliseconds max_delay{5'000};
  std::uint32_t attempts_max = 60;
};

struct EnvironmentOptions {
  std::vector<Endpoint> endpoints{Endpoint{}};  // tried in order for the locator connection
  std::string vhost = "/";
  std::string user = "guest";
  std::string password = "guest";
  std::string connection_name = "sluice-client";
  std::uint32_t heartbeat_s = 60;               // 0: none
  std::uint32_t frame_max_bytes = 1024 * 1024;  // of what we send; the server's limit holds when lower
  std::uint32_t deliver_bytes_max = 128 * 1024 * 1024;  // a larger chunk ends the connection
  std::chrono::milliseconds request_timeout{10'000};
  std::uint16_t producers_per_connection_max = 200;  // at most 256
  std::uint16_t consumers_per_connection_max = 50;   // at most 256
  bool use_advertised_addresses = true;              // false: always connect to `endpoints` (behind a proxy)
  RetryPolicy retry;
};

struct StreamOptions {
  std::optional<std::uint64_t> max_length_bytes = {};
  std::optional<std::chrono::seconds> max_age = {};
  std::optional<std::uint64_t> max_segment_bytes = {};
  std::optional<std::uint8_t> filter_bytes = {};  // Bloom filter per chunk, 16..255
  std::optional<std::uint32_t> initial_cluster_size = {};
  std::optional<std::string> leader_locator = {};  // client-local, balanced
};

struct ProducerOptions {
  std::string stream = {};
  std::string name = {};  // not empty: deduplicated by publishing id
  std::uint32_t unconfirmed_messages_max = 10'000;
  std::size_t unconfirmed_bytes_max = 64 * 1024 * 1024;
  std::uint16_t sub_batch_messages =
      1;  // above 1: so many messages are packed (and compressed) into one entry
  Compression compression = Compression::none;
};

class Consumer;

// One message as handed to a consumer. Views hold until the handler returns.
struct Delivery {
  const std::string& stream;
  std::uint64_t offset = 0;
  std::int64_t timestamp_ms = 0;  // of the chunk: when the broker wrote it
  std::uint64_t committed_chunk_id =
      0;  // newest chunk of the stream when this was sent; 0: the server did not say
  base::ByteView body;
  Consumer& consumer;
};

using MessageHandler = std::function<void(const Delivery&)>;

struct TrackingOptions {
  bool auto_commit = true;                           // false: call Consumer::store_offset
  std::uint32_t commit_messages = 10'000;            // after so many messages
  std::chrono::milliseconds commit_interval{5'000};  // and at least so often
};

struct FilterOptions {
  std::vector<std::string> values = {};  // the server sends what may carry one of them
  bool match_unfiltered = false;
  std::string expression = {};  // Sluice: filter-expr, exact on the server
  std::string mode = {};        // Sluice: filter-mode auto | chunk | exact
  std::string field = {};       // Sluice: filter-field, the name of the filter value in expressions
  // Servers that filter by chunk (RabbitMQ, filter-mode chunk) also send neighbours: this decides on the
  // client.
  std::function<bool(base::ByteView body)> post_filter = {};
};

struct ConsumerOptions {
  std::string stream = {};
  std::string name = {};  // for tracking and single active consumer
  OffsetSpec start = OffsetSpec::next();
  // Chunks in flight. Default: 10; 200 with a filter, whose exact answers come as many small chunks.
  std::optional<std::uint16_t> initial_credit = {};
  bool check_crc = true;
  std::optional<TrackingOptions>
      tracking;  // needs a name; then starts after the stored offset when there is one
  std::optional<FilterOptions> filter = {};
  bool single_active = false;
  std::string super_stream = {};  // when the stream is a partition of it
  // Single active consumer: called when this one becomes active (true) or steps down (false). What it returns
  // for `true` is where to start; nothing: after the stored offset, or `start` when none is stored.
  std::function<std::optional<OffsetSpec>(Consumer&, bool active)> on_update = {};
  // Called once when the consumer ended for good: the stream is gone, retries are used up.
  std::function<void(const base::Error&)> on_failed = {};
};

// What the stored statistics say; absent where the server has none.
struct StreamStatistics {
  std::optional<std::uint64_t> first_chunk_id = {};
  std::optional<std::uint64_t> last_chunk_id = {};
  std::optional<std::uint64_t> committed_chunk_id = {};
  std::optional<std::uint64_t> committed_offset = {};
};

struct StreamPlacement {
  std::optional<Endpoint> leader = {};
  std::vector<Endpoint> replicas = {};
};

}  // namespace sluice::client
