// SPDX-License-Identifier: Apache-2.0
// AMQP 0-9-1 messages as AMQP 1.0 sections and back: the form of every message in a stream, so that what one
// protocol's clients publish the others read. The rules are RabbitMQ's (reference queues-and-amqp.md, section
// 8); README.md lists them.
//
// Pure; called by the broker for streams and retained queues. Both directions take any bytes, never throw,
// and allocate nothing but room in buffers that are used again.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "message/properties.h"

namespace sluice::message {

// A message of AMQP 0-9-1. Views.
struct BasicMessage {
  std::string_view exchange, routing_key;
  base::ByteView properties;  // flags and values (properties.h)
  base::ByteView body;
};

enum class Keep : std::uint8_t {
  convertible,  // what AMQP 1.0 has a place for: streams
  everything,   // the properties as they came, too, in an annotation, for consumers of AMQP 0-9-1: retained
                // queues
};

// Appends the sections. Properties that do not parse count as none.
void append_amqp10(const BasicMessage& message, Keep keep, base::ByteBuffer& to);

// The value of the header x-stream-filter-value; nothing when there is none, or it is no text.
std::optional<std::string_view> stream_filter_value(const BasicProperties& properties);

// With its frame this fits the smallest frame_max that clients use by default.
inline constexpr std::size_t properties_bytes_max = 120 << 10;

// The way back. One converter serves many messages; what it returns points into the message and into itself
// and is valid until the next call.
class ToBasic {
 public:
  struct Result {
    BasicMessage message;
    // exchange and routing_key are the publisher's; false: it did not come through AMQP 0-9-1, they are
    // empty.
    bool routed = false;
  };
  // stream_offset: delivered as the header x-stream-offset. Bytes that are no AMQP 1.0 message become the
  // body. Headers beyond properties_bytes_max are left out.
  Result convert(base::ByteView amqp10, std::optional<std::uint64_t> stream_offset);

 private:
  base::ByteBuffer headers_, properties_, body_;
};

}  // namespace sluice::message
