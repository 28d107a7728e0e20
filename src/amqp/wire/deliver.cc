// SPDX-License-Identifier: Apache-2.0
#include "amqp/wire/deliver.h"

#include <algorithm>

#include "amqp/wire/frame.h"

namespace sluice::amqp::wire {
namespace {

// Writes without asking for room: the caller has counted.
class Pen {
 public:
  explicit Pen(std::uint8_t* at) : at_(at) {}
  template <std::integral T>
  void number(T value) {
    base::store_be(at_, value);
    at_ += sizeof value;
  }
  void bytes(base::ByteView view) {
    if (!view.empty()) std::memcpy(at_, view.data(), view.size());
    at_ += view.size();
  }
  void text(std::string_view view) {
    number(static_cast<std::uint8_t>(view.size()));
    bytes(base::as_bytes(view));
  }
  void frame(FrameType type, std::uint16_t channel, std::size_t size) {
    number(static_cast<std::uint8_t>(type));
    number(channel);
    number(static_cast<std::uint32_t>(size));
  }

 private:
  std::uint8_t* at_;
};

}  // namespace

void write_deliver(std::uint16_t channel, const BasicDeliver& method, base::ByteView properties,
                   base::ByteView body, std::uint32_t frame_bytes_max, base::ByteBuffer& to) {
  const std::size_t method_bytes =
      4 + 1 + method.consumer_tag.size() + 8 + 1 + 1 + method.exchange.size() + 1 + method.routing_key.size();
  const std::size_t header_bytes = 12 + properties.size();
  const std::size_t room = frame_bytes_max == 0 ? body.size() : frame_bytes_max - frame_overhead_bytes;
  const std::size_t bodies = body.empty() ? 0 : (body.size() + room - 1) / room;
  const std::size_t begin = to.size();
  to.resize(begin + method_bytes + header_bytes + body.size() + (2 + bodies) * frame_overhead_bytes);
  Pen pen(to.data() + begin);
  pen.frame(FrameType::method, channel, method_bytes);
  pen.number(BasicDeliver::id.packed());
  pen.text(method.consumer_tag);
  pen.number(method.delivery_tag);
  pen.number(static_cast<std::uint8_t>(method.redelivered ? 1 : 0));
  pen.text(method.exchange);
  pen.text(method.routing_key);
  pen.number(frame_end);
  pen.frame(FrameType::header, channel, header_bytes);
  pen.number(BasicDeliver::id.class_id);
  pen.number(std::uint16_t{0});
  pen.number(std::uint64_t{body.size()});
  pen.bytes(properties);
  pen.number(frame_end);
  while (!body.empty()) {
    const base::ByteView part = body.first(std::min(room, body.size()));
    pen.frame(FrameType::body, channel, part.size());
    pen.bytes(part);
    pen.number(frame_end);
    body = body.subspan(part.size());
  }
}

}  // namespace sluice::amqp::wire
