// SPDX-License-Identifier: Apache-2.0
// Frames of AMQP 0-9-1: type, channel, size, payload, end marker 0xCE. FrameReader cuts them out of a
// connection's bytes; the limit is on the whole frame, its 8 bytes of overhead included, but clients that do
// not count those are let through, as in RabbitMQ. It is checked before the payload arrives.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

inline constexpr std::size_t frame_overhead_bytes = 8;
inline constexpr std::uint8_t frame_end = 0xCE;
inline constexpr std::uint8_t protocol_header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};

enum class FrameType : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

struct Frame {
  FrameType type{};
  std::uint16_t channel = 0;
  base::ByteView payload;
};

// Of a method frame; zeros when it is too short.
inline MethodId method_of(const Frame& frame) {
  base::ByteReader reader(frame.payload);
  MethodId id;
  id.class_id = reader.read<std::uint16_t>();
  id.method_id = reader.read<std::uint16_t>();
  return id;
}

class FrameReader {
 public:
  enum class Status : std::uint8_t { frame, need_more, too_large, bad_end, unknown_type };
  explicit FrameReader(base::ByteView input) : input_(input) {}

  // frame_bytes_max 0: no limit.
  Status next(std::uint32_t frame_bytes_max, Frame& frame) {
    const base::ByteView rest = input_.subspan(used_);
    if (rest.size() < 7) return Status::need_more;
    const auto size = base::load_be<std::uint32_t>(rest.data() + 3);
    if (!known(rest[0])) return Status::unknown_type;
    if (frame_bytes_max != 0 && size > frame_bytes_max) return Status::too_large;
    if (rest.size() < std::uint64_t{size} + frame_overhead_bytes) return Status::need_more;
    if (rest[7 + size] != frame_end) return Status::bad_end;
    frame = {static_cast<FrameType>(rest[0]), base::load_be<std::uint16_t>(rest.data() + 1),
             rest.subspan(7, size)};
    used_ += size + frame_overhead_bytes;
    return Status::frame;
  }
  std::size_t used_bytes() const { return used_; }

 private:
  static bool known(std::uint8_t type) { return (type >= 1 && type <= 3) || type == 8; }
  base::ByteView input_;
  std::size_t used_ = 0;
};

// Appends a whole method frame.
template <base::Described M>
void write_method(std::uint16_t channel, const M& method, base::ByteBuffer& to) {
  base::ByteWriter writer(to);
  writer.write(static_cast<std::uint8_t>(FrameType::method));
  writer.write(channel);
  const std::size_t size_at = to.size();
  writer.write(std::uint32_t{0});
  writer.write(M::id.packed());
  encode(method, to);
  writer.patch(size_at, static_cast<std::uint32_t>(to.size() - size_at - 4));
  writer.write(frame_end);
}

}  // namespace sluice::amqp::wire
