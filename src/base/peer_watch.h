// SPDX-License-Identifier: Apache-2.0
// Whether the peer of a connection is still there: heartbeats of both sides, and an outbox of which it takes
// something. Part of a protocol's session, on the connection's shard; the session says what a heartbeat looks
// like and how a connection ends, and asks at every tick. Times are of Clock::monotonic_ms.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::base {

class PeerWatch {
 public:
  // Above its high-water mark an outbox gets no more deliveries, but the client is still read, so that its
  // settlements and heartbeats are seen; above this (a chunk may overshoot the mark by its own size) it is
  // not. An outbox that full of which the client has taken nothing for so long ends the connection.
  static constexpr std::size_t outbox_input_stop_bytes = 5 << 19;
  static constexpr std::int64_t outbox_stalled_ms = 120'000;

  explicit PeerWatch(std::int64_t now_ms)
      : received_ms_(now_ms), sent_ms_(now_ms), outbox_progress_ms_(now_ms) {}

  void on_received(std::int64_t now_ms) { received_ms_ = now_ms; }
  void on_sent(std::int64_t now_ms) { sent_ms_ = now_ms; }

  // interval_ms as negotiated; 0: no heartbeats.
  bool missed_heartbeats(std::int64_t now_ms, std::int64_t interval_ms) const {
    return interval_ms != 0 && now_ms - received_ms_ > 2 * interval_ms;
  }
  bool heartbeat_due(std::int64_t now_ms, std::int64_t interval_ms) const {
    return interval_ms != 0 && now_ms - sent_ms_ >= interval_ms / 2;
  }
  // At every tick, with what the outbox holds. A client that never reads would otherwise keep it full for
  // ever.
  bool stopped_reading(std::int64_t now_ms, std::size_t pending_bytes) {
    if (pending_bytes < outbox_input_stop_bytes || pending_bytes < outbox_bytes_)
      outbox_progress_ms_ = now_ms;
    outbox_bytes_ = pending_bytes;
    return now_ms - outbox_progress_ms_ > outbox_stalled_ms;
  }

 private:
  std::int64_t received_ms_, sent_ms_, outbox_progress_ms_;
  std::size_t outbox_bytes_ = 0;  // at the last tick
};

}  // namespace sluice::base
