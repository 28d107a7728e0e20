// SPDX-License-Identifier: Apache-2.0
// Administration as one shard answers it: from its own catalog copy where that is enough, else by a round
// over the shards. Owned by the shard's ShardBroker, used on its shard only.
#pragma once

#include "base/ports.h"
#include "broker/administration.h"

namespace sluice::broker {

class ShardBroker;

class ShardAdministration final : public Administration {
 public:
  ShardAdministration(base::Shard& shard, ShardBroker& broker) : shard_(shard), broker_(broker) {}

  void list_queues(std::string vhost, Done<std::vector<QueueRow>> done) override;
  void list_exchanges(std::string vhost, Done<std::vector<ExchangeRow>> done) override;
  void list_bindings(std::string vhost, Done<std::vector<BindingRow>> done) override;
  void list_queue_consumers(std::string vhost, Done<std::vector<QueueConsumerRow>> done) override;
  void list_policies(std::string vhost, std::string_view kind, Done<std::vector<PolicyRecord>> done) override;
  void list_delayed(std::string vhost, std::size_t limit, Done<std::vector<ScheduledRow>> done) override;
  void list_permissions(std::string vhost, Done<std::vector<PermissionRecord>> done) override;
  void list_users(Done<std::vector<UserRow>> done) override;
  void list_vhosts(Done<std::vector<VhostRow>> done) override;
  void purge_queue(const Identity& who, std::string vhost, std::string name,
                   Done<std::uint64_t> done) override;
  void delete_queue(const Identity& who, std::string vhost, std::string name, bool if_unused, bool if_empty,
                    Done<std::uint64_t> done) override;
  void set_policy(PolicyRecord policy, Done<> done) override;
  void clear_policy(std::string vhost, std::string kind, std::string name, Done<> done) override;
  void add_vhost(VhostRecord vhost, Done<> done) override;
  void delete_vhost(std::string name, Done<> done) override;
  void set_vhost_limits(VhostLimits limits, Done<> done) override;
  void list_vhost_limits(std::string vhost, Done<std::vector<VhostLimits>> done) override;
  void set_permissions(PermissionRecord permission, Done<> done) override;
  void set_topic_permissions(TopicPermissionRecord permission, Done<> done) override;
  void clear_topic_permissions(std::string vhost, std::string user, std::string exchange,
                               Done<> done) override;
  void list_topic_permissions(std::string vhost, Done<std::vector<TopicPermissionRecord>> done) override;
  void cancel_delayed(std::string vhost, std::string id, Done<> done) override;
  void set_memory_limit(MemoryPart limit, Done<> done) override { set_limit(false, limit, std::move(done)); }
  void set_disk_limit(MemoryPart limit, Done<> done) override { set_limit(true, limit, std::move(done)); }
  void close_connections(std::string vhost, std::string user, std::string reason,
                         Done<std::uint64_t> done) override;
  void close_connection(std::string name, std::string reason, Done<> done) override;

 private:
  void set_limit(bool disk, const MemoryPart& limit, Done<> done);
  base::Result<> check_vhost(std::string_view vhost) const;
  base::Result<> check_user(std::string_view user) const;

  base::Shard& shard_;
  ShardBroker& broker_;
};

}  // namespace sluice::broker
