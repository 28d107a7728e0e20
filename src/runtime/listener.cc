// SPDX-License-Identifier: Apache-2.0
#include "runtime/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "runtime/shard_loop.h"
#include "runtime/socket_address.h"
#include "runtime/system_error.h"

namespace sluice::runtime {

Listener::Listener(ShardLoop& shard, int fd, std::shared_ptr<ListenState> state)
    : shard_(shard), socket_(shard.context(), fd), state_(std::move(state)) {}

Listener::~Listener() {
  *alive_ = false;
}

void Listener::arm() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, alive = alive_](const boost::system::error_code& error) {
                       if (error || !*alive) return;
                       accept_some();
                     });
}

void Listener::tick() {
  if (paused_until_ms_ == 0 || shard_.shard().clock.monotonic_ms() < paused_until_ms_) return;
  paused_until_ms_ = 0;
  arm();
}

void Listener::accept_some() {
  for (int i = 0; i < accepts_per_turn; ++i) {
    SocketAddress from;
    const int fd =
        ::accept4(socket_.native_handle(), from.get(), from.size_for_kernel(), SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return pause(errno);
      continue;  // that one connection is gone already
    }
    const std::uint32_t before = state_->connections.fetch_add(1);
    const std::uint32_t limit = state_->spec.connections_max;
    if (limit != 0 && before >= limit) {
      refuse(fd);
      continue;
    }
    if (from.family() != AF_UNIX) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    shard_.adopt(fd, peer_info_of(fd, from), from.family(), state_);
  }
  arm();
}

void Listener::refuse(int fd) {
  ::close(fd);
  state_->connections.fetch_sub(1);
  shard_.metrics().connections_refused.add();
  if (!may_log()) return;
  shard_.shard().logger.write(
      base::LogLevel::warning, "connection", "connection refused: limit reached",
      {{"listener", state_->spec.name}, {"limit", fmt::to_string(state_->spec.connections_max)}});
}

bool Listener::may_log() {
  const std::int64_t now = shard_.shard().clock.monotonic_ms();
  if (logged_ms_ != 0 && now - logged_ms_ < log_every_ms) return false;
  logged_ms_ = now;
  return true;
}

void Listener::pause(int code) {
  paused_until_ms_ = shard_.shard().clock.monotonic_ms() + pause_ms;
  shard_.metrics().accept_pauses.add();
  if (!may_log()) return;
  shard_.shard().logger.write(base::LogLevel::warning, "connection",
                              "cannot accept connections for a second; raise the limit of open files",
                              {{"listener", state_->spec.name}, {"reason", system_text(code)}});
}

namespace {

base::Result<int> open_listening(const SocketAddress& address, const std::string& shown, bool reuse_port) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_failure("make a socket for", shown);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd, address.get(), address.size()) == 0 && ::listen(fd, 4096) == 0) return fd;
  auto failure = system_failure("listen on", shown);
  if (errno == EADDRINUSE) failure.error().text += "; stop the server there or choose another port";
  if (errno == EACCES) failure.error().text += "; ports below 1024 need a privilege";
  ::close(fd);
  return failure;
}

}  // namespace

base::Result<std::vector<int>> bind_tcp(base::Listener& address, std::uint32_t shards) {
  if (address.host.empty()) address.host = "127.0.0.1";
  auto parsed = SocketAddress::parse(address.host, address.port);
  if (!parsed) return std::unexpected(parsed.error());
  // With SO_REUSEPORT a second server could take half of our connections, or we of its: the first bind goes
  // without.
  TRY(probe, open_listening(*parsed, base::to_text(address), false));
  if (address.port == 0) {
    address.port = SocketAddress::local_of(probe).port();
    parsed = SocketAddress::parse(address.host, address.port);
  }
  ::close(probe);
  std::vector<int> sockets;
  for (std::uint32_t i = 0; i < shards; ++i) {
    auto made = open_listening(*parsed, base::to_text(address), true);
    if (!made) {
      for (const int fd : sockets) ::close(fd);
      return std::unexpected(std::move(made).error());
    }
    sockets.push_back(*made);
  }
  return sockets;
}

base::Result<int> bind_local(const std::string& path) {
  const auto address = SocketAddress::local(path);
  if (!address) return std::unexpected(address.error());
  ::unlink(path.c_str());  // the data directory's lock says that nobody serves it
  const auto before = ::umask(0177);
  auto made = open_listening(*address, path, false);
  ::umask(before);
  return made;
}

}  // namespace sluice::runtime
