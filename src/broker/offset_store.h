// SPDX-License-Identifier: Apache-2.0
// Stored offsets of the logs one shard owns. A store is remembered at once and written with all others of the
// turn in one batch, on a Background worker, one batch at a time; until then lookups see it here. What a kill
// can take is what no batch had reached yet: StoreOffset has no answer that would promise more.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
      : shard_(shard), store_(store), metrics_(metrics), state_(std::make_shared<State>()) {}
  ~OffsetStore();

  void put(base::LogId log, std::string_view reference, std::uint64_t offset);
  base::Result<std::optional<std::uint64_t>> get(base::LogId log, std::string_view reference) const;
  base::Result<std::vector<TrackingRow>> list(base::LogId log) const;
  // The log was deleted. Its stored offsets go with the command that deleted it; this drops what waits.
  void forget(base::LogId log);
  void on_turn_end();

 private:
  static constexpr std::size_t waiting_max = 1 << 16;  // then the shard writes itself, and waits for it
  using Key = std::pair<base::LogId, std::string>;
  using Offsets = std::map<Key, std::uint64_t>;
  struct State {  // outlives this object while a write is under way
    Offsets waiting, writing;
    std::vector<base::LogId> forgotten;  // while a write was under way that may bring them back
    bool busy = false;
  };

  static std::vector<storage::MetadataStore::Change> to_changes(const Offsets& offsets);
  void write_now(const Offsets& offsets);
  void report(const base::Error& error);

  base::Shard& shard_;
  storage::MetadataStore& store_;
  BrokerMetrics& metrics_;
  std::shared_ptr<State> state_;
};

// The key prefix of a log's offsets in the metadata store.
std::string offsets_prefix(base::LogId log);

}  // namespace sluice::broker
