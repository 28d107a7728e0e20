// SPDX-License-Identifier: Apache-2.0
// The wiring of one node's brokers: what they share, and where each finds the others. src/server makes one
// ShardSet, then one broker per shard, all before any shard runs:
//
//   auto set = broker::ShardSet::open(options, shard_count, &registry);     // Result: text says what is
//   wrong auto broker = broker::create_broker(shard, **set);                      // shard 0 first, then 1,
//   2, ...
//
// create_broker opens the shard's streams. Brokers are destroyed (which flushes and closes their logs) after
// the last mail has run and before the ShardSet. The broker of another shard is touched only inside a task
// mailed to that shard. `options` and the metadata store are safe from any thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/ports.h"
#include "broker/broker.h"
#include "broker/memory_alarm.h"
#include "broker/messaging_metrics.h"
#include "broker/metrics.h"
#include "broker/occupancy.h"
#include "broker/options.h"
#include "log/metrics.h"
#include "queue/metrics.h"
#include "queue/work_metrics.h"
#include "queue/work_queue.h"
#include "storage/journal_metrics.h"
#include "storage/metadata_store.h"

namespace sluice::broker {

class ShardBroker;
class ShardMessaging;

class ShardSet {
 public:
  // Opens the work queues of a shard; tests put their own in the place of WorkQueues::open.
  using OpenQueues = std::function<base::Result<std::unique_ptr<queue::WorkQueues>>(
      std::span<const queue::WorkQueues::Setup> queues, queue::WorkListener& listener)>;
  OpenQueues open_queues;
  // What the process uses of the machine's memory, asked on shard 0; without it there is no memory alarm.
  std::function<MemoryUse()> memory_use;

  // Opens <data_dir>/metadata. `registry` may be null; it must not be collected from after the set is gone.
  static base::Result<std::unique_ptr<ShardSet>> open(BrokerOptions options, std::uint32_t shard_count,
                                                      base::MetricsRegistry* registry);
  ShardSet(BrokerOptions options, std::uint32_t shard_count, std::unique_ptr<storage::MetadataStore> store,
           base::MetricsRegistry* registry);

  const BrokerOptions& options() const { return options_; }
  std::uint32_t shard_count() const { return static_cast<std::uint32_t>(parts_.size()); }
  storage::MetadataStore& store() { return *store_; }
  Occupancy& occupancy() { return occupancy_; }
  std::string log_directory(base::LogId log) const;
  std::string journal_directory(base::ShardId shard) const;
  // A log belongs to one shard for as long as the shard count stays.
  base::ShardId owner_of(base::LogId log) const;

  ShardBroker& broker(base::ShardId shard) { return *parts_[shard.value].broker; }
  void set_broker(base::ShardId shard, ShardBroker* broker) { parts_[shard.value].broker = broker; }
  ShardMessaging& messaging(base::ShardId shard);
  MessagingMetrics& messaging_metrics(base::ShardId shard) { return *parts_[shard.value].messaging_metrics; }
  BrokerMetrics& metrics(base::ShardId shard) { return *parts_[shard.value].metrics; }
  log::Metrics& log_metrics(base::ShardId shard) { return *parts_[shard.value].log_metrics; }
  queue::Metrics& view_metrics(base::ShardId shard) { return *parts_[shard.value].view_metrics; }
  queue::WorkMetrics& work_metrics(base::ShardId shard) { return *parts_[shard.value].work_metrics; }
  storage::JournalMetrics& journal_metrics(base::ShardId shard) {
    return *parts_[shard.value].journal_metrics;
  }
  // For a restart in the same process (tests, the simulated world).
  std::unique_ptr<storage::MetadataStore> release_store() { return std::move(store_); }

 private:
  Occupancy occupancy_;
  struct Part {
    ShardBroker* broker = nullptr;
    std::unique_ptr<BrokerMetrics> metrics = std::make_unique<BrokerMetrics>();
    std::unique_ptr<MessagingMetrics> messaging_metrics = std::make_unique<MessagingMetrics>();
    std::unique_ptr<log::Metrics> log_metrics = std::make_unique<log::Metrics>();
    std::unique_ptr<queue::Metrics> view_metrics = std::make_unique<queue::Metrics>();
    std::unique_ptr<queue::WorkMetrics> work_metrics = std::make_unique<queue::WorkMetrics>();
    std::unique_ptr<storage::JournalMetrics> journal_metrics = std::make_unique<storage::JournalMetrics>();
  };
  BrokerOptions options_;
  std::unique_ptr<storage::MetadataStore> store_;
  std::vector<Part> parts_;
};

base::Result<std::unique_ptr<Broker>> create_broker(base::Shard& shard, ShardSet& set);

}  // namespace sluice::broker
