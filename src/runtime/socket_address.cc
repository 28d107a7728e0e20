// SPDX-License-Identifier: Apache-2.0
#include "runtime/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <cstring>

#include "base/bytes.h"

namespace sluice::runtime {

base::Result<SocketAddress> SocketAddress::parse(const std::string& host, std::uint16_t port) {
  SocketAddress address;
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage_);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage_);
  if (::inet_pton(AF_INET, numeric.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = base::to_big_endian(port);
    address.size_ = sizeof v4;
    return address;
  }
  if (::inet_pton(AF_INET6, numeric.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = base::to_big_endian(port);
    address.size_ = sizeof v6;
    return address;
  }
  return base::fail(
      base::Errc::precondition_failed,
      fmt::format("'{}' is no IP address to listen on; give one such as 127.0.0.1, 0.0.0.0 or ::1", host));
}

base::Result<SocketAddress> SocketAddress::local(const std::string& path) {
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage_);
  if (path.size() >= sizeof local.sun_path) {
    return base::fail(
        base::Errc::precondition_failed,
        fmt::format("the path of the unix socket {} is longer than {} bytes; use a shorter data directory",
                    path, sizeof local.sun_path - 1));
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
  address.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

SocketAddress SocketAddress::local_of(int fd) {
  SocketAddress address;
  if (::getsockname(fd, address.get(), &address.size_) != 0) address.storage_.ss_family = AF_UNSPEC;
  return address;
}

std::string SocketAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage_).sin_addr, text.data(), text.size());
  } else if (family() == AF_INET6) {
    const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(storage_).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      ::inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &address, text.data(), text.size());
    }
  }
  return text.data();
}

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET)
    return base::to_big_endian(reinterpret_cast<const sockaddr_in&>(storage_).sin_port);
  if (family() == AF_INET6)
    return base::to_big_endian(reinterpret_cast<const sockaddr_in6&>(storage_).sin6_port);
  return 0;
}

bool SocketAddress::loopback() const {
  if (family() == AF_UNIX) return true;
  const std::string text = host();
  return text.starts_with("127.") || text == "::1";
}

base::PeerInfo peer_info_of(int fd, const SocketAddress& peer) {
  const SocketAddress own = SocketAddress::local_of(fd);
  return {peer.host(), peer.port(), own.host(), own.port(), peer.loopback()};
}

}  // namespace sluice::runtime
