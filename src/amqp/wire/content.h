// SPDX-License-Identifier: Apache-2.0
// Content of basic.publish / deliver / return / get-ok: a header frame with the properties, then body frames.
// The properties are kept as the bytes they came in (a queue gives back what it got, untouched); message/
// reads and changes them.
#pragma once

#include "amqp/wire/frame.h"

namespace sluice::amqp::wire {

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
