// SPDX-License-Identifier: Apache-2.0
#include "admin_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "http/admin_socket.h"
#include "http/endpoints.h"

namespace sluicectl {
namespace {

class Socket {
 public:
  Socket() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Failure not_reached(const std::string& path, const std::string& data_dir, int code) {
  const char* reason = std::strerror(code);
  if (code == EACCES || code == EPERM) {
    return {ExitCode::no_permission,
            fmt::format("no right to {}: {}; be the user the server runs as, or root", path, reason), false};
  }
  return {
      ExitCode::unavailable,
      fmt::format("no server answers at {}: {}\nIs one running on this data directory? Start it with\n"
                  "  sluice --data-dir {}\nor name the directory of the one that runs with --data-dir or {}.",
                  path, reason, data_dir, sluice::http::data_dir_variable),
      false};
}

Failure broken_off(int code, int timeout_s) {
  if (code == EAGAIN || code == EWOULDBLOCK) {
    return {ExitCode::temporary,
            fmt::format("the server did not answer within {} s; --timeout gives it longer", timeout_s),
            false};
  }
  return {ExitCode::unavailable, fmt::format("the server broke the connection: {}", std::strerror(code)),
          false};
}

// The server is asked to close after its answer, so the answer is all there is.
Reply parse_answer(const std::string& answer) {
  const Failure unreadable{ExitCode::software, "the server's answer cannot be read; are versions equal?",
                           false};
  const auto head_end = answer.find("\r\n\r\n");
  int status = 0;
  constexpr std::size_t status_at = 9;  // after "HTTP/1.1 "
  if (head_end == std::string::npos || answer.size() < status_at + 3 ||
      std::from_chars(answer.data() + status_at, answer.data() + status_at + 3, status).ec != std::errc{}) {
    return unreadable;
  }
  boost::system::error_code error;
  boost::json::value body = boost::json::parse(std::string_view(answer).substr(head_end + 4), error);
  if (error) return unreadable;
  if (status == 200) return body;
  const auto* reason = body.is_object() ? body.get_object().if_contains("reason") : nullptr;
  const std::string text = reason != nullptr && reason->is_string()
                               ? std::string(std::string_view(reason->get_string()))
                               : "refused";
  switch (status) {
    case 403:
      return Failure{ExitCode::no_permission, text, false};
    case 503:
      return Failure{ExitCode::unavailable, text, false};
    case 500:
      return Failure{ExitCode::software, text, false};
    case 405:
    case 413:
      return Failure{ExitCode::data, text, false};
    default: {
      const auto* word = body.is_object() ? body.get_object().if_contains("error") : nullptr;
      const auto said = word != nullptr && word->is_string() ? std::string_view(word->get_string()) : "";
      if (said == sluice::http::no_vhost_word) return Failure{ExitCode::data, text, false};
      if (said == sluice::http::no_user_word) return Failure{ExitCode::no_user, text, false};
      return Failure{ExitCode::data, text, true};
    }
  }
}

}  // namespace

Reply ask(const std::string& data_dir, std::string_view command, const boost::json::object& arguments,
          int timeout_s) {
  const std::string path = sluice::http::admin_socket_path(data_dir);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return not_reached(path, data_dir, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const Socket socket;
  const timeval patience{timeout_s, 0};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return not_reached(path, data_dir, errno);
  }
  const std::string body = boost::json::serialize(arguments);
  const std::string request = fmt::format(
      "POST {}{} HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      sluice::http::command_prefix, command, body.size(), body);
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t n = ::send(socket.fd(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n < 0) return broken_off(errno, timeout_s);
    sent += static_cast<std::size_t>(n);
  }
  std::string answer;
  for (std::array<char, 65536> part{};;) {
    const ssize_t n = ::recv(socket.fd(), part.data(), part.size(), 0);
    if (n < 0) return broken_off(errno, timeout_s);
    if (n == 0) break;
    answer.append(part.data(), static_cast<std::size_t>(n));
  }
  if (answer.empty()) return broken_off(ECONNRESET, timeout_s);
  return parse_answer(answer);
}

}  // namespace sluicectl
