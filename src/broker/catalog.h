// SPDX-License-Identifier: Apache-2.0
// The catalog: vhosts, users, permissions, exchanges, bindings, queues. A deterministic machine: the same
// commands in the same order give the same catalog on every shard; no clock, no chance, no I/O. Each shard
// has its copy and reads it without asking; shard 0 decides first, writes the changes, then all apply the
// command.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "base/error.h"
#include "broker/commands.h"
#include "broker/records.h"

namespace sluice::broker {

using Record = std::variant<StateRecord, VhostRecord, UserRecord, PermissionRecord, QueueRecord,
                            ExchangeRecord, BindingRecord>;

struct RecordChange {
  Record record;
  bool removed = false;
};
using Changes = std::vector<RecordChange>;

class Catalog {
 public:
  // What the command would change, or why it is refused.
  base::Result<Changes> decide(const Command& command) const;
  // Decides and changes; a refused command changes nothing.
  base::Result<Changes> apply(const Command& command);
  // For loading what an earlier catalog stored; no checks.
  void load(Record record);

  // Pointers are valid until the record is next changed.
  const VhostRecord* vhost(std::string_view name) const;
  const UserRecord* user(std::string_view name) const;
  const PermissionRecord* permission(std::string_view vhost, std::string_view user) const;
  const QueueRecord* queue(std::string_view vhost, std::string_view name) const;
  const ExchangeRecord* exchange(std::string_view vhost, std::string_view name) const;

  std::size_t queue_count() const { return table<QueueRecord>().size(); }
  void for_each_queue(const std::function<void(const QueueRecord&)>& visit) const;
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
  const R* find(std::string_view first, std::string_view second = {}) const;
  template <class R>
  void change(R record, bool removed);

  base::Result<Changes> decide_one(const PutVhost& command) const;
  base::Result<Changes> decide_one(const PutUser& command) const;
  base::Result<Changes> decide_one(const PutPermission& command) const;
  base::Result<Changes> decide_one(const CreateStream& command) const;
  base::Result<Changes> decide_one(const DeleteStream& command) const;
  base::Result<Changes> decide_one(const CreateSuperStream& command) const;
  base::Result<Changes> decide_one(const DeleteSuperStream& command) const;
  base::Result<> check_room(std::uint64_t queue_limit, std::size_t wanted) const;
  void remove_stream(const QueueRecord& queue, Changes& changes) const;
  std::vector<const BindingRecord*> bindings_of(std::string_view vhost, std::string_view source) const;

  std::tuple<Table<StateRecord>, Table<VhostRecord>, Table<UserRecord>, Table<PermissionRecord>,
             Table<QueueRecord>, Table<ExchangeRecord>, Table<BindingRecord>>
      tables_;
};

// The record a stored key and value stand for.
base::Result<Record> parse_catalog_record(std::string_view key, std::string_view value);

}  // namespace sluice::broker
