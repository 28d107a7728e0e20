// SPDX-License-Identifier: Apache-2.0
// What the alarms of shard 0 have in common (memory_alarm.h, disk_alarm.h): a limit that an operator may move
// while the node runs, when to ask next, and a state that is counted and logged when it changes. ShardBroker
// spreads the change to all shards.
#pragma once

#include <optional>
#include <string_view>

#include "base/metrics.h"
#include "base/ports.h"

namespace sluice::broker {

class LimitAlarm {
 public:
  // What the log says when it is set and when it is clear.
  struct Texts {
    std::string_view set, clear;
  };

  LimitAlarm(base::Shard& shard, base::Counter& limit_gauge, base::Counter& on_gauge, Texts texts)
      : shard_(shard), limit_gauge_(limit_gauge), on_gauge_(on_gauge), texts_(texts) {}

  // The next tick asks.
  void set_limit(std::uint64_t bytes) {
    limit_bytes_ = bytes;
    limit_gauge_.set(bytes);
    next_ms_ = 0;
  }
  std::uint64_t limit_bytes() const { return limit_bytes_; }

  bool is_due(std::int64_t monotonic_ms) const { return monotonic_ms >= next_ms_; }
  void ask_again(std::int64_t monotonic_ms) { next_ms_ = monotonic_ms; }

  // The new state when it changed.
  std::optional<bool> turn(bool on, std::initializer_list<base::LogField> fields) {
    if (on == on_) return std::nullopt;
    on_ = on;
    on_gauge_.set(on ? 1 : 0);
    shard_.logger.write(on ? base::LogLevel::warning : base::LogLevel::info, "broker",
                        on ? texts_.set : texts_.clear, fields);
    return on;
  }

 private:
  base::Shard& shard_;
  base::Counter& limit_gauge_;
  base::Counter& on_gauge_;
  const Texts texts_;
  std::uint64_t limit_bytes_ = 0;
  std::int64_t next_ms_ = 0;
  bool on_ = false;
};

}  // namespace sluice::broker
