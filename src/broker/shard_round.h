// SPDX-License-Identifier: Apache-2.0
// A question that all shards answer: visits one after the other, beginning with shard 0, and comes back to
// the shard that asked with what they said. Called on that shard's broker.
#pragma once

#include <functional>
#include <vector>

#include "broker/shard_broker.h"

namespace sluice::broker {

template <class Row>
struct ShardRound {
  base::ShardId home;
  Done<std::vector<Row>> done;
  std::move_only_function<void(ShardBroker&, std::vector<Row>&)> collect;
  base::Result<std::vector<Row>> rows = {};

  static void visit(ShardBroker& broker, std::uint32_t shard, ShardRound round) {
    broker.ask_shard(base::ShardId{shard}, [shard, round = std::move(round)](ShardBroker& there) mutable {
      round.collect(there, *round.rows);
      if (shard + 1 < there.shard_count()) return visit(there, shard + 1, std::move(round));
      const auto home = round.home;
      there.ask_shard(
          home, [round = std::move(round)](ShardBroker&) mutable { round.done(std::move(round.rows)); });
    });
  }
};

// collect(broker, rows) runs on each shard, done(rows) here. What they capture goes from shard to shard.
template <class Row, class Collect>
void visit_shards(ShardBroker& home, Done<std::vector<Row>> done, Collect collect) {
  ShardRound<Row>::visit(home, 0, {home.shard_id(), std::move(done), std::move(collect)});
}

}  // namespace sluice::broker
