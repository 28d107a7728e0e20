// SPDX-License-Identifier: Apache-2.0
// The catalog: vhosts, users, permissions, exchanges, bindings, queues. A deterministic machine: the same
// commands in the same order give the same catalog on every shard; no clock, no chance, no I/O. Each shard
// has its copy and reads it without asking; shard 0 decides first, writes the changes, then all apply the
// command.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "base/error.h"
#include "broker/commands.h"
#include "broker/records.h"

namespace sluice::broker {

using Record = std::variant<StateRecord, VhostRecord, UserRecord, PermissionRecord, TopicPermissionRecord,
                            QueueRecord, ExchangeRecord, BindingRecord, PolicyRecord>;

struct RecordChange {
  Record record;
  bool removed = false;
  bool stored = true;  // false: every shard knows it, the store does not
};
using Changes = std::vector<RecordChange>;

class Catalog {
 public:
  // What the command would change, or why it is refused.
  base::Result<Changes> decide(const Command& command) const;
  // Decides and changes; a refused command changes nothing.
  base::Result<Changes> apply(const Command& command);
  // Makes decided changes; what it returns takes them back by the same call.
  Changes make(const Changes& changes);
  // For loading what an earlier catalog stored; no checks.
  void load(Record record);

  // Pointers are valid until the record is next changed.
  const VhostRecord* vhost(std::string_view name) const;
  const UserRecord* user(std::string_view name) const;
  const PermissionRecord* permission(std::string_view vhost, std::string_view user) const;
  const TopicPermissionRecord* topic_permission(std::string_view vhost, std::string_view user,
                                                std::string_view exchange) const;
  const QueueRecord* queue(std::string_view vhost, std::string_view name) const;
  const QueueRecord* stream(std::string_view vhost, std::string_view name) const;  // a queue of type stream
  const ExchangeRecord* exchange(std::string_view vhost, std::string_view name) const;
  const BindingRecord* binding(const BindingRecord& like) const;  // of the same ends, key and arguments
  // In the order of their keys.
  std::vector<const BindingRecord*> bindings_of(std::string_view vhost, std::string_view source) const;
  std::vector<const BindingRecord*> bindings_to(std::string_view vhost, bool to_exchange,
                                                std::string_view destination) const;
  std::vector<const QueueRecord*> exclusive_queues_of(std::uint64_t client) const;
  // Anything is bound to the exchange as a source.
  bool has_bindings(std::string_view vhost, std::string_view source) const;

  std::size_t queue_count() const { return table<QueueRecord>().size(); }
  // The default exchange of each vhost counts, though it has no record.
  std::size_t exchange_count() const { return table<ExchangeRecord>().size() + table<VhostRecord>().size(); }
  // In the order of their keys: by vhost, then name.
  template <class R>
  void for_each(const std::function<void(const R&)>& visit) const {
    for (const auto& [key, record] : table<R>()) visit(record);
  }
  void for_each_queue(const std::function<void(const QueueRecord&)>& visit) const { for_each(visit); }
  bool empty() const { return table<VhostRecord>().empty(); }

  // Streams bound to the exchange, by partition order, each once; superstream_not_found.
  base::Result<std::vector<std::string>> partitions(std::string_view vhost, std::string_view exchange) const;
  // Streams a direct exchange sends this key to.
  base::Result<std::vector<std::string>> route(std::string_view vhost, std::string_view exchange,
                                               std::string_view routing_key) const;
  // Place of the stream among the partitions: the binding's argument, else the number after the name's last
  // '-', else -1.
  std::int32_t partition_index(std::string_view vhost, std::string_view super_stream,
                               std::string_view stream) const;

 private:
  template <class R>
  using Table = std::map<std::string, R, std::less<>>;  // by record_key
  template <class R>
  const Table<R>& table() const {
    return std::get<Table<R>>(tables_);
  }
  template <class R>
  const R* find(std::string_view first, std::string_view second = {}, std::string_view third = {}) const;
  template <class R>
  void change(R record, bool removed);

  class Draft;  // changes in the making (catalog_draft.h)

  base::Result<Changes> decide_one(const PutVhost& command) const;
  base::Result<Changes> decide_one(const DeleteVhost& command) const;
  base::Result<Changes> decide_one(const SetVhostLimits& command) const;
  base::Result<Changes> decide_one(const PutUser& command) const;
  base::Result<Changes> decide_one(const PutPermission& command) const;
  base::Result<Changes> decide_one(const PutTopicPermission& command) const;
  base::Result<Changes> decide_one(const ClearTopicPermissions& command) const;
  base::Result<Changes> decide_one(const CreateStream& command) const;
  base::Result<Changes> decide_one(const DeleteStream& command) const;
  base::Result<Changes> decide_one(const CreateSuperStream& command) const;
  base::Result<Changes> decide_one(const DeleteSuperStream& command) const;
  base::Result<Changes> decide_one(const DeclareExchange& command) const;
  base::Result<Changes> decide_one(const DeleteExchange& command) const;
  base::Result<Changes> decide_one(const DeclareQueue& command) const;
  base::Result<Changes> decide_one(const DeleteQueue& command) const;
  base::Result<Changes> decide_one(const DeleteExclusiveQueues& command) const;
  base::Result<Changes> decide_one(const Bind& command) const;
  base::Result<Changes> decide_one(const Unbind& command) const;
  base::Result<Changes> decide_one(const SetPolicy& command) const;
  base::Result<Changes> decide_one(const ClearPolicy& command) const;
  // Whether `wanted` queues more may be made, of which one is called `name`.
  base::Result<> check_room(std::string_view vhost, std::string_view name, std::uint64_t queue_limit,
                            std::size_t wanted) const;
  StateRecord state() const;
  // To streams, by partition order.
  std::vector<const BindingRecord*> partition_bindings(std::string_view vhost, std::string_view source) const;

  std::tuple<Table<StateRecord>, Table<VhostRecord>, Table<UserRecord>, Table<PermissionRecord>,
             Table<TopicPermissionRecord>, Table<QueueRecord>, Table<ExchangeRecord>, Table<BindingRecord>,
             Table<PolicyRecord>>
      tables_;
  // Bindings by where they lead: vhost, kind and destination as key names, then the binding's key.
  std::set<std::string, std::less<>> by_destination_;
  // Exclusive queues by owner: a connection that goes must not cost a walk over all queues.
  std::set<std::pair<std::uint64_t, std::string>> exclusive_;
};

// What a vhost has from its birth.
std::vector<ExchangeRecord> predeclared_exchanges(std::string_view vhost);

// The record a stored key and value stand for.
base::Result<Record> parse_catalog_record(std::string_view key, std::string_view value);

}  // namespace sluice::broker
