// SPDX-License-Identifier: Apache-2.0
// The transport of a session in a test or a fuzzer: it collects what the session queues, counts wakes, and
// says yes to a move unless told otherwise. What moving takes besides is the test's.
#pragma once

#include <optional>
#include <utility>

#include "base/session.h"

namespace sluice::test {

class FakeTransport final : public base::Transport {
 public:
  // `port` is the broker's.
  explicit FakeTransport(std::uint16_t port = 5552) : peer_{"127.0.0.1", 40000, "127.0.0.1", port, true} {}

  base::Outbox& outbox() override { return outbox_; }
  const base::PeerInfo& peer() const override { return peer_; }
  void wake() override { ++wakes; }
  bool move_to(base::ShardId shard) override {
    if (movable) moved_to = shard;
    return movable;
  }

  // Appends the bytes that were queued since the last call.
  void take_sent(base::ByteBuffer& to) {
    for (const auto& piece : outbox_.pieces())
      to.insert(to.end(), outbox_.data(piece), outbox_.data(piece) + piece.size);
    outbox_.consume(outbox_.pending_bytes());
  }
  base::ByteBuffer take_sent() {
    base::ByteBuffer sent;
    take_sent(sent);
    return sent;
  }

  std::size_t wakes = 0;
  bool movable = true;
  std::optional<base::ShardId> moved_to;

 private:
  base::Outbox outbox_;
  base::PeerInfo peer_;
};

}  // namespace sluice::test
