// SPDX-License-Identifier: Apache-2.0
// basic.deliver with its content, written in one go: the one message that leaves a broker millions of times a
// second. The same bytes as write_method and write_content make (a test compares them), in a third of the
// time, because the buffer grows once and not for every field.
#pragma once

#include "amqp/wire/methods/basic.h"

namespace sluice::amqp::wire {

// Texts are at most 255 bytes long. frame_bytes_max 0: no limit.
void write_deliver(std::uint16_t channel, const BasicDeliver& method, base::ByteView properties,
                   base::ByteView body, std::uint32_t frame_bytes_max, base::ByteBuffer& to);

}  // namespace sluice::amqp::wire
