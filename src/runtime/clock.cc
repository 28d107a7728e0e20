// SPDX-License-Identifier: Apache-2.0
#include "runtime/clock.h"

#include <chrono>

namespace sluice::runtime {
namespace {

template <class Clock>
std::int64_t milliseconds_of() {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  return duration_cast<milliseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

std::int64_t SystemClock::wall_ms() const {
  return milliseconds_of<std::chrono::system_clock>();
}
std::int64_t SystemClock::monotonic_ms() const {
  return milliseconds_of<std::chrono::steady_clock>();
}

SystemRandom::SystemRandom() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  engine_.seed(seed);
}

}  // namespace sluice::runtime
