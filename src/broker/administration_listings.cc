// SPDX-License-Identifier: Apache-2.0
// What there is: queues and their consumers by a round over the shards, all else from this shard's copy of
// the catalog.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

#include "broker/policies.h"
#include "broker/shard_administration.h"
#include "broker/shard_round.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

// A channel as listings name it.
std::string channel_name(const ShardBroker& broker, const Source& source) {
  return fmt::format("{} ({})", broker.connection_name(source.client->caller.client), source.channel);
}

QueueRow row_of(const ShardBroker& broker, const QueueRecord& queue) {
  QueueRow row;
  row.vhost = queue.vhost;
  row.name = queue.name;
  row.type = queue.type;
  row.durable = queue.durable;
  row.auto_delete = queue.auto_delete;
  row.exclusive = queue.exclusive();
  row.arguments = queue.table_arguments;
  row.shard = broker.owner_of(queue.log()).value;
  row.log = queue.log_id;
  row.state = "running";
  const auto& policies = broker.policies();
  row.effective_policy_definition = policies.definition_of(queue);
  if (const auto* policy = policies.of_queue(PolicyRecord::user_kind, queue)) row.policy = policy->name;
  if (const auto* policy = policies.of_queue(PolicyRecord::operator_kind, queue)) {
    row.operator_policy = policy->name;
  }
  return row;
}

void add_counts(ShardBroker& owner, const QueueRecord& queue, QueueRow& row) {
  if (queue.is_stream()) {
    const auto counts = owner.owner().counts(queue.log());
    row.messages = row.messages_ready = row.messages_persistent = counts.messages;
    row.consumers = counts.readers;
    if (const auto why = owner.owner().down_reason(queue.log())) row.state = "down: " + *why;
    return;
  }
  auto& messaging = owner.shard_messaging();
  if (!messaging.owner().is_open()) return;
  const auto stats = messaging.owner().queues().stats(base::QueueId{queue.log_id});
  if (!stats) return;
  if (messaging.owner().queues().is_offline()) row.state = "down: the journal failed";
  row.messages_ready = stats->ready;
  row.messages_unacknowledged = stats->unacked;
  row.messages = stats->ready + stats->unacked;
  if (queue.durable) {
    row.messages_persistent = stats->persistent;
    row.message_bytes_persistent = stats->persistent_bytes;
  }
  row.memory = stats->memory_bytes;
  row.message_bytes_ready = stats->ready_bytes;
  row.message_bytes_unacknowledged = stats->unacked_bytes;
  row.message_bytes = stats->ready_bytes + stats->unacked_bytes;
  row.published = stats->published;
  row.delivered = stats->delivered;
  row.acked = stats->acked;
  row.redelivered = stats->redelivered;
  row.dropped = stats->dropped;
  row.dead_lettered = stats->dead_lettered;
  row.consumers = stats->consumers;
}

}  // namespace

void ShardAdministration::list_queues(std::string vhost, Done<std::vector<QueueRow>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  // By log: what shards other than the queue's know of it. The round is on one shard at a time.
  auto elsewhere = std::make_shared<std::unordered_map<std::uint64_t, QueueRow>>();
  auto collect = [vhost, elsewhere](ShardBroker& there, std::vector<QueueRow>& rows) {
    there.catalog().for_each_queue([&](const QueueRecord& queue) {
      if (queue.vhost != vhost) return;
      if (there.owner_of(queue.log()) == there.shard_id()) {
        add_counts(there, queue, rows.emplace_back(row_of(there, queue)));
      }
      if (queue.exclusive() && shard_of(queue.exclusive_owner) == there.shard_id()) {
        (*elsewhere)[queue.log_id].owner = there.connection_name(ClientId{queue.exclusive_owner});
      }
    });
    there.shard_messaging().for_each_consumer([&](const Source& source) {
      if (source.exclusive) {
        auto& row = (*elsewhere)[source.queue.value];
        row.exclusive_channel = channel_name(there, source);
        row.exclusive_tag = source.tag;
      } else if (source.single_active && source.active) {
        auto& row = (*elsewhere)[source.queue.value];
        row.single_active_channel = channel_name(there, source);
        row.single_active_tag = source.tag;
      }
    });
  };
  auto finish = [elsewhere, done = std::move(done)](base::Result<std::vector<QueueRow>>&& rows) mutable {
    for (auto& row : *rows) {
      const auto found = elsewhere->find(row.log);
      if (found == elsewhere->end()) continue;
      row.owner = std::move(found->second.owner);
      row.exclusive_channel = std::move(found->second.exclusive_channel);
      row.exclusive_tag = std::move(found->second.exclusive_tag);
      row.single_active_channel = std::move(found->second.single_active_channel);
      row.single_active_tag = std::move(found->second.single_active_tag);
    }
    std::ranges::sort(*rows, {}, &QueueRow::name);
    done(std::move(rows));
  };
  visit_shards<QueueRow>(broker_, std::move(finish), std::move(collect));
}

