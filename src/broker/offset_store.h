// SPDX-License-Identifier: Apache-2.0
// Stored offsets of the logs one shard owns. A store is remembered at once and written together with others:
// at the end of the turn, but not more often than every few milliseconds. StoreOffset has no answer, so that
// is what a kill can take; an offset that was shown to somebody has been written before.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ports.h"
#include "broker/metrics.h"
#include "broker/types.h"
#include "storage/metadata_store.h"

namespace sluice::broker {

class OffsetStore {
 public:
  OffsetStore(base::Shard& shard, storage::MetadataStore& store, BrokerMetrics& metrics)
      : shard_(shard), store_(store), metrics_(metrics) {}
  ~OffsetStore() { write(); }

  void put(base::LogId log, std::string_view reference, std::uint64_t offset);
  base::Result<std::optional<std::uint64_t>> get(base::LogId log, std::string_view reference);
  base::Result<std::vector<TrackingRow>> list(base::LogId log);
  // The log was deleted. Its stored offsets went with the command that deleted it, but for those that came
  // since.
  void forget(base::LogId log);
  void on_turn_end();
  void on_tick() { write(); }

 private:
  static constexpr std::size_t waiting_max = 1 << 12;  // then it is written at once
  static constexpr std::int64_t write_every_ms = 10;
  void write();
  void apply(const std::vector<storage::MetadataStore::Change>& changes);

  base::Shard& shard_;
  storage::MetadataStore& store_;
  BrokerMetrics& metrics_;
  std::map<std::pair<base::LogId, std::string>, std::uint64_t> waiting_;
  std::int64_t written_at_ms_ = 0;
};

// The key prefix of a log's offsets in the metadata store.
std::string offsets_prefix(base::LogId log);

}  // namespace sluice::broker
