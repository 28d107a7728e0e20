// SPDX-License-Identifier: Apache-2.0
// The last messages that went through this shard to exchanges of type x-recent-history, for bindings to come.
// In memory only: a restart forgets them, as it may. Each shard keeps what its own sessions published; a new
// binding collects from all. Bounds: messages per exchange as the exchange says, bytes per shard.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/router.h"
#include "message/properties.h"
#include "queue/work_queue.h"

namespace sluice::broker {

class RecentHistory {
 public:
  struct Kept {
    std::int64_t received_at_ms = 0;
    std::uint8_t flags = 0;  // of the message's MessageMeta
    std::string exchange, routing_key;
    base::ByteBuffer properties, body;
    std::size_t bytes() const {
      return exchange.size() + routing_key.size() + properties.size() + body.size();
    }
  };

  // A header x-recent-history-no-store = true keeps a message out.
  void remember(const Router::Place& place, const queue::Message& message, const queue::MessageMeta& meta);
  // Appends what is kept of the exchange, oldest first.
  void collect(const Router::Place& place, std::vector<Kept>& into) const;
  // Exchanges that are gone are forgotten: still_there(number of the place).
  template <class StillThere>
  void forget(StillThere&& still_there) {
    for (auto at = exchanges_.begin(); at != exchanges_.end();) {
      if (still_there(at->first)) {
        ++at;
        continue;
      }
      for (const auto& kept : at->second) bytes_ -= kept.bytes();
      at = exchanges_.erase(at);
    }
  }

 private:
  static constexpr std::size_t bytes_max = 16 << 20;
  void drop_oldest(std::deque<Kept>& list);

  std::map<std::uint64_t, std::deque<Kept>> exchanges_;  // by number of the place
  std::size_t bytes_ = 0;
};

}  // namespace sluice::broker
