// SPDX-License-Identifier: Apache-2.0
// What a dead message tells of its deaths: the header x-death and its relatives (reference
// queues-and-amqp.md, section 6.3). Pure: encoded properties in, encoded properties out. Called for each
// message that is dead lettered, on the shard of the queue it died in.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/field_table.h"
#include "message/properties.h"
#include "queue/work_queue.h"

namespace sluice::broker {

std::string_view to_text(queue::DeadReason reason);

// One death as x-death has it: newest first, one per (queue, reason).
struct Death {
  std::string queue, reason, exchange;
  std::int64_t count = 1;
  std::uint64_t time_s = 0;  // of the first
  std::vector<std::string> routing_keys;
  std::optional<std::string> original_expiration;
};

struct DeathEvent {
  std::string_view queue;
  queue::DeadReason reason = queue::DeadReason::rejected;
  std::string_view exchange, routing_key;  // as the message was published
  std::int64_t wall_ms = 0;
  bool known_before = false;          // the broker wrote x-death: publishers' own headers are not believed
  bool drop_sender_selected = false;  // the dead letter routing key replaces CC, too
};

// The properties with which the message is published again: deaths added, expiration gone. `deaths` gets the
// list that was written.
base::Result<> write_deaths(message::PropertiesEditor& editor, base::ByteView properties,
                            const DeathEvent& event, std::vector<Death>& deaths, base::ByteBuffer& into);

// The message would go round: it died in that queue before, and nothing since was a rejection.
bool is_cycle(const std::vector<Death>& deaths, std::string_view queue);

}  // namespace sluice::broker
