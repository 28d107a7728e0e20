// SPDX-License-Identifier: Apache-2.0
// A listening socket of one shard. TCP addresses are bound once per shard with SO_REUSEPORT, so the kernel
// spreads connections; a unix socket exists on shard 0 only. Out of file descriptors: accepting pauses for a
// second, clients wait in the backlog. At the limit of connections: accepted and closed at once.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <vector>

#include "base/error.h"
#include "runtime/listen_spec.h"

namespace sluice::runtime {

class ShardLoop;

class Listener {
 public:
  // Takes over `fd`, a bound and listening non-blocking socket.
  Listener(ShardLoop& shard, int fd, std::shared_ptr<ListenState> state);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void arm();
  void tick();  // ends a pause

 private:
  static constexpr int accepts_per_turn = 32;
  static constexpr std::int64_t pause_ms = 1000;
  static constexpr std::int64_t log_every_ms = 10'000;
  void accept_some();
  void refuse(int fd);
  void pause(int code);
  bool may_log();

  ShardLoop& shard_;
  boost::asio::posix::stream_descriptor socket_;
  std::shared_ptr<ListenState> state_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // handlers may outlive this
  std::int64_t paused_until_ms_ = 0;
  std::int64_t logged_ms_ = 0;
};

// One bound socket per shard for a TCP address; `address.port` 0 is replaced by the port found. The error
// names the address and what to do.
base::Result<std::vector<int>> bind_tcp(base::Listener& address, std::uint32_t shards);
// A unix socket of mode 0600; a stale file of that name is replaced.
base::Result<int> bind_local(const std::string& path);

}  // namespace sluice::runtime
