// SPDX-License-Identifier: Apache-2.0
#include "broker/shard_administration.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <unordered_map>

#include "broker/policies.h"
#include "broker/queue_arguments.h"
#include "broker/shard_broker.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

// An answer in AMQP's words as one of the broker's.
template <class T>
Answer<T> to_answer(Done<T> done) {
  return [done = std::move(done)](Outcome<T> outcome) mutable {
    if (outcome) return done(std::move(*outcome));
    const auto code = outcome.error().code;
    const auto kind = code == 404   ? base::Errc::not_found
                      : code == 403 ? base::Errc::access_refused
                      : code == 405 ? base::Errc::resource_locked
                      : code == 541 ? base::Errc::internal
                                    : base::Errc::precondition_failed;
    done(base::fail(kind, std::move(outcome.error().text)));
  };
}

// Who may do anything, with an exclusive queue too.
Caller administrator(const Catalog& catalog, const Identity& who, std::string vhost, std::string_view queue) {
  Caller caller;
  caller.identity = who;
  const auto* found = catalog.queue(vhost, queue);
  if (found && found->exclusive()) caller.client = ClientId{found->exclusive_owner};
  caller.vhost = std::move(vhost);
  return caller;
}

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

template <class Row>
void ShardAdministration::visit(ShardBroker& broker, std::uint32_t shard, Round<Row> round) {
  broker.ask_shard(base::ShardId{shard}, [shard, round = std::move(round)](ShardBroker& there) mutable {
    round.collect(there, *round.rows);
    if (shard + 1 < there.shard_count()) return visit<Row>(there, shard + 1, std::move(round));
    const auto home = round.home;
    there.ask_shard(home,
                    [round = std::move(round)](ShardBroker&) mutable { round.done(std::move(round.rows)); });
  });
}

base::Result<> ShardAdministration::check_vhost(std::string_view vhost) const {
  if (broker_.catalog().vhost(vhost)) return {};
  return base::fail(base::Errc::not_found, no_vhost(vhost));
}

// -- listings

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
  visit<QueueRow>(broker_, 0, {shard_.id, {}, std::move(finish), std::move(collect)});
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
  visit<QueueConsumerRow>(broker_, 0, {shard_.id, {}, std::move(finish), std::move(collect)});
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

// -- changes

void ShardAdministration::purge_queue(const Identity& who, std::string vhost, std::string name,
                                      Done<std::uint64_t> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  auto caller = administrator(broker_.catalog(), who, std::move(vhost), name);
  broker_.messaging().purge_queue(caller, std::move(name), to_answer(std::move(done)));
}

void ShardAdministration::delete_queue(const Identity& who, std::string vhost, std::string name,
                                       bool if_unused, bool if_empty, Done<std::uint64_t> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  if (!broker_.catalog().queue(vhost, name)) {
    return done(std::unexpected(no_such_queue(vhost, name).error()));
  }
  auto caller = administrator(broker_.catalog(), who, std::move(vhost), name);
  broker_.messaging().delete_queue(caller, std::move(name), if_unused, if_empty, to_answer(std::move(done)));
}

void ShardAdministration::set_policy(PolicyRecord policy, Done<> done) {
  if (auto fits = check_policy(policy); !fits) return done(std::move(fits));
  broker_.send_command(SetPolicy{std::move(policy)}, std::move(done));
}

void ShardAdministration::clear_policy(std::string vhost, std::string kind, std::string name, Done<> done) {
  broker_.send_command(ClearPolicy{std::move(vhost), std::move(kind), std::move(name)}, std::move(done));
}

void ShardAdministration::add_vhost(VhostRecord vhost, Done<> done) {
  if (vhost.name.empty()) return done(precondition("a vhost needs a name"));
  if (!vhost.default_queue_type.empty() && !is_queue_type(vhost.default_queue_type)) {
    return done(precondition(fmt::format("'{}' is no queue type", vhost.default_queue_type)));
  }
  if (broker_.catalog().vhost(vhost.name)) return done({});
  vhost.created_at_ms = shard_.clock.wall_ms();
  broker_.send_command(PutVhost{std::move(vhost)}, std::move(done));
}

void ShardAdministration::delete_vhost(std::string name, Done<> done) {
  broker_.send_command(
      DeleteVhost{name}, [this, name, done = std::move(done)](base::Result<> result) mutable {
        if (!result) return done(std::move(result));
        auto close = [name](ShardBroker& there, std::vector<int>&) {
          there.close_connections([&](const ConnectionRow& row) { return row.vhost == name; },
                                  fmt::format("vhost '{}' is deleted", name));
        };
        visit<int>(broker_, 0,
                   {shard_.id,
                    {},
                    [done = std::move(done)](base::Result<std::vector<int>>&&) mutable { done({}); },
                    std::move(close)});
      });
}

