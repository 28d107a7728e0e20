// SPDX-License-Identifier: Apache-2.0
// Watches the memory of the process, on shard 0: above the watermark publishers are stopped, consumers go on.
// What counts is memory that cannot be given back at once: resident without cached files. Pure but for the
// question itself; ShardBroker spreads the change. An operator may move the limit while the node runs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/ports.h"
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
      : shard_(shard), ask_(std::move(ask)), metrics_(metrics) {}

  // 0 stops all publishers.
  void set_limit(std::uint64_t bytes) {
    limit_bytes_ = bytes;
    metrics_.memory_limit_bytes.set(bytes);
    next_ms_ = 0;
  }

  // The new state when it changed.
  std::optional<bool> on_tick(std::int64_t monotonic_ms) {
    if (!ask_ || monotonic_ms < next_ms_) return std::nullopt;
    next_ms_ = monotonic_ms + interval_ms;
    const auto use = ask_();
    metrics_.memory_used_bytes.set(use.used_bytes);
    const bool on = use.used_bytes > limit_bytes_;
    if (on == on_) return std::nullopt;
    on_ = on;
    metrics_.memory_alarm.set(on ? 1 : 0);
    shard_.logger.write(
        on ? base::LogLevel::warning : base::LogLevel::info, "broker",
        on ? "vm_memory_high_watermark set. Publishers are stopped"
           : "vm_memory_high_watermark clear. Publishers go on",
        {{"memory_used", std::to_string(use.used_bytes)}, {"allowed", std::to_string(limit_bytes_)}});
    return on;
  }

 private:
  static constexpr std::int64_t interval_ms = 250;

  base::Shard& shard_;
  const Ask ask_;
  BrokerMetrics& metrics_;
  std::uint64_t limit_bytes_ = 0;
  std::int64_t next_ms_ = 0;
  bool on_ = false;
};

}  // namespace sluice::broker
