// SPDX-License-Identifier: Apache-2.0
// The records of the catalog: each a described struct, stored as record_codec.h says. Fields may be added at
// the end. What is transient (is_transient) is in the catalog of every shard and never in the store, so that
// a restart forgets it.
//
// Table `offsets` beside them: key = log id u64 big-endian | reference, value = offset u64 big-endian.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/field_table.h"
#include "base/ids.h"
#include "broker/record_codec.h"

namespace sluice::broker {

struct VhostRecord {
  static constexpr char table = 'v';
  std::string name;
  std::int64_t created_at_ms = 0;
  std::string default_queue_type = {};  // empty: the node's
  std::string description = {};
  std::int64_t queues_max = -1, connections_max = -1;  // negative: no limit
  auto key() const { return std::tie(name); }
  static constexpr auto fields() {
    using R = VhostRecord;
    return std::tuple{base::field("name", &R::name, ""),
                      base::field("created_at_ms", &R::created_at_ms, ""),
                      base::field("default_queue_type", &R::default_queue_type, ""),
                      base::field("description", &R::description, ""),
                      base::field("queues_max", &R::queues_max, "negative: no limit"),
                      base::field("connections_max", &R::connections_max, "negative: no limit")};
  }
};

struct UserRecord {
  static constexpr char table = 'u';
  std::string name;
  std::string password_hash;  // 4 bytes of salt, then SHA-256(salt, password)
  std::vector<std::string> tags;
  auto key() const { return std::tie(name); }
  static constexpr auto fields() {
    return std::tuple{base::field("name", &UserRecord::name, ""),
                      base::field("password_hash", &UserRecord::password_hash, ""),
                      base::field("tags", &UserRecord::tags, "")};
  }
};

// Patterns of resource names, as RabbitMQ's.
struct PermissionRecord {
  static constexpr char table = 'p';
  std::string vhost, user;
  std::string configure, write, read;
  auto key() const { return std::tie(vhost, user); }
  static constexpr auto fields() {
    using R = PermissionRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""), base::field("user", &R::user, ""),
                      base::field("configure", &R::configure, ""), base::field("write", &R::write, ""),
                      base::field("read", &R::read, "")};
  }
};

// What a user may send through a topic exchange and bind from it, by patterns of routing keys in which
// {username} and {vhost} stand for the user's. Without a record everything is allowed.
struct TopicPermissionRecord {
  static constexpr char table = 't';
  std::string vhost, user, exchange;
  std::string write, read;
  auto key() const { return std::tie(vhost, user, exchange); }
  static constexpr auto fields() {
    using R = TopicPermissionRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""), base::field("user", &R::user, ""),
                      base::field("exchange", &R::exchange, ""), base::field("write", &R::write, ""),
                      base::field("read", &R::read, "")};
  }
};

// Queues of every type; a stream is one of type `stream`. The log id is the queue id.
struct QueueRecord {
  static constexpr char table = 'q';
  std::string vhost, name;
  std::string type = "stream";
  std::uint64_t log_id = 0;
  std::map<std::string, std::string> arguments;  // of streams: what their log is opened with
  std::string owner;
  std::int64_t created_at_ms = 0;
  bool durable = true, auto_delete = false;
  base::FieldTable table_arguments =
      {};                             // as declared; of streams made without AMQP derived from `arguments`
  std::uint64_t exclusive_owner = 0;  // the connection's client id; 0: not exclusive. Never stored.
  auto key() const { return std::tie(vhost, name); }
  base::LogId log() const { return base::LogId{log_id}; }
  bool is_stream() const { return type == "stream"; }
  // A queue that keeps what it has settled: readable as a stream is.
  bool retains() const { return !is_stream() && table_arguments.find("x-retain") != nullptr; }
  bool exclusive() const { return exclusive_owner != 0; }
  static constexpr auto fields() {
    using R = QueueRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""),
                      base::field("name", &R::name, ""),
                      base::field("type", &R::type, "classic, quorum or stream"),
                      base::field("log_id", &R::log_id, "names the directory; never used twice"),
                      base::field("arguments", &R::arguments, "normalised"),
                      base::field("owner", &R::owner, "user that created it"),
                      base::field("created_at_ms", &R::created_at_ms, ""),
                      base::field("durable", &R::durable, ""),
                      base::field("auto_delete", &R::auto_delete, ""),
                      base::field("table_arguments", &R::table_arguments, "")};
  }
};

