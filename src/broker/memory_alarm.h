// SPDX-License-Identifier: Apache-2.0
// Watches the memory of the process, on shard 0: above the watermark publishers are stopped, consumers go on.
// What counts is memory that cannot be given back at once: resident without cached files. Pure but for the
// question itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "broker/limit_alarm.h"
#include "broker/metrics.h"

namespace sluice::broker {

struct MemoryUse {
  std::uint64_t used_bytes = 0;
  std::uint64_t total_bytes = 0;  // of the machine
};

class MemoryAlarm {
 public:
  using Ask = std::function<MemoryUse()>;

  MemoryAlarm(base::Shard& shard, Ask ask, BrokerMetrics& metrics)
      : ask_(std::move(ask)),
        used_gauge_(metrics.memory_used_bytes),
        alarm_(shard, metrics.memory_limit_bytes, metrics.memory_alarm,
               {"vm_memory_high_watermark set. Publishers are stopped",
                "vm_memory_high_watermark clear. Publishers go on"}) {}

  // 0 stops all publishers.
  void set_limit(std::uint64_t bytes) { alarm_.set_limit(bytes); }

  // The new state when it changed.
  std::optional<bool> on_tick(std::int64_t monotonic_ms) {
    if (!ask_ || !alarm_.is_due(monotonic_ms)) return std::nullopt;
    alarm_.ask_again(monotonic_ms + interval_ms);
    const auto use = ask_();
    used_gauge_.set(use.used_bytes);
    const auto limit = alarm_.limit_bytes();
    return alarm_.turn(use.used_bytes > limit,
                       {{"memory_used", std::to_string(use.used_bytes)}, {"allowed", std::to_string(limit)}});
  }

 private:
  static constexpr std::int64_t interval_ms = 250;

  const Ask ask_;
  base::Counter& used_gauge_;
  LimitAlarm alarm_;
};

}  // namespace sluice::broker
