// SPDX-License-Identifier: Apache-2.0
#include "broker/shard_set.h"

#include <fmt/format.h>

#include "base/check.h"
#include "broker/shard_broker.h"

namespace sluice::broker {

ShardSet::ShardSet(BrokerOptions options, std::uint32_t shard_count,
                   std::unique_ptr<storage::MetadataStore> store, base::MetricsRegistry* registry)
    : options_(std::move(options)), store_(std::move(store)), parts_(shard_count) {
  INVARIANT(shard_count > 0, "a node has at least one shard");
  if (!registry) return;
  for (const auto& part : parts_) {
    registry->add(*part.metrics);
    registry->add(*part.messaging_metrics);
    registry->add(*part.log_metrics);
    registry->add(*part.view_metrics);
    registry->add(*part.work_metrics);
    registry->add(*part.journal_metrics);
  }
}

base::Result<std::unique_ptr<ShardSet>> ShardSet::open(BrokerOptions options, std::uint32_t shard_count,
                                                       base::MetricsRegistry* registry) {
  TRY(store, storage::MetadataStore::open(options.data_dir + "/metadata"));
  return std::make_unique<ShardSet>(std::move(options), shard_count, std::move(store), registry);
}

std::string ShardSet::log_directory(base::LogId log) const {
  return fmt::format("{}/streams/{}", options_.data_dir, log.value);
}

std::string ShardSet::journal_directory(base::ShardId shard) const {
  return fmt::format("{}/journal/{}", options_.data_dir, shard.value);
}

ShardMessaging& ShardSet::messaging(base::ShardId shard) {
  return broker(shard).shard_messaging();
}

base::ShardId ShardSet::owner_of(base::LogId log) const {
  return base::ShardId{static_cast<std::uint32_t>(log.value % parts_.size())};
}

base::Result<std::unique_ptr<Broker>> create_broker(base::Shard& shard, ShardSet& set) {
  INVARIANT(shard.shard_count == set.shard_count() && shard.id.value < set.shard_count(), "shard {} of {}",
            shard.id.value, shard.shard_count);
  auto broker = std::make_unique<ShardBroker>(shard, set);
  set.set_broker(shard.id, broker.get());
  TRY_VOID(broker->start());
  return broker;
}

}  // namespace sluice::broker
