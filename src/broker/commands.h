// SPDX-License-Identifier: Apache-2.0
// Commands: the only way metadata changes. Plain data that carries all a decision needs (times, limits,
// hashes), so that every shard - later every node - that applies the same commands in the same order has the
// same catalog. Names and arguments are normalised before a command is made; rights are checked before, too.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "broker/records.h"
#include "broker/types.h"

namespace sluice::broker {

// Makes a vhost with its pre-declared exchanges, or changes what one is called.
struct PutVhost {
  VhostRecord record;
};
struct DeleteVhost {  // with everything in it
  std::string name;
};
struct SetVhostLimits {
  std::string name;
  std::int64_t queues_max = -1, connections_max = -1;
};
struct PutUser {
  UserRecord record;
};
struct PutPermission {
  PermissionRecord record;
};
struct PutTopicPermission {
  TopicPermissionRecord record;
};
struct ClearTopicPermissions {
  std::string vhost, user, exchange;  // exchange empty: of all
};

struct CreateStream {
  std::string vhost, name;
  StreamArguments arguments;
  std::string user;
  std::int64_t now_ms = 0;
  std::uint64_t queue_limit = 0;  // 0: none
};
struct DeleteStream {
  std::string vhost, name;
};
struct CreateSuperStream {
  std::string vhost, name;
  std::vector<std::string> partitions, binding_keys;  // of the same length
  StreamArguments arguments;
  std::string user;
  std::int64_t now_ms = 0;
  std::uint64_t queue_limit = 0;
};
// Takes the partitions with it.
struct DeleteSuperStream {
  std::string vhost, name;
};

// Declaring what is there and equivalent changes nothing.
struct DeclareExchange {
  ExchangeRecord record;
};
struct DeleteExchange {
  std::string vhost, name;
  bool if_unused = false;
};
struct DeclareQueue {
  QueueRecord record;  // log_id is given by the catalog
  std::uint64_t queue_limit = 0;
};
struct DeleteQueue {
  std::string vhost, name;
  std::uint64_t log_id = 0;  // only that very queue; 0: whatever has the name
};
// The exclusive queues of a connection that is gone.
struct DeleteExclusiveQueues {
  std::uint64_t client = 0;
};
struct Bind {
  BindingRecord record;  // number and transient are given by the catalog
};
struct Unbind {
  BindingRecord record;
};
struct SetPolicy {
  PolicyRecord record;
};
struct ClearPolicy {
  std::string vhost, kind, name;
};

using Command =
    std::variant<PutVhost, DeleteVhost, SetVhostLimits, PutUser, PutPermission, PutTopicPermission,
                 ClearTopicPermissions, CreateStream, DeleteStream, CreateSuperStream, DeleteSuperStream,
                 DeclareExchange, DeleteExchange, DeclareQueue, DeleteQueue, DeleteExclusiveQueues, Bind,
                 Unbind, SetPolicy, ClearPolicy>;

}  // namespace sluice::broker
