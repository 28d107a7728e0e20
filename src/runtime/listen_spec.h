// SPDX-License-Identifier: Apache-2.0
// What to listen on and whom to call. A ListenState is shared by the listeners of all shards on one address
// and by the connections accepted there; it outlives them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/options.h"
#include "base/ports.h"
#include "base/session.h"

namespace sluice::runtime {

// Makes the session of a new connection, on that connection's shard. The transport outlives the session.
using SessionFactory =
    std::function<std::unique_ptr<base::Session>(base::Transport& transport, base::Shard& shard)>;

struct ListenSpec {
  std::string name;                   // for log lines: "stream", "prometheus", "admin"
  base::Listener address;             // host empty: 127.0.0.1
  std::string local_path;             // when set: a unix socket of mode 0600 on shard 0 instead of an address
  std::uint32_t connections_max = 0;  // over all shards; 0: no limit
  SessionFactory factory;
};

struct ListenState {
  explicit ListenState(ListenSpec given) : spec(std::move(given)) {}
  ListenSpec spec;
  std::atomic<std::uint32_t> connections{0};
};

}  // namespace sluice::runtime
