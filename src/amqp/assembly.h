// SPDX-License-Identifier: Apache-2.0
// A message on its way in whose frames did not come in one read: what basic.publish said, then the
// properties, then the body as far as it has come. Belongs to a channel from basic.publish to the last body
// frame; afterwards the shard keeps one for the next message (Context::spare_assembly), so that channels at
// rest hold nothing and publishing allocates nothing.
#pragma once

#include <string>

#include "base/bytes.h"

namespace sluice::amqp {

struct Assembly {
  static constexpr std::size_t keep_bytes = 1 << 16;

  std::string exchange, routing_key;
  bool mandatory = false, immediate = false;
  bool has_header = false;
  std::uint64_t body_bytes = 0;  // as the header said
  base::ByteBuffer properties, body;

  void clear() {
    has_header = false;
    body_bytes = 0;
    properties.clear();
    if (body.capacity() > keep_bytes) {
      base::ByteBuffer().swap(body);
    } else {
      body.clear();
    }
  }
};

}  // namespace sluice::amqp