base::Result<> ShardAdministration::check_user(std::string_view user) const {
  if (broker_.catalog().user(user)) return {};
  return base::fail(base::Errc::not_found, no_user(user));
}

void ShardAdministration::set_permissions(PermissionRecord permission, Done<> done) {
  if (auto known = check_vhost(permission.vhost); !known) return done(std::move(known));
  if (auto known = check_user(permission.user); !known) return done(std::move(known));
  for (const auto* pattern : {&permission.configure, &permission.write, &permission.read}) {
    if (auto made = NamePattern::compile(*pattern); !made) return done(std::unexpected(made.error()));
  }
  broker_.send_command(PutPermission{std::move(permission)}, std::move(done));
}

void ShardAdministration::set_topic_permissions(TopicPermissionRecord permission, Done<> done) {
  if (auto known = check_vhost(permission.vhost); !known) return done(std::move(known));
  if (auto known = check_user(permission.user); !known) return done(std::move(known));
  for (const auto* pattern : {&permission.write, &permission.read}) {
    if (auto made = NamePattern::compile(*pattern); !made) return done(std::unexpected(made.error()));
  }
  broker_.send_command(PutTopicPermission{std::move(permission)}, std::move(done));
}

void ShardAdministration::clear_topic_permissions(std::string vhost, std::string user, std::string exchange,
                                                  Done<> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::move(known));
  if (auto known = check_user(user); !known) return done(std::move(known));
  broker_.send_command(ClearTopicPermissions{std::move(vhost), std::move(user), std::move(exchange)},
                       std::move(done));
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

void ShardAdministration::cancel_delayed(std::string vhost, std::string id, Done<> done) {
  if (auto known = check_vhost(vhost); !known) return done(std::move(known));
  broker_.ask_shard(base::ShardId{0}, [home = shard_.id, vhost = std::move(vhost), id = std::move(id),
                                       done = std::move(done)](ShardBroker& first) mutable {
    first.shard_messaging().schedule().cancel(
        std::move(vhost), std::move(id), [&first, home, done = std::move(done)](auto result) mutable {
          first.ask_shard(home, [done = std::move(done), result = std::move(result)](ShardBroker&) mutable {
            done(std::move(result));
          });
        });
  });
}

void ShardAdministration::set_limit(bool disk, const MemoryPart& limit, Done<> done) {
  auto set = [disk, limit](ShardBroker& there, std::vector<int>&) {
    there.set_limit(disk ? ShardBroker::Alarm::disk : ShardBroker::Alarm::memory, limit);
  };
  visit<int>(broker_, 0,
             {shard_.id,
              {},
              [done = std::move(done)](base::Result<std::vector<int>>&&) mutable { done({}); },
              std::move(set)});
}

void ShardAdministration::close_connections(std::string vhost, std::string user, std::string reason,
                                            Done<std::uint64_t> done) {
  if (!vhost.empty()) {
    if (auto known = check_vhost(vhost); !known) return done(std::unexpected(known.error()));
  }
  auto close = [vhost = std::move(vhost), user = std::move(user), reason = std::move(reason)](
                   ShardBroker& there, std::vector<std::uint64_t>& closed) {
    closed.push_back(there.close_connections(
        [&](const ConnectionRow& row) {
          return (vhost.empty() || row.vhost == vhost) && (user.empty() || row.user == user);
        },
        reason));
  };
  auto finish = [done = std::move(done)](base::Result<std::vector<std::uint64_t>>&& closed) mutable {
    done(std::accumulate(closed->begin(), closed->end(), std::uint64_t{0}));
  };
  visit<std::uint64_t>(broker_, 0, {shard_.id, {}, std::move(finish), std::move(close)});
}

void ShardAdministration::close_connection(std::string name, std::string reason, Done<> done) {
  auto close = [name, reason = std::move(reason)](ShardBroker& there, std::vector<int>& closed) {
    const auto count =
        there.close_connections([&](const ConnectionRow& row) { return row.conn_name == name; }, reason);
    closed.insert(closed.end(), count, 0);
  };
  auto finish = [name, done = std::move(done)](base::Result<std::vector<int>>&& closed) mutable {
    if (closed && !closed->empty()) return done({});
    done(base::fail(base::Errc::not_found, fmt::format("there is no connection '{}'", name)));
  };
  visit<int>(broker_, 0, {shard_.id, {}, std::move(finish), std::move(close)});
}

}  // namespace sluice::broker
