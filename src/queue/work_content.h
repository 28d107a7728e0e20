// SPDX-License-Identifier: Apache-2.0
// A work queue's message as the journal keeps it: 6 bytes of lengths, then exchange, routing key, properties
// (flags and values as published) and body. Layout: storage/FORMAT.md, "Work queues".
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "queue/work_queue.h"

namespace sluice::queue {

inline constexpr std::size_t content_head_bytes = 6;

// The parts to append, in order. Views into `message` and `head`.
// precondition: exchange and routing key of at most 255 bytes
inline std::array<base::ByteView, 5> content_parts(const Message& message,
                                                   std::array<std::uint8_t, content_head_bytes>& head) {
  head[0] = static_cast<std::uint8_t>(message.exchange.size());
  head[1] = static_cast<std::uint8_t>(message.routing_key.size());
  base::store_be(head.data() + 2, static_cast<std::uint32_t>(message.properties.size()));
  return {head, base::as_bytes(message.exchange), base::as_bytes(message.routing_key), message.properties,
          message.body};
}

// nullopt: malformed. Views into `content`.
inline std::optional<Message> parse_content(base::ByteView content) {
  base::ByteReader from(content);
  const auto exchange_bytes = from.read<std::uint8_t>();
  const auto key_bytes = from.read<std::uint8_t>();
  const auto properties_bytes = from.read<std::uint32_t>();
  Message message;
  message.exchange = base::as_text(from.read_bytes(exchange_bytes));
  message.routing_key = base::as_text(from.read_bytes(key_bytes));
  message.properties = from.read_bytes(properties_bytes);
  message.body = from.rest();
  if (!from.ok()) return std::nullopt;
  return message;
}

}  // namespace sluice::queue
