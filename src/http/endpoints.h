// SPDX-License-Identifier: Apache-2.0
// The commands of an operator, each declared once: its name, what it asks and the rows it answers. From the
// declaration follow the route (POST /api/command/<name> on the unix socket), the JSON of both directions,
// the command of sluicectl with its arguments, help and columns. The meaning stands in commands.cc.
//
// Fields of a Request are options of the CLI (`--like-this`), except Positional ones.
#pragma once

#include <array>

#include "http/node_endpoints.h"
#include "http/queue_endpoints.h"
#include "http/request_parts.h"
#include "http/rows.h"

namespace sluice::http {

// Arguments a stream can be created with, as in RabbitMQ's CLI; empty: not given.
struct StreamSettings {
  std::string max_length_bytes, max_age, stream_max_segment_size_bytes, stream_filter_size_bytes,
      initial_cluster_size, leader_locator, durability;
};

struct StatusRow {
  std::string name, version, data_dir, cluster;
  std::int64_t pid = 0;
  std::uint64_t uptime_seconds = 0;
  std::vector<std::string> listeners;
  std::uint32_t shards = 0;
  std::uint64_t streams = 0, connections = 0, publishers = 0, consumers = 0;
  std::uint64_t memory_bytes = 0, memory_limit_bytes = 0, disk_free_bytes = 0, disk_free_limit_bytes = 0;
  std::uint64_t open_files = 0, open_files_max = 0;
  bool memory_alarm = false, disk_alarm = false;
  static constexpr auto fields() {
    using R = StatusRow;
    using base::field;
    return std::tuple{field("name", &R::name, "of the node"),
                      field("cluster", &R::cluster, "its cluster"),
                      field("version", &R::version, "of the server"),
                      field("pid", &R::pid, "of the process"),
                      field("uptime_seconds", &R::uptime_seconds, "since its start"),
                      field("data_dir", &R::data_dir, "where it keeps everything"),
                      field("listeners", &R::listeners, "where it listens"),
                      field("shards", &R::shards, "threads that do the work"),
                      field("streams", &R::streams, "how many there are"),
                      field("connections", &R::connections, "of clients"),
                      field("publishers", &R::publishers, "of all connections"),
                      field("consumers", &R::consumers, "of all connections"),
                      field("memory_bytes", &R::memory_bytes, "resident"),
                      field("memory_limit_bytes", &R::memory_limit_bytes, "above it publishers wait"),
                      field("memory_alarm", &R::memory_alarm, "whether they do"),
                      field("disk_free_bytes", &R::disk_free_bytes, "where the data directory is"),
                      field("disk_free_limit_bytes", &R::disk_free_limit_bytes, "below it publishers wait"),
                      field("disk_alarm", &R::disk_alarm, "whether they do"),
                      field("open_files", &R::open_files, "descriptors"),
                      field("open_files_max", &R::open_files_max, "their limit")};
  }
};
struct Status {
  static constexpr std::string_view name = "status", doc = "Shows what the server is and how it does";
  static constexpr Shape shape = Shape::one;
  struct Request : NoRequest {};
  using Row = StatusRow;
};

struct Ping : Saying {
  static constexpr std::string_view name = "ping", doc = "Succeeds when the server answers";
  struct Request : NoRequest {};
};

struct Version : Saying {
  static constexpr std::string_view name = "version", doc = "Shows the version of the running server";
  struct Request : NoRequest {};
};

struct SettingRow {
  std::string key, value, default_value, source;
  static constexpr auto fields() {
    using R = SettingRow;
    return std::tuple{base::field("key", &R::key, "as in the configuration file", Shown{}),
                      base::field("value", &R::value, "in effect", Shown{}),
                      base::field("default", &R::default_value, "when nothing is said"),
                      base::field("source", &R::source, "where the value comes from", Shown{})};
  }
};
struct Environment : Listing<SettingRow> {
  static constexpr std::string_view name = "environment",
                                    doc = "Shows every option, its value and its source";
  struct Request : NoRequest {};
};

struct ListStreams : Listing<broker::StreamRow> {
  static constexpr std::string_view name = "list_streams", doc = "Lists the streams of a virtual host";
  struct Request : VhostRequest {};
};

struct StreamStatusRow {
  std::string role, node;
  std::uint64_t epoch = 0, offset = 0, committed_offset = 0;
  std::int64_t committed_chunk_id = -1;
  std::uint64_t first_offset = 0;
  std::uint32_t readers = 0;
  std::uint64_t segments = 0;
  std::string state;
  static constexpr auto fields() {
    using R = StreamStatusRow;
    using base::field;
    return std::tuple{field("role", &R::role, "leader or replica", Shown{}),
                      field("node", &R::node, "where it is", Shown{}),
                      field("epoch", &R::epoch, "leader term", Shown{}),
                      field("offset", &R::offset, "of the last message written", Shown{}),
                      field("committed_offset", &R::committed_offset, "of the last readable one", Shown{}),
                      field("committed_chunk_id", &R::committed_chunk_id, "of its chunk; -1: none", Shown{}),
                      field("first_offset", &R::first_offset, "of the oldest message held", Shown{}),
                      field("readers", &R::readers, "subscriptions", Shown{}),
                      field("segments", &R::segments, "files held", Shown{}),
                      field("state", &R::state, "running, or down and why", Shown{})};
  }
};
struct StreamStatus : Listing<StreamStatusRow> {
  static constexpr std::string_view name = "stream_status", doc = "Shows the state of a stream's replicas";
  struct Request : StreamRequest {};
};

template <class R>
constexpr auto stream_settings_fields() {
  using base::field;
  return std::tuple{
      field("max_length_bytes", &R::max_length_bytes, "the oldest segments go above this size, e.g. 20GB"),
      field("max_age", &R::max_age, "messages go at this age, e.g. 7D"),
      field("stream_max_segment_size_bytes", &R::stream_max_segment_size_bytes, "size of a segment"),
      field("stream_filter_size_bytes", &R::stream_filter_size_bytes, "Bloom filter of a chunk, 16 to 255"),
      field("initial_cluster_size", &R::initial_cluster_size, "replicas"),
      field("leader_locator", &R::leader_locator, "client-local or balanced"),
      field("durability", &R::durability, "written or synced")};
}

struct AddStream : Deed {
  static constexpr std::string_view name = "add_stream", doc = "Creates a stream";
  struct Request : StreamSettings {
    std::string stream;
    std::string vhost = "/";
    static constexpr auto fields() {
      return std::tuple_cat(
          std::tuple{base::field("stream", &Request::stream, "name of the new stream", Positional{}),
                     base::field("vhost", &Request::vhost, "virtual host")},
          stream_settings_fields<StreamSettings>());
    }
  };
};

struct DeleteStream : Deed {
  static constexpr std::string_view name = "delete_stream", doc = "Deletes a stream with everything in it";
  struct Request : StreamRequest {};
};

struct AddSuperStream : Deed {
  static constexpr std::string_view name = "add_super_stream",
                                    doc = "Creates a super stream: partitions behind one name";
  struct Request : StreamSettings {
    std::string super_stream;
    std::uint32_t partitions = 0;
    std::vector<std::string> binding_keys;
    std::string vhost = "/";
    static constexpr auto fields() {
      using base::field;
      return std::tuple_cat(
          std::tuple{
              field("super_stream", &Request::super_stream, "name of the new super stream", Positional{}),
              field("partitions", &Request::partitions, "how many partitions (3); not with binding keys"),
              field("binding_keys", &Request::binding_keys, "one partition per key, separated by commas"),
              field("vhost", &Request::vhost, "virtual host")},
          stream_settings_fields<StreamSettings>());
    }
  };
};

struct DeleteSuperStream : Deed {
  static constexpr std::string_view name = "delete_super_stream",
                                    doc = "Deletes a super stream and all its partitions";
  struct Request {
    std::string super_stream;
    std::string vhost = "/";
    static constexpr auto fields() {
      return std::tuple{
          base::field("super_stream", &Request::super_stream, "name of the super stream", Positional{}),
          base::field("vhost", &Request::vhost, "virtual host")};
    }
  };
};

struct ListStreamConnections : Listing<broker::ConnectionRow> {
  static constexpr std::string_view name = "list_stream_connections", doc = "Lists the stream connections";
  struct Request : VhostRequest {};
};
struct ListStreamPublishers : Listing<broker::PublisherRow> {
  static constexpr std::string_view name = "list_stream_publishers", doc = "Lists the publishers of streams";
  struct Request : VhostRequest {};
};
struct ListStreamConsumers : Listing<broker::ConsumerRow> {
  static constexpr std::string_view name = "list_stream_consumers", doc = "Lists the consumers of streams";
  struct Request : VhostRequest {};
};
struct ListStreamConsumerGroups : Listing<broker::GroupRow> {
  static constexpr std::string_view name = "list_stream_consumer_groups",
                                    doc = "Lists the groups of single active consumers";
  struct Request : VhostRequest {};
};
struct ListStreamGroupConsumers : Listing<broker::GroupMemberRow> {
  static constexpr std::string_view name = "list_stream_group_consumers",
                                    doc = "Lists the consumers of a group";
  struct Request : ReferenceRequest {};
};

struct ListStreamTracking : Listing<broker::TrackingRow> {
  static constexpr std::string_view name = "list_stream_tracking",
                                    doc = "Lists stored offsets and publishing ids of a stream";
  struct Request {
    std::string stream;
    std::string vhost = "/";
    bool all = false, offset = false, writer = false;
    static constexpr auto fields() {
      using base::field;
      return std::tuple{field("stream", &Request::stream, "name of the stream", Positional{}),
                        field("vhost", &Request::vhost, "virtual host"),
                        field("all", &Request::all, "both kinds (as when no kind is given)"),
                        field("offset", &Request::offset, "only offsets of consumers"),
                        field("writer", &Request::writer, "only publishing ids of publishers")};
    }
  };
};

struct ResetOffset : Deed {
  static constexpr std::string_view name = "reset_offset", doc = "Sets a stored offset to 0";
  struct Request : ReferenceRequest {};
};

template <class... E>
struct EndpointList {};
using Endpoints =
    EndpointList<Status, Ping, Version, Environment, ListStreams, StreamStatus, AddStream, DeleteStream,
                 AddSuperStream, DeleteSuperStream, ListStreamConnections, ListStreamPublishers,
                 ListStreamConsumers, ListStreamConsumerGroups, ListStreamGroupConsumers, ListStreamTracking,
                 ResetOffset, ListQueues, ListExchanges, ListBindings, ListConsumers, ListConnections,
                 ListChannels, PurgeQueue, RewindQueue, DeleteQueue, CloseConnection, SetPolicy, ListPolicies,
                 ClearPolicy, SetOperatorPolicy, ListOperatorPolicies, ClearOperatorPolicy, AddVhost,
                 DeleteVhost, ListVhosts, SetVhostLimits, ClearVhostLimits, ListVhostLimits, SetPermissions,
                 SetTopicPermissions, ClearTopicPermissions, ListTopicPermissions, ListUsers, ListPermissions,
                 CloseAllConnections, CloseAllUserConnections, ListDelayedMessages, CancelDelayedMessage,
                 SetMemoryWatermark, SetDiskFreeLimit>;

template <class F, class... E>
void for_each_endpoint(EndpointList<E...>, F&& f) {
  (f(E{}), ...);
}

inline constexpr std::string_view command_prefix = "/api/command/";

}  // namespace sluice::http