void ShardAdministration::list_exchanges(std::string vhost, Done<std::vector<ExchangeRow>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  std::vector<ExchangeRow> rows;
  auto& standard = rows.emplace_back();
  standard.vhost = vhost;
  standard.type = "direct";
  broker_.catalog().for_each<ExchangeRecord>([&](const ExchangeRecord& exchange) {
    if (exchange.vhost != vhost) return;
    auto& row = rows.emplace_back();
    row.vhost = exchange.vhost;
    row.name = exchange.name;
    row.type = exchange.type;
    row.durable = exchange.durable;
    row.auto_delete = exchange.auto_delete;
    row.internal = exchange.internal;
    row.arguments = exchange.table_arguments;
    row.user = exchange.owner;
    const auto* policy = broker_.policies().of_exchange(PolicyRecord::user_kind, exchange);
    if (policy) row.policy = policy->name;
  });
  done(std::move(rows));
}

void ShardAdministration::list_bindings(std::string vhost, Done<std::vector<BindingRow>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  std::vector<BindingRow> rows;
  broker_.catalog().for_each_queue([&](const QueueRecord& queue) {
    if (queue.vhost == vhost) rows.push_back({vhost, "", "exchange", queue.name, "queue", queue.name, {}});
  });
  broker_.catalog().for_each<BindingRecord>([&](const BindingRecord& binding) {
    if (binding.vhost != vhost) return;
    auto& row = rows.emplace_back(BindingRow{vhost, binding.source, "exchange", binding.destination,
                                             binding.to_exchange ? "exchange" : "queue", binding.routing_key,
                                             binding.table_arguments});
    if (binding.partition_order >= 0) row.arguments.set("x-stream-partition-order", binding.partition_order);
  });
  done(std::move(rows));
}

void ShardAdministration::list_queue_consumers(std::string vhost, Done<std::vector<QueueConsumerRow>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  auto collect = [vhost](ShardBroker& there, std::vector<QueueConsumerRow>& rows) {
    std::unordered_map<base::QueueId, const QueueRecord*> queues;
    there.catalog().for_each_queue([&](const QueueRecord& queue) {
      if (queue.vhost == vhost) queues.emplace(base::QueueId{queue.log_id}, &queue);
    });
    there.shard_messaging().for_each_consumer([&](const Source& source) {
      const auto queue = queues.find(source.queue);
      if (queue == queues.end()) return;
      auto& row = rows.emplace_back();
      row.vhost = vhost;
      row.queue_name = queue->second->name;
      row.channel = channel_name(there, source);
      row.consumer_tag = source.tag;
      row.ack_required = !source.no_ack;
      row.exclusive = source.exclusive;
      row.active = source.active;
      row.activity_status = !source.active ? "waiting" : source.single_active ? "single_active" : "up";
      row.prefetch_count = source.prefetch;
      row.arguments = source.arguments;
    });
  };
  auto finish = [done = std::move(done)](base::Result<std::vector<QueueConsumerRow>>&& rows) mutable {
    std::ranges::stable_sort(*rows, {}, [](const QueueConsumerRow& row) {
      return std::tie(row.queue_name, row.channel, row.consumer_tag);
    });
    done(std::move(rows));
  };
  visit_shards<QueueConsumerRow>(broker_, std::move(finish), std::move(collect));
}

void ShardAdministration::list_policies(std::string vhost, std::string_view kind,
                                        Done<std::vector<PolicyRecord>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  std::vector<PolicyRecord> rows;
  broker_.catalog().for_each<PolicyRecord>([&](const PolicyRecord& policy) {
    if (policy.vhost == vhost && policy.kind == kind) rows.push_back(policy);
  });
  done(std::move(rows));
}

void ShardAdministration::list_delayed(std::string vhost, std::size_t limit,
                                       Done<std::vector<ScheduledRow>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  broker_.ask_shard(base::ShardId{0}, [home = shard_.id, vhost = std::move(vhost), limit,
                                       done = std::move(done)](ShardBroker& first) mutable {
    first.shard_messaging().schedule().list(
        std::move(vhost), limit, [&first, home, done = std::move(done)](auto rows) mutable {
          first.ask_shard(home, [done = std::move(done), rows = std::move(rows)](ShardBroker&) mutable {
            done(std::move(rows));
          });
        });
  });
}

void ShardAdministration::list_permissions(std::string vhost, Done<std::vector<PermissionRecord>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  std::vector<PermissionRecord> rows;
  broker_.catalog().for_each<PermissionRecord>([&](const PermissionRecord& permission) {
    if (permission.vhost == vhost) rows.push_back(permission);
  });
  done(std::move(rows));
}

void ShardAdministration::list_users(Done<std::vector<UserRow>> done) {
  std::vector<UserRow> rows;
  broker_.catalog().for_each<UserRecord>(
      [&](const UserRecord& user) { rows.push_back({user.name, user.tags}); });
  done(std::move(rows));
}

void ShardAdministration::list_vhosts(Done<std::vector<VhostRow>> done) {
  std::vector<VhostRow> rows;
  broker_.catalog().for_each<VhostRecord>([&](const VhostRecord& vhost) {
    rows.push_back(
        {vhost.name, vhost.description,
         vhost.default_queue_type.empty() ? broker_.options().default_queue_type : vhost.default_queue_type});
  });
  done(std::move(rows));
}

void ShardAdministration::list_topic_permissions(std::string vhost,
                                                 Done<std::vector<TopicPermissionRecord>> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  std::vector<TopicPermissionRecord> rows;
  broker_.catalog().for_each<TopicPermissionRecord>([&](const auto& each) {
    if (each.vhost == vhost) rows.push_back(each);
  });
  done(std::move(rows));
}

}  // namespace sluice::broker
