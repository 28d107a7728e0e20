// SPDX-License-Identifier: Apache-2.0
// A connection of the load generator in AMQP 0-9-1 with one channel: the handshake, blocking methods for the
// set-up, and non-blocking bytes for the measured part.
#pragma once

#include <string>

#include "amqp/wire/frame.h"
#include "amqp/wire/methods.h"
#include "socket.h"

namespace sluice::bench {

namespace wire = amqp::wire;

// Encoded arguments of a method.
class Arguments {
 public:
  explicit Arguments(const base::FieldTable& table);
  base::FieldTableView view() const { return base::FieldTableView(base::ByteView(bytes_).subspan(4)); }

 private:
  base::ByteBuffer bytes_;
};

class AmqpLink : public Socket {
 public:
  static constexpr std::uint16_t channel = 1;
  static constexpr std::size_t input_bytes_default = 1024 * 1024;
  enum class Open : std::uint8_t { connection, channel };

  explicit AmqpLink(const Broker& broker, Open until = Open::channel,
                    std::size_t input_bytes = input_bytes_default);

  template <class M>
  void send(const M& method, std::uint16_t on = channel) {
    wire::write_method(on, method, out());
  }
  // Blocks until `count` methods Reply came; other frames are dropped. use(reply) for each.
  template <class Reply, class Use>
  void expect(std::size_t count, Use use);
  template <class Reply, class M>
  void call(const M& method, std::uint16_t on = channel) {
    send(method, on);
    expect<Reply>(1, [](const Reply&) {});
  }
  void close();

  // Set-up, blocking.
  void declare_queue(const std::string& name, const base::FieldTable& arguments = {});
  void delete_queue(const std::string& name);
  void consume(const std::string& queue, bool no_ack, std::uint16_t prefetch,
               const base::FieldTable& arguments = {});
  void select_confirms() { call<wire::ConfirmSelectOk>(wire::ConfirmSelect{}); }

  // One read; calls the handler for each whole frame but heartbeats. The frames die with the call.
  template <class Handler>
  void receive(Handler&& handler);

 private:
  void handshake(const Broker& broker);
  [[noreturn]] static void died_of(const wire::Frame& frame);
};

inline std::uint32_t packed_method_of(const wire::Frame& frame) {
  return frame.type == wire::FrameType::method && frame.payload.size() >= 4
             ? base::load_be<std::uint32_t>(frame.payload.data())
             : 0;
}

template <class Handler>
void AmqpLink::receive(Handler&& handler) {
  if (read_some() == 0) return;
  wire::FrameReader frames(received());
  wire::Frame frame;
  for (;;) {
    const auto status = frames.next(0, frame);
    if (status == wire::FrameReader::Status::frame) {
      const std::uint32_t method = packed_method_of(frame);
      if (method == wire::ConnectionClose::id.packed() || method == wire::ChannelClose::id.packed())
        died_of(frame);
      if (frame.type != wire::FrameType::heartbeat) handler(frame);
      continue;
    }
    if (status != wire::FrameReader::Status::need_more) die("the broker sent a frame that cannot be");
    constexpr std::size_t frame_bytes_max = 132 * 1024;
    return drop_consumed(frames.used_bytes(), frame_bytes_max);
  }
}

template <class Reply, class Use>
void AmqpLink::expect(std::size_t count, Use use) {
  while (count > 0) {
    flush();
    wait_for(static_cast<short>(POLLIN | (unsent_bytes() != 0 ? POLLOUT : 0)));
    receive([&](const wire::Frame& frame) {
      if (packed_method_of(frame) != Reply::id.packed() || count == 0) return;
      const auto reply = wire::decode<Reply>(frame.payload.subspan(4));
      if (!reply) die("{} does not parse", Reply::name);
      --count;
      use(*reply);
    });
  }
}

}  // namespace sluice::bench
