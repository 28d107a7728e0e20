// SPDX-License-Identifier: Apache-2.0
#include "amqp/wire/content.h"

#include <algorithm>

namespace sluice::amqp::wire {
namespace {

constexpr std::uint16_t basic_class = 60;

// Calls visit(flag, member) in wire order; the one list both directions share.
template <class Properties, class Visit>
void for_each_property(Properties& p, Visit&& visit) {
  visit(Property::content_type, p.content_type);
  visit(Property::content_encoding, p.content_encoding);
  visit(Property::headers, p.headers);
  visit(Property::delivery_mode, p.delivery_mode);
  visit(Property::priority, p.priority);
  visit(Property::correlation_id, p.correlation_id);
  visit(Property::reply_to, p.reply_to);
  visit(Property::expiration, p.expiration);
  visit(Property::message_id, p.message_id);
  visit(Property::timestamp, p.timestamp);
  visit(Property::type, p.type);
  visit(Property::user_id, p.user_id);
  visit(Property::app_id, p.app_id);
  visit(Property::cluster_id, p.cluster_id);
}

void read_value(base::ByteReader& from, std::string_view& value) {
  value = base::as_text(from.read_bytes(from.read<std::uint8_t>()));
}
void read_value(base::ByteReader& from, base::FieldTableView& value) {
  value = base::FieldTableView(from.read_bytes(from.read<std::uint32_t>()));
  if (!value.well_formed()) from.set_failed();
}
template <std::integral T>
void read_value(base::ByteReader& from, T& value) {
  value = from.read<T>();
}

void write_value(base::ByteWriter& to, std::string_view value) {
  value = value.substr(0, short_string_bytes_max);
  to.write(static_cast<std::uint8_t>(value.size()));
  to.write_bytes(base::as_bytes(value));
}
void write_value(base::ByteWriter& to, const base::FieldTableView& value) {
  to.write(static_cast<std::uint32_t>(value.bytes().size()));
  to.write_bytes(value.bytes());
}
template <std::integral T>
void write_value(base::ByteWriter& to, T value) {
  to.write(value);
}

void begin_frame(FrameType type, std::uint16_t channel, std::size_t size, base::ByteWriter& to) {
  to.write(static_cast<std::uint8_t>(type));
  to.write(channel);
  to.write(static_cast<std::uint32_t>(size));
}

}  // namespace

base::Result<BasicProperties> decode_properties(base::ByteView bytes) {
  BasicProperties properties;
  base::ByteReader from(bytes);
  const auto flags = from.read<std::uint16_t>();
  // Bit 0 announces a second flag word, which no property of class basic uses.
  if ((flags & 1) != 0) from.set_failed();
  for_each_property(properties, [&](Property flag, auto& member) {
    if ((flags & static_cast<std::uint16_t>(flag)) != 0) read_value(from, member.emplace());
  });
  if (!from.ok()) return base::fail(base::Errc::malformed, "malformed content properties");
  return properties;
}

void encode_properties(const BasicProperties& properties, base::ByteBuffer& to) {
  base::ByteWriter writer(to);
  const std::size_t flags_at = to.size();
  unsigned flags = 0;
  writer.write(std::uint16_t{0});
  for_each_property(properties, [&](Property flag, const auto& member) {
    if (!member) return;
    flags |= static_cast<unsigned>(flag);
    write_value(writer, *member);
  });
  writer.patch(flags_at, static_cast<std::uint16_t>(flags));
}

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
