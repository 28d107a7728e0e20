// SPDX-License-Identifier: Apache-2.0
// Decisions of the catalog about vhosts, exchanges, queues, bindings and policies, with RabbitMQ's texts
// where an AMQP client may hear them.
#include <fmt/format.h>

#include <algorithm>

#include "broker/administration.h"
#include "broker/catalog.h"
#include "broker/catalog_draft.h"
#include "broker/equivalence.h"
#include "broker/texts.h"

namespace sluice::broker {

std::vector<ExchangeRecord> predeclared_exchanges(std::string_view vhost) {
  struct Row {
    std::string_view name, type;
    bool internal = false;
  };
  constexpr Row rows[] = {{"amq.direct", "direct"},   {"amq.fanout", "fanout"},
                          {"amq.headers", "headers"}, {"amq.match", "headers"},
                          {"amq.topic", "topic"},     {"amq.rabbitmq.trace", "topic", true}};
  std::vector<ExchangeRecord> made;
  for (const auto& row : rows) {
    auto& record = made.emplace_back();
    record.vhost = vhost;
    record.name = row.name;
    record.type = row.type;
    record.internal = row.internal;
  }
  return made;
}

base::Result<Changes> Catalog::decide_one(const SetVhostLimits& command) const {
  const auto* found = vhost(command.name);
  if (!found) return base::fail(base::Errc::not_found, no_vhost(command.name));
  auto record = *found;
  record.queues_max = command.queues_max;
  record.connections_max = command.connections_max;
  return Changes{{std::move(record)}};
}

base::Result<Changes> Catalog::decide_one(const PutVhost& command) const {
  Draft draft(*this);
  draft.put(command.record);
  for (auto& each : predeclared_exchanges(command.record.name)) {
    if (!exchange(each.vhost, each.name)) draft.put(std::move(each));
  }
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const DeleteVhost& command) const {
  const auto* found = vhost(command.name);
  if (!found) return base::fail(base::Errc::not_found, no_vhost(command.name));
  Draft draft(*this);
  for_each<QueueRecord>([&](const auto& each) {
    if (each.vhost == command.name) draft.remove(each);
  });
  for_each<ExchangeRecord>([&](const auto& each) {
    if (each.vhost == command.name) draft.remove(each);
  });
  for_each<PermissionRecord>([&](const auto& each) {
    if (each.vhost == command.name) draft.remove_plain(each);
  });
  for_each<TopicPermissionRecord>([&](const auto& each) {
    if (each.vhost == command.name) draft.remove_plain(each);
  });
  for_each<PolicyRecord>([&](const auto& each) {
    if (each.vhost == command.name) draft.remove_plain(each);
  });
  draft.remove_plain(*found);
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const PutUser& command) const {
  return Changes{{command.record}};
}
base::Result<Changes> Catalog::decide_one(const PutPermission& command) const {
  return Changes{{command.record}};
}
base::Result<Changes> Catalog::decide_one(const PutTopicPermission& command) const {
  return Changes{{command.record}};
}
base::Result<Changes> Catalog::decide_one(const ClearTopicPermissions& command) const {
  Draft draft(*this);
  for_each<TopicPermissionRecord>([&](const auto& each) {
    const bool named = command.exchange.empty() || each.exchange == command.exchange;
    if (named && each.vhost == command.vhost && each.user == command.user) draft.remove_plain(each);
  });
  return draft.take();
}

// -- exchanges

base::Result<Changes> Catalog::decide_one(const DeclareExchange& command) const {
  const auto& wanted = command.record;
  if (!vhost(wanted.vhost)) return base::fail(base::Errc::not_found, no_vhost(wanted.vhost));
  if (const auto* found = exchange(wanted.vhost, wanted.name)) {
    TRY_VOID(check_equivalent(*found, wanted));
    return Changes{};
  }
  Draft draft(*this);
  draft.put(wanted);
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const DeleteExchange& command) const {
  const auto* found = exchange(command.vhost, command.name);
  if (!found) return Changes{};
  if (command.if_unused && has_bindings(command.vhost, command.name)) {
    return precondition(exchange_text(command.vhost, command.name) + " in use");
  }
  Draft draft(*this);
  draft.remove(*found);
  return draft.take();
}

// -- queues

base::Result<> Catalog::check_room(std::string_view vhost_name, std::string_view name,
                                   std::uint64_t queue_limit, std::size_t wanted) const {
  const auto refuse = [&](std::string_view where, auto limit) {
    return precondition(
        fmt::format("cannot declare queue '{}': queue limit in {} ({}) is reached", name, where, limit));
  };
  const auto limit = vhost(vhost_name)->queues_max;
  if (limit >= 0) {
    // Its queues lie side by side; more than the limit need not be counted.
    std::string prefix(1, QueueRecord::table);
    append_key_name(prefix, vhost_name);
    auto room = limit;
    const auto& queues = table<QueueRecord>();
    for (auto at = queues.lower_bound(prefix);
         room > 0 && at != queues.end() && at->first.starts_with(prefix); ++at) {
      --room;
    }
    if (static_cast<std::size_t>(room) < wanted) return refuse(fmt::format("vhost '{}'", vhost_name), limit);
  }
  if (queue_limit != 0 && queue_count() + wanted > queue_limit) return refuse("cluster", queue_limit);
  return {};
}

base::Result<Changes> Catalog::decide_one(const DeclareQueue& command) const {
  const auto& wanted = command.record;
  if (!vhost(wanted.vhost)) return base::fail(base::Errc::not_found, no_vhost(wanted.vhost));
  if (const auto* found = queue(wanted.vhost, wanted.name)) {
    TRY_VOID(check_equivalent(*found, wanted));
    return Changes{};
  }
  TRY_VOID(check_room(wanted.vhost, wanted.name, command.queue_limit, 1));
  Draft draft(*this);
  draft.add_queue(wanted);
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const DeleteQueue& command) const {
  const auto* found = queue(command.vhost, command.name);
  if (!found || (command.log_id != 0 && found->log_id != command.log_id)) return Changes{};
  Draft draft(*this);
  draft.remove(*found);
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const DeleteExclusiveQueues& command) const {
  Draft draft(*this);
  for (const auto* each : exclusive_queues_of(command.client)) draft.remove(*each);
  return draft.take();
}

// -- bindings

base::Result<Changes> Catalog::decide_one(const Bind& command) const {
  const auto& wanted = command.record;
  if (!exchange(wanted.vhost, wanted.source)) return no_such_exchange(wanted.vhost, wanted.source);
  if (wanted.to_exchange) {
    if (!exchange(wanted.vhost, wanted.destination))
      return no_such_exchange(wanted.vhost, wanted.destination);
  } else if (!queue(wanted.vhost, wanted.destination)) {
    return no_such_queue(wanted.vhost, wanted.destination);
  }
  if (binding(wanted)) return Changes{};
  Draft draft(*this);
  draft.add_binding(wanted);
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const Unbind& command) const {
  const auto* found = binding(command.record);
  if (!found) return Changes{};
  Draft draft(*this);
  draft.remove(*found);
  return draft.take();
}

// -- policies

base::Result<Changes> Catalog::decide_one(const SetPolicy& command) const {
  const auto& wanted = command.record;
  if (!vhost(wanted.vhost)) return base::fail(base::Errc::not_found, no_vhost(wanted.vhost));
  Draft draft(*this);
  draft.put(wanted);
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const ClearPolicy& command) const {
  PolicyRecord like;
  like.vhost = command.vhost, like.kind = command.kind, like.name = command.name;
  const auto found = table<PolicyRecord>().find(record_key(like));
  if (found == table<PolicyRecord>().end()) {
    return base::fail(base::Errc::not_found,
                      fmt::format("no {} '{}' in vhost '{}'",
                                  command.kind == PolicyRecord::operator_kind ? "operator policy" : "policy",
                                  command.name, command.vhost));
  }
  Draft draft(*this);
  draft.remove_plain(found->second);
  return draft.take();
}

}  // namespace sluice::broker
