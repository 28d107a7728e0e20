// SPDX-License-Identifier: Apache-2.0
// What operators do: to queues, policies, vhosts, rights, limits and connections. Listings are in
// administration_listings.cc.
#include "broker/shard_administration.h"

#include <fmt/format.h>

#include <numeric>

#include "broker/policies.h"
#include "broker/queue_arguments.h"
#include "broker/shard_round.h"
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

}  // namespace

base::Result<> ShardAdministration::check_vhost(std::string_view vhost) const {
  if (broker_.catalog().vhost(vhost)) return {};
  return base::fail(base::Errc::not_found, no_vhost(vhost));
}

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

void ShardAdministration::delete_vhost(std::string name, Done<> done) {
  broker_.send_command(
      DeleteVhost{name}, [this, name, done = std::move(done)](base::Result<> result) mutable {
        if (!result) return done(std::move(result));
        auto close = [name](ShardBroker& there, std::vector<int>&) {
          there.close_connections([&](const ConnectionRow& row) { return row.vhost == name; },
                                  fmt::format("vhost '{}' is deleted", name));
        };
        visit_shards<int>(
            broker_, [done = std::move(done)](base::Result<std::vector<int>>&&) mutable { done({}); },
            std::move(close));
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
  visit_shards<int>(
      broker_, [done = std::move(done)](base::Result<std::vector<int>>&&) mutable { done({}); },
      std::move(set));
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
  visit_shards<std::uint64_t>(broker_, std::move(finish), std::move(close));
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
  visit_shards<int>(broker_, std::move(finish), std::move(close));
}

}  // namespace sluice::broker
