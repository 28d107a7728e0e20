// SPDX-License-Identifier: Apache-2.0
// The waiting between attempts to reattach, shared by Producer and Consumer: doubling delays up to a bound, a
// bounded number of attempts, and which errors no attempt can help against.
#pragma once

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

#include "client/options.h"
#include "client/task.h"

namespace sluice::client {

// False for answers that stay the same however often one asks.
inline bool is_worth_a_retry(const base::Error& error) {
  return error.code == base::Errc::stream_unavailable || error.code == base::Errc::io_failed ||
         error.code == base::Errc::internal;
}

class Backoff {
 public:
  Backoff(asio::any_io_executor executor, const RetryPolicy& policy)
      : timer_(std::move(executor)), policy_(policy), delay_(policy.first_delay) {}

  // Waits; false when the attempts are used up.
  Task<bool> next() {
    if (attempts_++ >= policy_.attempts_max) co_return false;
    timer_.expires_after(delay_);
    delay_ = std::min(2 * delay_, policy_.max_delay);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return true;
  }

 private:
  asio::steady_timer timer_;
  RetryPolicy policy_;
  std::chrono::milliseconds delay_;
  std::uint32_t attempts_ = 0;
};

}  // namespace sluice::client
