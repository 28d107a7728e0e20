// SPDX-License-Identifier: Apache-2.0
// One connection of the load generator: a plain socket, the handshake, blocking requests for the set-up and
// non-blocking bytes for the measured part. Much leaner than the client library, so that the broker is what
// is measured. One thread, no ownership beyond the socket. Whatever goes wrong ends the program with a
// message.
#pragma once

#include <fmt/format.h>
#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "streamproto/commands.h"

namespace sluice::bench {

template <class... Args>
[[noreturn]] void die(fmt::format_string<Args...> text, Args&&... args) {
  fmt::print(stderr, "bench_load: {}\n", fmt::format(text, std::forward<Args>(args)...));
  std::exit(1);
}

struct Broker {
  std::string host = "127.0.0.1";
  std::uint16_t port = 5552;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  int pid = 0;  // 0: unknown, no broker CPU is reported
};

class Link {
 public:
  using FrameHandler = std::function<void(const streamproto::Frame&)>;

  explicit Link(const Broker& broker);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Sends the request and blocks for its response; frames of other kinds that come meanwhile are dropped.
  template <class Response, class Request>
  streamproto::ResponseCode call(const Request& request) {
    return call<Response>(request, [](const Response&) {});
  }
  template <class Response, class Request, class Use>
  streamproto::ResponseCode call(const Request& request, Use use);

  template <class Command>
  void send(const Command& command, std::uint32_t correlation = 0) {
    streamproto::encode(command, correlation, out_);
  }
  base::ByteBuffer& out() { return out_; }
  std::size_t unsent_bytes() const { return out_.size() - out_at_; }

  // Writes what the socket takes now.
  void flush();
  // One read; calls the handler for each whole frame. The frames die with the call.
  template <class Handler>
  void receive(Handler&& handler);

  bool filters_supported() const { return filters_supported_; }
  std::uint64_t bytes_in() const { return bytes_in_; }
  std::uint64_t bytes_out() const { return bytes_out_; }
  pollfd poll_request() const {
    return {fd_, static_cast<short>(POLLIN | (unsent_bytes() != 0 ? POLLOUT : 0)), 0};
  }

 private:
  void connect(const Broker& broker);
  void handshake(const Broker& broker);
  void wait_for(short events);
  std::size_t read_some();
  void drop_consumed(std::size_t consumed, std::size_t next_frame_bytes);

  int fd_ = -1;
  base::ByteBuffer in_;
  std::size_t in_end_ = 0;
  base::ByteBuffer out_;
  std::size_t out_at_ = 0;
  std::uint32_t next_correlation_ = 1;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  bool filters_supported_ = false;
};

// Waits until one of the links can go on, or the time is up; then flushes and receives on those that can.
template <class Handler>
void serve(std::span<Link* const> links, std::int64_t timeout_ns, Handler&& handler) {
  static std::vector<pollfd> requests;
  requests.clear();
  for (const Link* link : links) requests.push_back(link->poll_request());
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  if (ppoll(requests.data(), requests.size(), &timeout, nullptr) <= 0) return;
  for (std::size_t i = 0; i < links.size(); ++i) {
    if ((requests[i].revents & POLLOUT) != 0) links[i]->flush();
    if ((requests[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      links[i]->receive([&](const streamproto::Frame& frame) { handler(i, frame); });
    }
  }
}

template <class Handler>
void Link::receive(Handler&& handler) {
  if (read_some() == 0) return;
  streamproto::FrameReader frames(base::ByteView(in_).first(in_end_), 0);
  for (;;) {
    const streamproto::FrameRead read = frames.next();
    if (read.status == streamproto::FrameStatus::complete) {
      if (read.frame.key() == streamproto::Key::close && !read.frame.is_response()) {
        die("the broker closed the connection: {}", base::as_text(read.frame.body));
      }
      handler(read.frame);
      continue;
    }
    if (read.status != streamproto::FrameStatus::need_more) die("the broker sent a frame that cannot be");
    return drop_consumed(frames.consumed_bytes(), read.size_bytes);
  }
}

template <class Response, class Request, class Use>
streamproto::ResponseCode Link::call(const Request& request, Use use) {
  const std::uint32_t correlation = next_correlation_++;
  send(request, correlation);
  auto code = streamproto::ResponseCode::ok;
  bool answered = false;
  while (!answered) {
    flush();
    wait_for(static_cast<short>(POLLIN | (unsent_bytes() != 0 ? POLLOUT : 0)));
    receive([&](const streamproto::Frame& frame) {
      auto response = streamproto::decode<Response>(frame);
      if (!response || response->correlation != correlation) return;
      answered = true;
      if constexpr (requires { response->message.code; }) code = response->message.code;
      use(response->message);
    });
  }
  return code;
}

}  // namespace sluice::bench
