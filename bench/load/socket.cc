// SPDX-License-Identifier: Apache-2.0
#include "socket.h"

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

constexpr int patience_ms = 60'000;

}  // namespace

Socket::Socket(const std::string& host, std::uint16_t port, std::size_t input_bytes) : in_(input_bytes) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    die("unknown host {}", host);
  }
  for (addrinfo* at = found; at != nullptr && fd_ < 0; at = at->ai_next) {
    fd_ = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (fd_ >= 0 && ::connect(fd_, at->ai_addr, at->ai_addrlen) != 0) {
      close(fd_);
      fd_ = -1;
    }
  }
  freeaddrinfo(found);
  if (fd_ < 0) die("no connection to {}:{}: {}", host, port, std::strerror(errno));
  const int yes = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

void Socket::wait_for(short events) {
  pollfd request{fd_, events, 0};
  if (poll(&request, 1, patience_ms) <= 0) die("no answer from the broker for a minute");
}

void Socket::flush() {
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

std::size_t Socket::read_some() {
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

void Socket::drop_consumed(std::size_t consumed, std::size_t next_frame_bytes) {
  std::memmove(in_.data(), in_.data() + consumed, in_end_ - consumed);
  in_end_ -= consumed;
  if (next_frame_bytes > in_.size()) in_.resize(next_frame_bytes);
}

}  // namespace sluice::bench
