// SPDX-License-Identifier: Apache-2.0
#include "amqp/wire/content.h"

#include <algorithm>

namespace sluice::amqp::wire {
namespace {

constexpr std::uint16_t basic_class = 60;

void begin_frame(FrameType type, std::uint16_t channel, std::size_t size, base::ByteWriter& to) {
  to.write(static_cast<std::uint8_t>(type));
  to.write(channel);
  to.write(static_cast<std::uint32_t>(size));
}

}  // namespace

base::Result<ContentHeader> decode_content_header(base::ByteView payload) {
  base::ByteReader from(payload);
  ContentHeader header;
  header.class_id = from.read<std::uint16_t>();
  from.skip(2);  // weight, always 0
  header.body_bytes = from.read<std::uint64_t>();
  header.properties = from.rest();
  if (!from.ok() || header.properties.size() < 2) {
    return base::fail(base::Errc::malformed, "malformed content header");
  }
  return header;
}

void write_content(std::uint16_t channel, base::ByteView properties, base::ByteView body,
                   std::uint32_t frame_bytes_max, base::ByteBuffer& to) {
  base::ByteWriter writer(to);
  begin_frame(FrameType::header, channel, 12 + properties.size(), writer);
  writer.write(basic_class);
  writer.write(std::uint16_t{0});
  writer.write(std::uint64_t{body.size()});
  writer.write_bytes(properties);
  writer.write(frame_end);
  const std::size_t room = frame_bytes_max == 0 ? body.size() : frame_bytes_max - frame_overhead_bytes;
  while (!body.empty()) {
    const base::ByteView part = body.first(std::min(room, body.size()));
    begin_frame(FrameType::body, channel, part.size(), writer);
    writer.write_bytes(part);
    writer.write(frame_end);
    body = body.subspan(part.size());
  }
}

}  // namespace sluice::amqp::wire
