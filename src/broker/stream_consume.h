// SPDX-License-Identifier: Apache-2.0
// basic.consume on a stream: what is refused, with RabbitMQ's codes and texts (reference queues-and-amqp.md,
// section 7), and what its arguments mean. Pure; called by AmqpStreams on the session's shard.
#pragma once

#include <string>
#include <string_view>

#include "broker/messaging.h"

namespace sluice::broker {

struct StreamConsume {
  SubscribeRequest request;
  // Ours, x-stream-offset-tracking: the place is kept on the server under this name; empty: not.
  std::string tracking;
};

// `channel_prefetch`: the shared limit of the channel, 0 none. `now_ms`: wall time, for offsets like "1h".
Outcome<StreamConsume> to_stream_consume(std::string_view vhost, const ConsumeRequest& request,
                                         std::uint32_t channel_prefetch, std::int64_t now_ms);

}  // namespace sluice::broker
