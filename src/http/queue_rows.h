// SPDX-License-Identifier: Apache-2.0
// Columns of the listings of queues, exchanges, bindings, consumers, channels, connections, policies and
// vhosts, named as rabbitmqctl names them. Rows that are called otherwise in the stream listings have a type
// of their own here.
#pragma once

#include "broker/administration.h"
#include "http/rows.h"

namespace sluice::http {

// A queue with what the node adds. Columns that RabbitMQ has and this server does not count stay empty.
struct ListedQueue : broker::QueueRow {
  std::string pid, leader;
  std::vector<std::string> members;
  std::uint64_t in_memory = 0;  // bodies lie in the journal
  std::string uncounted;
  ListedQueue(broker::QueueRow row, const std::string& node)
      : broker::QueueRow(std::move(row)), pid(fmt::format("<{}.{}.{}>", node, shard, log)) {
    if (type == "classic") return;
    leader = node;
    members.push_back(node);
  }
  ListedQueue() = default;
};
struct PolicyRow : broker::PolicyRecord {
  std::string text;  // the definition as a text of JSON, which is how rabbitmqctl prints it in all formats
  explicit PolicyRow(broker::PolicyRecord policy)
      : broker::PolicyRecord(std::move(policy)), text(boost::json::serialize(table_to_json(definition))) {}
  PolicyRow() = default;
};
struct AnyConnectionRow : broker::ConnectionRow {
  explicit AnyConnectionRow(broker::ConnectionRow row) : broker::ConnectionRow(std::move(row)) {}
  AnyConnectionRow() = default;
  bool ssl = false;
  std::string none;
};
struct NamedChannelRow : broker::ChannelRow {
  std::string pid;
  explicit NamedChannelRow(broker::ChannelRow row)
      : broker::ChannelRow(std::move(row)), pid(fmt::format("{} ({})", connection, number)) {}
  NamedChannelRow() = default;
};

template <>
struct Description<ListedQueue> {
  static constexpr auto fields() {
    using R = ListedQueue;
    using base::field;
    return std::tuple{
        field("name", &R::name, "of the queue", Shown{}),
        field("durable", &R::durable, "survives a restart"),
        field("auto_delete", &R::auto_delete, "goes with its last consumer"),
        field("arguments", &R::arguments, "as declared"),
        field("policy", &R::policy, "that applies"),
        field("operator_policy", &R::operator_policy, "that applies"),
        field("effective_policy_definition", &R::effective_policy_definition, "both together"),
        field("pid", &R::pid, "node, shard and log"),
        field("owner_pid", &R::owner, "connection of an exclusive queue"),
        field("exclusive", &R::exclusive, "of one connection"),
        field("exclusive_consumer_pid", &R::exclusive_channel, "its channel"),
        field("exclusive_consumer_tag", &R::exclusive_tag, "of the consumer that is alone"),
        field("single_active_consumer_pid", &R::single_active_channel, "its channel"),
        field("single_active_consumer_tag", &R::single_active_tag, "of the consumer whose turn it is"),
        field("messages_ready", &R::messages_ready, "to be delivered"),
        field("messages_unacknowledged", &R::messages_unacknowledged, "delivered, not settled"),
        field("messages", &R::messages, "both together", Shown{}),
        field("messages_ready_ram", &R::in_memory, "0: messages are on disk"),
        field("messages_unacknowledged_ram", &R::in_memory, "0: messages are on disk"),
        field("messages_ram", &R::in_memory, "0: messages are on disk"),
        field("messages_persistent", &R::messages_persistent, "that survive a restart"),
        field("message_bytes", &R::message_bytes, "of all messages"),
        field("message_bytes_ready", &R::message_bytes_ready, "of those to be delivered"),
        field("message_bytes_unacknowledged", &R::message_bytes_unacknowledged, "of those not settled"),
        field("message_bytes_ram", &R::in_memory, "0: messages are on disk"),
        field("message_bytes_persistent", &R::message_bytes_persistent, "of those that survive a restart"),
        field("head_message_timestamp", &R::uncounted, "empty: not counted"),
        field("disk_reads", &R::uncounted, "empty: not counted by queue"),
        field("disk_writes", &R::uncounted, "empty: not counted by queue"),
        field("messages_published", &R::published, "since the start"),
        field("messages_delivered", &R::delivered, "since the start"),
        field("messages_acknowledged", &R::acked, "since the start"),
        field("messages_redelivered", &R::redelivered, "since the start"),
        field("messages_dropped", &R::dropped, "since the start"),
        field("messages_dead_lettered", &R::dead_lettered, "since the start"),
        field("consumers", &R::consumers, "how many"),
        field("consumer_utilisation", &R::uncounted, "empty: not counted"),
        field("consumer_capacity", &R::uncounted, "empty: not counted"),
        field("memory", &R::memory, "bytes its state takes"),
        field("state", &R::state, "running, or down and why"),
        field("type", &R::type, "classic, quorum or stream"),
        field("leader", &R::leader, "its node; empty: classic"),
        field("members", &R::members, "its nodes"),
        field("online", &R::members, "those of them that run"),
        field("shard", &R::shard, "its owner"),
        field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::ExchangeRow> {
  static constexpr auto fields() {
    using R = broker::ExchangeRow;
    using base::field;
    return std::tuple{field("name", &R::name, "of the exchange", Shown{}),
                      field("type", &R::type, "how it routes", Shown{}),
                      field("durable", &R::durable, "survives a restart"),
                      field("auto_delete", &R::auto_delete, "goes with its last binding"),
                      field("internal", &R::internal, "clients cannot publish to it"),
                      field("arguments", &R::arguments, "as declared"),
                      field("policy", &R::policy, "that applies"),
                      field("user_who_performed_action", &R::user, "who declared it"),
                      field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::BindingRow> {
  static constexpr auto fields() {
    using R = broker::BindingRow;
    using base::field;
    return std::tuple{field("source_name", &R::source_name, "exchange", Shown{}),
                      field("source_kind", &R::source_kind, "exchange", Shown{}),
                      field("destination_name", &R::destination_name, "queue or exchange", Shown{}),
                      field("destination_kind", &R::destination_kind, "queue or exchange", Shown{}),
                      field("routing_key", &R::routing_key, "binding key", Shown{}),
                      field("arguments", &R::arguments, "of the binding", Shown{}),
                      field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::QueueConsumerRow> {
  static constexpr auto fields() {
    using R = broker::QueueConsumerRow;
    using base::field;
    return std::tuple{field("queue_name", &R::queue_name, "what it consumes", Shown{}),
                      field("channel_pid", &R::channel, "its channel", Shown{}),
                      field("consumer_tag", &R::consumer_tag, "chosen by the client", Shown{}),
                      field("ack_required", &R::ack_required, "settles what it gets", Shown{}),
                      field("prefetch_count", &R::prefetch_count, "unsettled messages allowed", Shown{}),
                      field("active", &R::active, "false: waits its turn", Shown{}),
                      field("arguments", &R::arguments, "as given", Shown{}),
                      field("activity_status", &R::activity_status, "up, single_active or waiting"),
                      field("exclusive", &R::exclusive, "alone on its queue"),
                      field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<NamedChannelRow> {
  static constexpr auto fields() {
    using R = NamedChannelRow;
    using base::field;
    return std::tuple{
        field("pid", &R::pid, "connection and number", Shown{}),
        field("connection", &R::connection, "its connection"),
        field("name", &R::pid, "connection and number"),
        field("number", &R::number, "in its connection"),
        field("user", &R::user, "who is logged in", Shown{}),
        field("vhost", &R::vhost, "virtual host"),
        field("transactional", &R::transactional, "tx.select"),
        field("confirm", &R::confirm, "confirm.select"),
        field("consumer_count", &R::consumer_count, "how many", Shown{}),
        field("messages_unacknowledged", &R::messages_unacknowledged, "delivered, not settled", Shown{}),
        field("acks_uncommitted", &R::acks_uncommitted, "of an open transaction"),
        field("messages_uncommitted", &R::messages_uncommitted, "of an open transaction"),
        field("messages_unconfirmed", &R::messages_unconfirmed, "published, not confirmed"),
        field("prefetch_count", &R::prefetch_count, "of new consumers"),
        field("global_prefetch_count", &R::global_prefetch_count, "shared by all consumers"),
        field("state", &R::state, "where in its life it is")};
  }
};

template <>
struct Description<AnyConnectionRow> {
  static constexpr auto fields() {
    using R = AnyConnectionRow;
    using base::field;
    return std::tuple{field("pid", &R::conn_name, "what close_connection takes"),
                      field("name", &R::conn_name, "peer and own address"),
                      field("user_provided_name", &R::user_provided_name, "what the client calls itself"),
                      field("port", &R::port, "own port"),
                      field("host", &R::host, "own address"),
                      field("ssl", &R::ssl, "whether it is encrypted"),
                      field("ssl_protocol", &R::none, "empty: not encrypted"),
                      field("ssl_key_exchange", &R::none, "empty: not encrypted"),
                      field("ssl_cipher", &R::none, "empty: not encrypted"),
                      field("ssl_hash", &R::none, "empty: not encrypted"),
                      field("peer_cert_subject", &R::none, "empty: not encrypted"),
                      field("peer_cert_issuer", &R::none, "empty: not encrypted"),
                      field("peer_cert_validity", &R::none, "empty: not encrypted"),
                      field("user", &R::user, "who is logged in", Shown{}),
                      field("peer_host", &R::peer_host, "the client's address", Shown{}),
                      field("peer_port", &R::peer_port, "the client's port", Shown{}),
                      field("state", &R::connection_state, "where in its life it is", Shown{}),
                      field("channels", &R::channels, "how many are open"),
                      field("protocol", &R::protocol, "what it speaks"),
                      field("auth_mechanism", &R::auth_mechanism, "how the user logged in"),
                      field("vhost", &R::vhost, "virtual host"),
                      field("timeout", &R::heartbeat, "seconds between heartbeats; 0: none"),
                      field("frame_max", &R::frame_max, "largest frame in bytes"),
                      field("channel_max", &R::channel_max, "most channels"),
                      field("client_properties", &R::client_properties, "what the client says about itself"),
                      field("recv_oct", &R::recv_oct, "bytes received"),
                      field("recv_cnt", &R::recv_cnt, "reads"),
                      field("send_oct", &R::send_oct, "bytes sent"),
                      field("send_cnt", &R::send_cnt, "writes"),
                      field("send_pend", &R::send_pend, "bytes that wait to be sent"),
                      field("connected_at", &R::connected_at, "ms since the epoch")};
  }
};

template <>
struct Description<PolicyRow> {
  static constexpr auto fields() {
    using R = PolicyRow;
    using base::field;
    return std::tuple{field("vhost", &R::vhost, "virtual host", Shown{}),
                      field("name", &R::name, "of the policy", Shown{}),
                      field("pattern", &R::pattern, "names it applies to", Shown{}),
                      field("apply-to", &R::apply_to, "kinds of things it applies to", Shown{}),
                      field("definition", &R::text, "what it says, JSON", Shown{}),
                      field("priority", &R::priority, "the highest that matches applies", Shown{})};
  }
};

template <>
struct Description<broker::TopicPermissionRecord> {
  static constexpr auto fields() {
    using R = broker::TopicPermissionRecord;
    using base::field;
    return std::tuple{
        field("user", &R::user, "whose", Shown{}), field("exchange", &R::exchange, "topic exchange", Shown{}),
        field("write", &R::write, "keys to publish with", Shown{}),
        field("read", &R::read, "keys to bind with", Shown{}), field("vhost", &R::vhost, "virtual host")};
  }
};

template <>
struct Description<broker::VhostRow> {
  static constexpr auto fields() {
    using R = broker::VhostRow;
    using base::field;
    return std::tuple{field("name", &R::name, "of the vhost", Shown{}),
                      field("description", &R::description, "what it is for"),
                      field("default_queue_type", &R::default_queue_type, "of queues that do not say")};
  }
};

}  // namespace sluice::http