struct ExchangeRecord {
  static constexpr char table = 'e';
  std::string vhost, name;
  std::string type = "direct";
  bool super_stream = false;
  std::int64_t created_at_ms = 0;
  bool durable = true, auto_delete = false, internal = false;
  base::FieldTable table_arguments = {};
  std::string owner = {};
  auto key() const { return std::tie(vhost, name); }
  static constexpr auto fields() {
    using R = ExchangeRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""),
                      base::field("name", &R::name, ""),
                      base::field("type", &R::type, ""),
                      base::field("super_stream", &R::super_stream, "argument x-super-stream"),
                      base::field("created_at_ms", &R::created_at_ms, ""),
                      base::field("durable", &R::durable, ""),
                      base::field("auto_delete", &R::auto_delete, ""),
                      base::field("internal", &R::internal, ""),
                      base::field("table_arguments", &R::table_arguments, ""),
                      base::field("owner", &R::owner, "user that created it")};
  }
};

// Bindings that are told apart by their arguments or lead to an exchange have a longer key; the short one is
// that of a binding to a queue without arguments.
struct BindingRecord {
  static constexpr char table = 'b';
  std::string vhost, source, destination, routing_key;
  std::int64_t partition_order = -1;  // argument x-stream-partition-order; -1: none
  bool to_exchange = false;
  base::FieldTable table_arguments = {};  // sorted by name, without x-stream-partition-order
  std::uint64_t number = 0;               // in order of creation, which some exchange types keep
  bool transient = false;                 // one end is; never stored
  auto key() const { return std::tie(vhost, source, destination, routing_key); }
  std::string key_rest() const {
    if (!to_exchange && table_arguments.empty()) return {};
    base::ByteBuffer bytes{static_cast<std::uint8_t>(to_exchange ? 'x' : 'q')};
    base::ByteWriter writer(bytes);
    base::write_field_table(writer, table_arguments);
    return std::string(base::as_text(bytes));
  }
  static constexpr auto fields() {
    using R = BindingRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""),
                      base::field("source", &R::source, ""),
                      base::field("destination", &R::destination, ""),
                      base::field("routing_key", &R::routing_key, ""),
                      base::field("partition_order", &R::partition_order, "x-stream-partition-order"),
                      base::field("to_exchange", &R::to_exchange, ""),
                      base::field("table_arguments", &R::table_arguments, ""),
                      base::field("number", &R::number, "")};
  }
};

struct PolicyRecord {
  static constexpr char table = 'o';
  static constexpr std::string_view user_kind = "user", operator_kind = "operator";
  std::string vhost, kind, name;
  std::string pattern;          // a regular expression that the resource's name must contain
  std::string apply_to;         // all, queues, classic_queues, quorum_queues, streams, exchanges
  std::int64_t priority = 0;    // the highest that matches applies
  base::FieldTable definition;  // keys as in RabbitMQ's policies, without x-
  auto key() const { return std::tie(vhost, kind, name); }
  static constexpr auto fields() {
    using R = PolicyRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""),
                      base::field("kind", &R::kind, "user or operator"),
                      base::field("name", &R::name, ""),
                      base::field("pattern", &R::pattern, ""),
                      base::field("apply_to", &R::apply_to, ""),
                      base::field("priority", &R::priority, ""),
                      base::field("definition", &R::definition, "")};
  }
};

// One record: what the catalog must remember besides its contents. Queue ids are handed out from the store in
// blocks (log_id_block), so that a transient queue needs no write: what is loaded goes on with a fresh block.
inline constexpr std::uint64_t log_id_block = 1024;
struct StateRecord {
  static constexpr char table = 's';
  std::uint64_t next_log_id = 1;
  std::uint64_t next_binding = 1;
  auto key() const { return std::tuple<>{}; }
  static constexpr auto fields() {
    return std::tuple{base::field("next_log_id", &StateRecord::next_log_id, ""),
                      base::field("next_binding", &StateRecord::next_binding, "")};
  }
};

template <class R>
bool is_transient(const R& record) {
  if constexpr (std::is_same_v<R, QueueRecord>) {
    return !record.durable || record.exclusive();
  } else if constexpr (std::is_same_v<R, ExchangeRecord>) {
    return !record.durable;
  } else if constexpr (std::is_same_v<R, BindingRecord>) {
    return record.transient;
  } else {
    return false;
  }
}

}  // namespace sluice::broker
