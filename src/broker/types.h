// SPDX-License-Identifier: Apache-2.0
// Plain data that protocols and the broker exchange. No behaviour, no ownership beyond strings.
// Views (string_view, ByteView) in arguments are valid only during the call.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/field_table.h"
#include "base/ids.h"
#include "log/entry.h"

namespace sluice::broker {

// Who is connected. Filled by Broker::authenticate.
struct Identity {
  std::string user;
  std::vector<std::string> tags;
};

struct Credentials {
  std::string user;
  std::string password;
  bool anonymous = false;  // ANONYMOUS mechanism: the configured anonymous login user
  bool loopback = false;
};

enum class Permission : std::uint8_t { configure, write, read };

// Answer of an asynchronous call; runs on the shard that asked, in a later turn or before the call returns.
template <class T = void>
using Done = std::move_only_function<void(base::Result<T>)>;

// A session's registration with its shard's broker; unique in the process, never reused.
using ClientId = base::Id<struct ClientIdTag>;
// Chosen by the session for each publisher and subscription it declares, unique within the session for its
// whole life (so that news about a deleted publisher is recognised as late).
using Token = std::uint32_t;

// Arguments of a stream as text, keyed as in reference "Create": max-length-bytes, max-age,
// stream-max-segment-size-bytes, initial-cluster-size, queue-leader-locator, stream-filter-size-bytes, and
// ours: durability (written | synced). Unknown keys are ignored.
using StreamArguments = std::map<std::string, std::string>;

// What publishers hand over; the log takes it as it is.
using PublishEntry = log::Entry;

struct OffsetSpec {
  enum class Kind : std::uint8_t { first, last, next, offset, timestamp };
  Kind kind = Kind::next;
  std::uint64_t offset = 0;       // kind offset
  std::int64_t timestamp_ms = 0;  // kind timestamp
};

struct SubscribeRequest {
  std::string vhost;
  std::string stream;
  OffsetSpec offset;
  std::string name;  // consumer reference; empty when none
  bool single_active = false;
  std::string super_stream;  // empty when none
  // All subscription properties as sent; filter.*, match-unfiltered, filter-expr, filter-field, filter-mode
  // are read by the broker, all are shown in listings.
  std::vector<std::pair<std::string, std::string>> properties;
  std::uint32_t initial_credit = 0;
  std::uint32_t subscription_id = 0;  // as the client knows it, for list_group_members
};

struct StreamStats {
  std::int64_t first_chunk_id = -1;
  std::int64_t last_chunk_id = -1;
  std::int64_t committed_chunk_id = -1;
  std::int64_t committed_offset = -1;
};

// Where a stream lives, for Metadata. One node now; the shape is the cluster's.
struct StreamPlace {
  std::string name;
  std::optional<base::Errc> error;  // stream_not_found, stream_unavailable, access_refused
};

// Rows of the listings (sluicectl, management). Column names as in RabbitMQ's CLI.
struct ConnectionRow {
  std::string conn_name;
  std::string host, peer_host;
  std::uint16_t port = 0, peer_port = 0;
  std::string user, vhost, connection_state, auth_mechanism;
  std::uint32_t heartbeat = 0, frame_max = 0, subscriptions = 0, publishers = 0;
  std::int64_t connected_at = 0;
  base::FieldTable client_properties;
  std::string protocol = "stream";  // or "AMQP 0-9-1"
  std::string user_provided_name;
  std::uint32_t channels = 0, channel_max = 0;
  std::uint64_t recv_oct = 0, recv_cnt = 0, send_oct = 0, send_cnt = 0, send_pend = 0;
};
struct ChannelRow {
  std::string connection, user, vhost;
  std::uint32_t number = 0, consumer_count = 0;
  std::uint64_t messages_unacknowledged = 0, messages_unconfirmed = 0;
  std::uint64_t messages_uncommitted = 0, acks_uncommitted = 0;  // of an open transaction
  std::uint32_t prefetch_count = 0, global_prefetch_count = 0;
  bool transactional = false, confirm = false;
  std::string state;  // running | closing
};
struct PublisherRow {
  std::string connection, vhost, stream, reference;
  std::uint32_t publisher_id = 0;
  std::uint64_t messages_published = 0, messages_confirmed = 0, messages_errored = 0;
};
struct ConsumerRow {
  std::string connection, vhost, stream, activity_status;
  std::uint32_t subscription_id = 0, credits = 0;
  std::uint64_t messages_consumed = 0, offset = 0, offset_lag = 0;
  std::uint64_t chunks_skipped = 0, segments_skipped = 0;
  bool active = true;
  std::vector<std::pair<std::string, std::string>> properties;
};
struct GroupRow {
  std::string vhost, stream, reference;
  std::int32_t partition_index = -1;
  std::uint32_t consumers = 0;
};
struct GroupMemberRow {
  std::uint32_t subscription_id = 0;
  std::string connection_name, state;  // "active" | "waiting"
};
struct StreamRow {
  std::string vhost, name;
  StreamArguments arguments;
  std::uint64_t messages = 0, first_offset = 0, committed_offset = 0, bytes = 0, segments = 0;
  std::int64_t committed_chunk_id = -1;
  std::uint32_t publishers = 0, consumers = 0, shard = 0;
  std::uint64_t epoch = 0;
  std::string state;  // running | down: reason
};
struct ResourceLimits {
  std::uint64_t memory_bytes = 0, disk_free_bytes = 0;
  bool memory_alarm = false, disk_alarm = false;
};
struct ScheduledRow {
  std::string id, vhost, exchange, routing_key;
  std::int64_t due_ms = 0, received_at_ms = 0;
  std::uint64_t bytes = 0;  // of the body
};
struct TrackingRow {
  std::string type;  // "offset" | "writer"
  std::string name;
  std::uint64_t tracking_value = 0;
};

}  // namespace sluice::broker
