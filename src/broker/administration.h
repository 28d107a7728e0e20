// SPDX-License-Identifier: Apache-2.0
// What operators ask of the broker (sluicectl, the management API) beyond what protocols do: listings over
// all shards, policies, vhosts, and hands laid on queues and connections. Answers as Broker's. Rights are
// the caller's question: who may reach this is an administrator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/field_table.h"
#include "broker/records.h"
#include "broker/types.h"

namespace sluice::broker {

// Rows: names of columns are RabbitMQ's (src/http/queue_rows.h).
struct QueueRow {
  std::string vhost, name, type;
  bool durable = true, auto_delete = false, exclusive = false;
  base::FieldTable arguments, effective_policy_definition;
  std::string policy, operator_policy;
  std::string owner;                                     // connection of an exclusive queue
  std::string exclusive_channel, exclusive_tag;          // of the exclusive consumer
  std::string single_active_channel, single_active_tag;  // of the one that is active
  std::uint64_t messages_ready = 0, messages_unacknowledged = 0, messages = 0;
  std::uint64_t messages_persistent = 0, message_bytes_persistent = 0;
  std::uint64_t message_bytes_ready = 0, message_bytes_unacknowledged = 0, message_bytes = 0;
  std::uint64_t published = 0, delivered = 0, acked = 0, redelivered = 0, dropped = 0, dead_lettered = 0;
  std::uint32_t consumers = 0;
  std::uint64_t memory = 0;  // bytes, of its state
  std::string state;         // running | down: reason
  std::uint32_t shard = 0;
  std::uint64_t log = 0;
};
struct ExchangeRow {
  std::string vhost, name, type;
  bool durable = true, auto_delete = false, internal = false;
  base::FieldTable arguments;
  std::string policy, user;
};
struct BindingRow {
  std::string vhost, source_name, source_kind, destination_name, destination_kind, routing_key;
  base::FieldTable arguments;
};
struct QueueConsumerRow {
  std::string vhost, queue_name, channel, consumer_tag, activity_status;
  bool ack_required = true, exclusive = false, active = true;
  std::uint32_t prefetch_count = 0;
  base::FieldTable arguments;
};
struct VhostRow {
  std::string name, description, default_queue_type;
};
// Negative: no limit.
struct VhostLimits {
  std::string vhost;
  std::int64_t queues = -1, connections = -1;
};
struct UserRow {
  std::string name;
  std::vector<std::string> tags;
};

// A limit as operators give it: in bytes, or as a part of the machine's memory.
struct MemoryPart {
  std::optional<std::uint64_t> bytes;
  double part = 0;
};

// How the texts of not_found begin for what is no queue, connection or policy: tools tell by them.
inline constexpr std::string_view no_vhost_prefix = "Virtual host '", no_user_prefix = "User ";
inline std::string no_vhost(std::string_view name) {
  return std::string(no_vhost_prefix) + std::string(name) + "' does not exist";
}
inline std::string no_user(std::string_view name) {
  return std::string(no_user_prefix) + std::string(name) + " does not exist";
}

class Administration {
 public:
  virtual ~Administration() = default;

  virtual void list_queues(std::string vhost, Done<std::vector<QueueRow>> done) = 0;
  virtual void list_exchanges(std::string vhost, Done<std::vector<ExchangeRow>> done) = 0;
  virtual void list_bindings(std::string vhost, Done<std::vector<BindingRow>> done) = 0;
  virtual void list_queue_consumers(std::string vhost, Done<std::vector<QueueConsumerRow>> done) = 0;
  virtual void list_policies(std::string vhost, std::string_view kind,
                             Done<std::vector<PolicyRecord>> done) = 0;
  // Messages that exchanges of type x-delayed-message hold back, the next due first, at most `limit`.
  virtual void list_delayed(std::string vhost, std::size_t limit, Done<std::vector<ScheduledRow>> done) = 0;
  virtual void list_permissions(std::string vhost, Done<std::vector<PermissionRecord>> done) = 0;
  virtual void list_users(Done<std::vector<UserRow>> done) = 0;
  virtual void list_vhosts(Done<std::vector<VhostRow>> done) = 0;

  virtual void purge_queue(const Identity& who, std::string vhost, std::string name,
                           Done<std::uint64_t> done) = 0;
  virtual void delete_queue(const Identity& who, std::string vhost, std::string name, bool if_unused,
                            bool if_empty, Done<std::uint64_t> done) = 0;
  virtual void set_policy(PolicyRecord policy, Done<> done) = 0;
  virtual void clear_policy(std::string vhost, std::string kind, std::string name, Done<> done) = 0;
  virtual void add_vhost(VhostRecord vhost, Done<> done) = 0;
  virtual void delete_vhost(std::string name, Done<> done) = 0;
  // What is there already stays.
  virtual void set_vhost_limits(VhostLimits limits, Done<> done) = 0;
  // Of those that have some; an empty name is any.
  virtual void list_vhost_limits(std::string vhost, Done<std::vector<VhostLimits>> done) = 0;
  // Regular expressions, as RabbitMQ's.
  virtual void set_permissions(PermissionRecord permission, Done<> done) = 0;
  virtual void set_topic_permissions(TopicPermissionRecord permission, Done<> done) = 0;
  // exchange empty: of all.
  virtual void clear_topic_permissions(std::string vhost, std::string user, std::string exchange,
                                       Done<> done) = 0;
  virtual void list_topic_permissions(std::string vhost, Done<std::vector<TopicPermissionRecord>> done) = 0;
  // By the id of its row; not_found when it is delivered, cancelled or never was.
  virtual void cancel_delayed(std::string vhost, std::string id, Done<> done) = 0;
  // Until the next start; the configuration stays as it is.
  virtual void set_memory_limit(MemoryPart limit, Done<> done) = 0;
  virtual void set_disk_limit(MemoryPart limit, Done<> done) = 0;
  // Of a vhost, or of a user, or of both; an empty one is any. How many.
  virtual void close_connections(std::string vhost, std::string user, std::string reason,
                                 Done<std::uint64_t> done) = 0;
  // By the name that listings show; not_found when nobody has it.
  virtual void close_connection(std::string name, std::string reason, Done<> done) = 0;
};

}  // namespace sluice::broker
