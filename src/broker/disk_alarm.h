// SPDX-License-Identifier: Apache-2.0
// Watches the free disk, on shard 0: asks the more often the nearer the limit is. Pure but for
// Disk::free_bytes; ShardBroker spreads the change.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "base/ports.h"
#include "broker/metrics.h"

namespace sluice::broker {

class DiskAlarm {
 public:
  DiskAlarm(base::Shard& shard, std::string path, std::uint64_t limit_bytes, BrokerMetrics& metrics)
      : shard_(shard), path_(std::move(path)), limit_bytes_(limit_bytes), metrics_(metrics) {
    metrics_.disk_free_limit_bytes.set(limit_bytes);
  }

  // An operator moves it while the node runs.
  void set_limit(std::uint64_t bytes) {
    limit_bytes_ = bytes;
    metrics_.disk_free_limit_bytes.set(bytes);
    next_ms_ = 0;
  }

  // The new state when it changed.
  std::optional<bool> on_tick(std::int64_t monotonic_ms) {
    if (monotonic_ms < next_ms_) return std::nullopt;
    const auto free = shard_.disk.free_bytes(path_);
    if (!free) return cannot_ask(free.error(), monotonic_ms), std::nullopt;
    metrics_.disk_free_bytes.set(*free);
    next_ms_ = monotonic_ms + interval_ms(*free);
    const bool on = *free < limit_bytes_;
    if (on == on_) return std::nullopt;
    on_ = on;
    metrics_.disk_alarm.set(on ? 1 : 0);
    shard_.logger.write(
        on ? base::LogLevel::warning : base::LogLevel::info, "broker",
        on ? "free disk is below the limit: publishers are stopped"
           : "free disk is above the limit again: publishers go on",
        {{"free_bytes", std::to_string(*free)}, {"limit_bytes", std::to_string(limit_bytes_)}});
    return on;
  }

 private:
  static constexpr std::int64_t interval_min_ms = 100, interval_max_ms = 10'000;
  static constexpr std::uint64_t fastest_fill_bytes_per_ms = 1'000'000;  // 1 GB/s

  // How long the fastest writer would need to use up what is above the limit.
  std::int64_t interval_ms(std::uint64_t free) const {
    const auto above = free > limit_bytes_ ? free - limit_bytes_ : 0;
    const auto ms = std::min<std::uint64_t>(above / fastest_fill_bytes_per_ms, interval_max_ms);
    return std::max(interval_min_ms, static_cast<std::int64_t>(ms));
  }
  void cannot_ask(const base::Error& error, std::int64_t monotonic_ms) {
    next_ms_ = monotonic_ms + interval_max_ms;
    if (std::exchange(said_cannot_, true)) return;
    shard_.logger.write(base::LogLevel::warning, "broker", "free disk is unknown; there is no disk alarm",
                        {{"reason", error.text}});
  }

  base::Shard& shard_;
  const std::string path_;
  std::uint64_t limit_bytes_;
  BrokerMetrics& metrics_;
  std::int64_t next_ms_ = 0;
  bool on_ = false;
  bool said_cannot_ = false;
};

}  // namespace sluice::broker
