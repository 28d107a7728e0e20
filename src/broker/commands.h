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

struct PutVhost {
  VhostRecord record;
};
struct PutUser {
  UserRecord record;
};
struct PutPermission {
  PermissionRecord record;
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

using Command = std::variant<PutVhost, PutUser, PutPermission, CreateStream, DeleteStream, CreateSuperStream,
                             DeleteSuperStream>;

}  // namespace sluice::broker
