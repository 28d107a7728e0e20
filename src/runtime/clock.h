// SPDX-License-Identifier: Apache-2.0
// Time and chance of the real machine: the implementations of base::Clock and base::Random. The clock may be
// read from any thread; each shard has a Random of its own.
#pragma once

#include <random>

#include "base/ports.h"

namespace sluice::runtime {

class SystemClock final : public base::Clock {
 public:
  std::int64_t wall_ms() const override;
  std::int64_t monotonic_ms() const override;
};

class SystemRandom final : public base::Random {
 public:
  SystemRandom();
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace sluice::runtime
