// SPDX-License-Identifier: Apache-2.0
// Content of basic.publish / deliver / return / get-ok: a header frame with the properties, then body frames.
// The properties are kept as the bytes they came in (a queue gives back what it got, untouched) and read
// through a view.
#pragma once

#include <optional>

#include "amqp/wire/frame.h"

namespace sluice::amqp::wire {

// Bits of the property flags, highest first as the specification orders the properties.
enum class Property : std::uint16_t {
  content_type = 1 << 15,
  content_encoding = 1 << 14,
  headers = 1 << 13,
  delivery_mode = 1 << 12,
  priority = 1 << 11,
  correlation_id = 1 << 10,
  reply_to = 1 << 9,
  expiration = 1 << 8,
  message_id = 1 << 7,
  timestamp = 1 << 6,
  type = 1 << 5,
  user_id = 1 << 4,
  app_id = 1 << 3,
  cluster_id = 1 << 2,
};

struct BasicProperties {
  std::optional<std::string_view> content_type, content_encoding;
  std::optional<base::FieldTableView> headers;
  std::optional<std::uint8_t> delivery_mode, priority;
  std::optional<std::string_view> correlation_id, reply_to, expiration, message_id;
  std::optional<std::uint64_t> timestamp;
  std::optional<std::string_view> type, user_id, app_id, cluster_id;
};

// `bytes` begins with the property flags. Views into it.
base::Result<BasicProperties> decode_properties(base::ByteView bytes);
void encode_properties(const BasicProperties& properties, base::ByteBuffer& to);

struct ContentHeader {
  std::uint16_t class_id = 0;
  std::uint64_t body_bytes = 0;
  base::ByteView properties;  // flags and values, as received
};
base::Result<ContentHeader> decode_content_header(base::ByteView payload);

// Appends the header frame and as many body frames as frame_bytes_max asks for (0: one).
void write_content(std::uint16_t channel, base::ByteView properties, base::ByteView body,
                   std::uint32_t frame_bytes_max, base::ByteBuffer& to);

}  // namespace sluice::amqp::wire
