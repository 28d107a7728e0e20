// SPDX-License-Identifier: Apache-2.0
// News: all that the logs of one shard have to tell the clients of one shard after a turn - confirms,
// refusals, grown views, streams that are full, consumers that become active, streams that went offline. One
// mail per pair of shards and turn; between a shard and itself it is handed over without mail.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "broker/sac_group.h"
#include "broker/types.h"
#include "log/confirms.h"
#include "storage/segment_log.h"

namespace sluice::broker {

struct News {
  struct Refused {
    log::Origin origin;
    base::Errc why = base::Errc::internal;
    std::vector<std::uint64_t> publishing_ids;
  };
  struct Grown {
    base::LogId log;
    storage::LogView view;
  };
  struct Full {  // publishers of this log should pause, or may go on
    base::LogId log;
    bool full = false;
  };
  struct Offline {
    base::LogId log;
    std::string reason;
  };

  log::Confirms confirmed;
  std::vector<Refused> refused;
  std::vector<Grown> grown;
  std::vector<Full> full;
  std::vector<SacGroup::Notice> notices;
  std::vector<Offline> offline;
  std::uint64_t taken_bytes = 0;  // mailed publish bytes that have reached their log

  bool empty() const {
    return confirmed.empty() && refused.empty() && grown.empty() && full.empty() && notices.empty() &&
           offline.empty() && taken_bytes == 0;
  }
  void clear() {  // keeps buffers
    confirmed.clear();
    refused.clear();
    grown.clear();
    full.clear();
    notices.clear();
    offline.clear();
    taken_bytes = 0;
  }
};

// A client's id holds the shard it lives on, so that news finds its way.
constexpr unsigned client_shard_shift = 48;
constexpr std::uint64_t make_client_id(base::ShardId shard, std::uint64_t number) {
  return (std::uint64_t{shard.value} << client_shard_shift) | number;
}
constexpr base::ShardId shard_of(std::uint64_t client) {
  return base::ShardId{static_cast<std::uint32_t>(client >> client_shard_shift)};
}

}  // namespace sluice::broker
