// SPDX-License-Identifier: Apache-2.0
// Columns of the broker's listings: names as RabbitMQ's CLI prints them, in the order of a full listing.
// Shown marks those that are printed when no columns are asked for.
#pragma once

#include "base/described.h"
#include "broker/types.h"
#include "http/json.h"

namespace sluice::http {

struct Shown {};  // trait of a column: printed by default

template <>
struct Description<broker::ConnectionRow> {
  static constexpr auto fields() {
    using R = broker::ConnectionRow;
    using base::field;
    return std::tuple{field("conn_name", &R::conn_name, "peer and own address", Shown{}),
                      field("host", &R::host, "own address"),
                      field("port", &R::port, "own port"),
                      field("peer_host", &R::peer_host, "the client's address"),
                      field("peer_port", &R::peer_port, "the client's port"),
                      field("user", &R::user, "who is logged in"),
                      field("vhost", &R::vhost, "virtual host"),
                      field("connection_state", &R::connection_state, "where in its life it is"),
                      field("auth_mechanism", &R::auth_mechanism, "how the user logged in"),
                      field("heartbeat", &R::heartbeat, "seconds between heartbeats; 0: none"),
                      field("frame_max", &R::frame_max, "largest frame in bytes"),
                      field("subscriptions", &R::subscriptions, "consumers of this connection"),
                      field("publishers", &R::publishers, "publishers of this connection"),
                      field("connected_at", &R::connected_at, "ms since the epoch"),
                      field("client_properties", &R::client_properties, "what the client says about itself")};
  }
};

template <>
struct Description<broker::PublisherRow> {
  static constexpr auto fields() {
    using R = broker::PublisherRow;
    using base::field;
    return std::tuple{field("stream", &R::stream, "where it publishes", Shown{}),
                      field("publisher_id", &R::publisher_id, "chosen by the client", Shown{}),
                      field("reference", &R::reference, "name for deduplication; empty: none", Shown{}),
                      field("messages_published", &R::messages_published, "messages received", Shown{}),
                      field("messages_confirmed", &R::messages_confirmed, "messages confirmed", Shown{}),
                      field("messages_errored", &R::messages_errored, "messages refused", Shown{}),
                      field("connection_pid", &R::connection, "its connection", Shown{}),
                      field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::ConsumerRow> {
  static constexpr auto fields() {
    using R = broker::ConsumerRow;
    using base::field;
    return std::tuple{
        field("stream", &R::stream, "what it reads", Shown{}),
        field("subscription_id", &R::subscription_id, "chosen by the client", Shown{}),
        field("messages_consumed", &R::messages_consumed, "messages delivered", Shown{}),
        field("offset", &R::offset, "of the next message it looks at", Shown{}),
        field("offset_lag", &R::offset_lag, "messages to the end of the stream", Shown{}),
        field("credits", &R::credits, "chunks it will take", Shown{}),
        field("active", &R::active, "false: a single active consumer that waits", Shown{}),
        field("activity_status", &R::activity_status, "the same in RabbitMQ's words"),
        field("chunks_skipped", &R::chunks_skipped, "chunks its filter did not let be read"),
        field("segments_skipped", &R::segments_skipped, "segments its filter did not let be opened"),
        field("properties", &R::properties, "of the subscription"),
        field("connection_pid", &R::connection, "its connection", Shown{}),
        field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::GroupRow> {
  static constexpr auto fields() {
    using R = broker::GroupRow;
    using base::field;
    return std::tuple{
        field("stream", &R::stream, "what the group reads", Shown{}),
        field("reference", &R::reference, "name of the group", Shown{}),
        field("partition_index", &R::partition_index, "place in the super stream; -1: none", Shown{}),
        field("consumers", &R::consumers, "members", Shown{}), field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::GroupMemberRow> {
  static constexpr auto fields() {
    using R = broker::GroupMemberRow;
    using base::field;
    return std::tuple{field("subscription_id", &R::subscription_id, "chosen by the client", Shown{}),
                      field("connection_name", &R::connection_name, "its connection", Shown{}),
                      field("state", &R::state, "active or waiting", Shown{})};
  }
};

template <>
struct Description<broker::StreamRow> {
  static constexpr auto fields() {
    using R = broker::StreamRow;
    using base::field;
    return std::tuple{
        field("name", &R::name, "of the stream", Shown{}),
        field("messages", &R::messages, "messages held", Shown{}),
        field("segments", &R::segments, "files held", Shown{}),
        field("bytes", &R::bytes, "bytes on disk", Shown{}),
        field("publishers", &R::publishers, "publishers declared", Shown{}),
        field("consumers", &R::consumers, "subscriptions", Shown{}),
        field("first_offset", &R::first_offset, "of the oldest message held"),
        field("committed_offset", &R::committed_offset, "of the newest message readers may see"),
        field("committed_chunk_id", &R::committed_chunk_id, "of the newest chunk readers may see; -1: none"),
        field("epoch", &R::epoch, "leader term"),
        field("shard", &R::shard, "its owner"),
        field("state", &R::state, "running, or down and why", Shown{}),
        field("arguments", &R::arguments, "given at its creation"),
        field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::TrackingRow> {
  static constexpr auto fields() {
    using R = broker::TrackingRow;
    using base::field;
    return std::tuple{field("type", &R::type, "offset or writer", Shown{}),
                      field("name", &R::name, "reference of the consumer or publisher", Shown{}),
                      field("tracking_value", &R::tracking_value, "offset or publishing id", Shown{})};
  }
};

}  // namespace sluice::http
