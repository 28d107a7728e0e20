// SPDX-License-Identifier: Apache-2.0
// A connection of the load generator in the stream protocol: the handshake, blocking requests for the set-up
// and non-blocking bytes for the measured part. Much leaner than the client library, so that the broker is
// what is measured.
#pragma once

#include <functional>

#include "socket.h"
#include "streamproto/commands.h"

namespace sluice::bench {

class Link : public Socket {
 public:
  using FrameHandler = std::function<void(const streamproto::Frame&)>;

  explicit Link(const Broker& broker);

  // Sends the request and blocks for its response; frames of other kinds that come meanwhile are dropped.
  template <class Response, class Request>
  streamproto::ResponseCode call(const Request& request) {
    return call<Response>(request, [](const Response&) {});
  }
  template <class Response, class Request, class Use>
  streamproto::ResponseCode call(const Request& request, Use use);

  template <class Command>
  void send(const Command& command, std::uint32_t correlation = 0) {
    streamproto::encode(command, correlation, out());
  }
  // One read; calls the handler for each whole frame. The frames die with the call.
  template <class Handler>
  void receive(Handler&& handler);

  bool filters_supported() const { return filters_supported_; }

 private:
  void handshake(const Broker& broker);

  std::uint32_t next_correlation_ = 1;
  bool filters_supported_ = false;
};

template <class Handler>
void Link::receive(Handler&& handler) {
  if (read_some() == 0) return;
  streamproto::FrameReader frames(received(), 0);
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
