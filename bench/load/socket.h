// SPDX-License-Identifier: Apache-2.0
// What the load generator's connections of all protocols share: a plain non-blocking socket with its buffers.
// One thread, no ownership beyond the socket. Whatever goes wrong ends the program with a message.
#pragma once

#include <fmt/format.h>
#include <poll.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace sluice::bench {

template <class... Args>
[[noreturn]] void die(fmt::format_string<Args...> text, Args&&... args) {
  fmt::print(stderr, "bench_load: {}\n", fmt::format(text, std::forward<Args>(args)...));
  std::exit(1);
}

inline constexpr std::int64_t second_ns = 1'000'000'000;

struct Broker {
  std::string host = "127.0.0.1";
  std::uint16_t port = 5552;
  std::uint16_t amqp_port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  int pid = 0;  // 0: unknown, no broker CPU is reported
};

class Socket {
 public:
  Socket(const std::string& host, std::uint16_t port, std::size_t input_bytes);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  base::ByteBuffer& out() { return out_; }
  std::size_t unsent_bytes() const { return out_.size() - out_at_; }
  // Writes what the socket takes now.
  void flush();
  void wait_for(short events);

  std::uint64_t bytes_in() const { return bytes_in_; }
  std::uint64_t bytes_out() const { return bytes_out_; }
  pollfd poll_request() const {
    return {fd_, static_cast<short>(POLLIN | (unsent_bytes() != 0 ? POLLOUT : 0)), 0};
  }

 protected:
  std::size_t read_some();
  base::ByteView received() const { return base::ByteView(in_).first(in_end_); }
  void drop_consumed(std::size_t consumed, std::size_t next_frame_bytes);

 private:
  int fd_ = -1;
  base::ByteBuffer in_;
  std::size_t in_end_ = 0;
  base::ByteBuffer out_;
  std::size_t out_at_ = 0;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

// Waits until one of the links can go on, or the time is up; then flushes and receives on those that can. The
// handler gets the link's number and a frame.
template <class Links, class Handler>
void serve(const Links& links, std::int64_t timeout_ns, Handler&& handler) {
  static std::vector<pollfd> requests;
  requests.clear();
  for (const auto* link : links) requests.push_back(link->poll_request());
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  if (ppoll(requests.data(), requests.size(), &timeout, nullptr) <= 0) return;
  for (std::size_t i = 0; i < links.size(); ++i) {
    if ((requests[i].revents & POLLOUT) != 0) links[i]->flush();
    if ((requests[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
      links[i]->receive([&](const auto& frame) { handler(i, frame); });
  }
}

}  // namespace sluice::bench
