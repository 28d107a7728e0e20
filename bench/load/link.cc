// SPDX-License-Identifier: Apache-2.0
#include "link.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice::bench {
namespace {

using streamproto::Frame;
using streamproto::Key;
using streamproto::ResponseCode;

constexpr std::size_t input_bytes_initial = 1024 * 1024;
constexpr int patience_ms = 60'000;

}  // namespace

Link::Link(const Broker& broker) : in_(input_bytes_initial) {
  connect(broker);
  handshake(broker);
}

Link::~Link() {
  if (fd_ >= 0) close(fd_);
}

void Link::connect(const Broker& broker) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(broker.host.c_str(), std::to_string(broker.port).c_str(), &hints, &found) != 0) {
    die("unknown host {}", broker.host);
  }
  for (addrinfo* at = found; at != nullptr && fd_ < 0; at = at->ai_next) {
    fd_ = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (fd_ >= 0 && ::connect(fd_, at->ai_addr, at->ai_addrlen) != 0) {
      close(fd_);
      fd_ = -1;
    }
  }
  freeaddrinfo(found);
  if (fd_ < 0) die("no connection to {}:{}: {}", broker.host, broker.port, std::strerror(errno));
  const int yes = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

void Link::handshake(const Broker& broker) {
  streamproto::PeerProperties peer;
  peer.properties = {{"product", "sluice bench"}, {"version", "0.1.0"}};
  int major = 0;
  int minor = 0;
  call<streamproto::PeerPropertiesResponse>(peer, [&](const auto& response) {
    const std::string version(streamproto::find_property(response.properties, "version"));
    std::sscanf(version.c_str(), "%d.%d", &major, &minor);
  });
  call<streamproto::SaslHandshakeResponse>(streamproto::SaslHandshake{});
  const std::string secret = std::string(1, '\0') + broker.user + std::string(1, '\0') + broker.password;
  streamproto::SaslAuthenticate authenticate;
  authenticate.mechanism = "PLAIN";
  authenticate.data = base::as_bytes(secret);
  bool tuned = false;
  const std::uint32_t correlation = next_correlation_++;
  send(authenticate, correlation);
  while (!tuned) {
    flush();
    wait_for(POLLIN);
    receive([&](const Frame& frame) {
      if (frame.key() == Key::tune) tuned = true;
      if (frame.key() != Key::sasl_authenticate) return;
      const auto response = streamproto::decode<streamproto::SaslAuthenticateResponse>(frame);
      if (!response || response->message.code != ResponseCode::ok) die("authentication refused");
    });
  }
  streamproto::TuneResponse tune;
  tune.frame_max_bytes = 1024 * 1024;
  tune.heartbeat_s = 0;
  send(tune);
  streamproto::Open open;
  open.vhost = broker.vhost;
  if (call<streamproto::OpenResponse>(open) != ResponseCode::ok) die("virtual host {} refused", broker.vhost);
  if (major < 3 || (major == 3 && minor < 11)) return;
  streamproto::ExchangeCommandVersions versions;
  versions.commands.push_back({Key::publish, 1, 2});
  versions.commands.push_back({Key::deliver, 1, 2});
  call<streamproto::ExchangeCommandVersionsResponse>(versions, [&](const auto& response) {
    for (const auto& row : response.commands) {
      if (row.key == Key::publish && row.max_version >= 2) filters_supported_ = true;
    }
  });
}

void Link::wait_for(short events) {
  pollfd request{fd_, events, 0};
  if (poll(&request, 1, patience_ms) <= 0) die("no answer from the broker for a minute");
}

void Link::flush() {
  while (out_at_ < out_.size()) {
    const ssize_t size = ::send(fd_, out_.data() + out_at_, out_.size() - out_at_, MSG_NOSIGNAL);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      die("send: {}", std::strerror(errno));
    }
    out_at_ += static_cast<std::size_t>(size);
    bytes_out_ += static_cast<std::size_t>(size);
  }
  out_.clear();
  out_at_ = 0;
}

std::size_t Link::read_some() {
  const ssize_t size = recv(fd_, in_.data() + in_end_, in_.size() - in_end_, 0);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return 0;
    die("recv: {}", std::strerror(errno));
  }
  if (size == 0) die("the broker closed the socket");
  in_end_ += static_cast<std::size_t>(size);
  bytes_in_ += static_cast<std::size_t>(size);
  return static_cast<std::size_t>(size);
}

void Link::drop_consumed(std::size_t consumed, std::size_t next_frame_bytes) {
  std::memmove(in_.data(), in_.data() + consumed, in_end_ - consumed);
  in_end_ -= consumed;
  if (next_frame_bytes > in_.size()) in_.resize(next_frame_bytes);
}

}  // namespace sluice::bench
