// SPDX-License-Identifier: Apache-2.0
// What stands around a session in a fuzzer: a transport that only collects, and the runtime's way of giving
// input - what was not used is offered again with what came behind it, and only to a session that reads.
//
//   test::CollectingTransport transport;  Session session(..., transport);
//   test::Feeder feeder(session);  feeder.feed(piece);  transport.take_sent();
#pragma once

#include "base/check.h"
#include "base/session.h"

namespace sluice::test {

class CollectingTransport final : public base::Transport {
 public:
  base::Outbox& outbox() override { return outbox_; }
  const base::PeerInfo& peer() const override { return peer_; }
  void wake() override {}

  // The bytes that were queued since the last call.
  base::ByteBuffer take_sent() {
    base::ByteBuffer sent;
    for (const auto& piece : outbox_.pieces())
      sent.insert(sent.end(), outbox_.data(piece), outbox_.data(piece) + piece.size);
    outbox_.consume(outbox_.pending_bytes());
    return sent;
  }

 private:
  base::Outbox outbox_;
  base::PeerInfo peer_{"127.0.0.1", 40000, "127.0.0.1", 5552, true};
};

class Feeder {
 public:
  explicit Feeder(base::Session& session) : session_(session) {}

  void feed(base::ByteView piece) {
    input_.insert(input_.end(), piece.begin(), piece.end());
    if (is_over() || !session_.reading()) return;
    const std::size_t used = session_.on_bytes(input_);
    INVARIANT(used <= input_.size(), "{} of {}", used, input_.size());
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
  }
  bool all_used() const { return input_.empty(); }
  bool is_over() const { return session_.closing() != base::Session::Closing::no; }

 private:
  base::Session& session_;
  base::ByteBuffer input_;
};

}  // namespace sluice::test
