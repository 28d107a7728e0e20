// SPDX-License-Identifier: Apache-2.0
// Watches the free disk, on shard 0: asks the more often the nearer the limit is. Pure but for
// Disk::free_bytes.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "broker/limit_alarm.h"
#include "broker/metrics.h"

namespace sluice::broker {

class DiskAlarm {
 public:
  DiskAlarm(base::Shard& shard, std::string path, std::uint64_t limit_bytes, BrokerMetrics& metrics)
      : shard_(shard),
        path_(std::move(path)),
        free_gauge_(metrics.disk_free_bytes),
        alarm_(shard, metrics.disk_free_limit_bytes, metrics.disk_alarm,
               {"free disk is below the limit: publishers are stopped",
                "free disk is above the limit again: publishers go on"}) {
    alarm_.set_limit(limit_bytes);
  }

  void set_limit(std::uint64_t bytes) { alarm_.set_limit(bytes); }

  // The new state when it changed.
  std::optional<bool> on_tick(std::int64_t monotonic_ms) {
    if (!alarm_.is_due(monotonic_ms)) return std::nullopt;
    const auto free = shard_.disk.free_bytes(path_);
    if (!free) return cannot_ask(free.error(), monotonic_ms), std::nullopt;
    free_gauge_.set(*free);
    alarm_.ask_again(monotonic_ms + interval_ms(*free));
    const auto limit = alarm_.limit_bytes();
    return alarm_.turn(*free < limit,
                       {{"free_bytes", std::to_string(*free)}, {"limit_bytes", std::to_string(limit)}});
  }

 private:
  static constexpr std::int64_t interval_min_ms = 100, interval_max_ms = 10'000;
  static constexpr std::uint64_t fastest_fill_bytes_per_ms = 1'000'000;  // 1 GB/s

  // How long the fastest writer would need to use up what is above the limit.
  std::int64_t interval_ms(std::uint64_t free) const {
    const auto above = free > alarm_.limit_bytes() ? free - alarm_.limit_bytes() : 0;
    const auto ms = std::min<std::uint64_t>(above / fastest_fill_bytes_per_ms, interval_max_ms);
    return std::max(interval_min_ms, static_cast<std::int64_t>(ms));
  }
  void cannot_ask(const base::Error& error, std::int64_t monotonic_ms) {
    alarm_.ask_again(monotonic_ms + interval_max_ms);
    if (std::exchange(said_cannot_, true)) return;
    shard_.logger.write(base::LogLevel::warning, "broker", "free disk is unknown; there is no disk alarm",
                        {{"reason", error.text}});
  }

  base::Shard& shard_;
  const std::string path_;
  base::Counter& free_gauge_;
  LimitAlarm alarm_;
  bool said_cannot_ = false;
};

}  // namespace sluice::broker
