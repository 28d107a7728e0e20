// SPDX-License-Identifier: Apache-2.0
// A socket address of any family (IPv4, IPv6, unix), parsed from and shown as text.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/session.h"

namespace sluice::runtime {

class SocketAddress {
 public:
  static base::Result<SocketAddress> parse(const std::string& host,
                                           std::uint16_t port);  // numeric or "localhost"
  static base::Result<SocketAddress> local(const std::string& path);
  static SocketAddress local_of(int fd);

  int family() const { return storage_.ss_family; }
  std::string host() const;  // IPv4 in IPv6 is shown as IPv4; empty for unix
  std::uint16_t port() const;
  bool loopback() const;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }
  socklen_t* size_for_kernel() { return &size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = sizeof(sockaddr_storage);
};

base::PeerInfo peer_info_of(int fd, const SocketAddress& peer);

}  // namespace sluice::runtime
