// SPDX-License-Identifier: Apache-2.0
// The runtime's way of giving input to a session, for fuzzers: what was not used is offered again with what
// came behind it, and only to a session that reads.
//
//   test::FakeTransport transport;  Session session(..., transport);
//   test::Feeder feeder(session);  feeder.feed(piece);  transport.take_sent();
#pragma once

#include "base/check.h"
#include "base/session.h"
#include "support/fake_transport.h"

namespace sluice::test {

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
