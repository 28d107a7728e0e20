// SPDX-License-Identifier: Apache-2.0
// The effective settings of one work queue: arguments and policies merged, by the broker. Their meaning is
// WorkState's and WorkConsumers'. May change while the queue lives, except where said.
#pragma once

#include <cstdint>
#include <optional>

namespace sluice::queue {

enum class Overflow : std::uint8_t { drop_head, reject_publish, reject_publish_dlx };
enum class RetryDelay : std::uint8_t { disabled, all, failed, returned };

struct WorkOptions {
  bool quorum = false;  // quorum semantics: always priorities 0..31 (default 4), delivery counts, limits
  bool durable = true;  // false: nothing of it is recovered
  bool single_active = false;
  std::uint8_t priority_max = 0;  // classic x-max-priority
  std::optional<std::int64_t> message_ttl_ms;
  std::optional<std::int64_t> expires_ms;                     // unused for so long: on_unused
  std::optional<std::uint64_t> length_max, length_bytes_max;  // of ready messages
  Overflow overflow = Overflow::drop_head;
  bool dead_letters = false;  // someone wants the dead; else they are dropped unread
  // Dead letters are kept until dead_letter_done; also those of at-most-once, so that a crash loses none.
  std::optional<std::uint32_t> delivery_limit;  // quorum; failed deliveries allowed
  RetryDelay retry_delay = RetryDelay::disabled;
  std::int64_t retry_delay_min_ms = 0, retry_delay_max_ms = 0;
  std::optional<std::int64_t> consumer_timeout_ms;
  friend bool operator==(const WorkOptions&, const WorkOptions&) = default;
};

}  // namespace sluice::queue
