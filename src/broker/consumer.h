// SPDX-License-Identifier: Apache-2.0
// A subscription as its session sees it: something that delivers chunks while there is credit. Lives on the
// session's shard, whatever shard owns the log: it reads committed bytes straight from the files.
#pragma once

#include <memory>
#include <span>

#include "base/ports.h"
#include "broker/types.h"
#include "queue/sink.h"

namespace sluice::broker {

// Where delivered chunks go: one call is one Deliver frame and costs one credit.
using ChunkSink = queue::Sink;

struct ConsumerProgress {
  std::uint64_t next_offset = 0;         // of the next message this consumer will look at
  std::uint64_t messages_delivered = 0;  // records in delivered chunks
  std::uint64_t chunks_skipped = 0, segments_skipped = 0;
};

class Consumer {
 public:
  virtual ~Consumer() = default;
  // Delivers up to `credits` chunks; returns how many it delivered. Stops early at the end of the committed
  // log (on_readable comes when it grows), when the sink is full (call again when drained), or after a
  // bounded amount of looking at non-matching chunks (on_readable then comes by itself in the next turn). An
  // error means the log went offline; on_stream_lost follows.
  virtual std::uint32_t deliver(std::uint32_t credits, ChunkSink& sink) = 0;
  virtual ConsumerProgress progress() const = 0;
  virtual std::uint64_t committed_chunk_id() const = 0;  // for Deliver v2
  virtual std::uint64_t offset_lag() const = 0;
};

}  // namespace sluice::broker
