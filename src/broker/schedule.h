// SPDX-License-Identifier: Apache-2.0
// Messages that x-delayed-message exchanges hold back, on shard 0: in the metadata store, ordered by when
// they are due, so that they survive a restart and may wait for months without costing memory. Other shards
// mail them here. A message is confirmed when it is durable; when it is due it is routed by the type the
// exchange stands for, and leaves the store when the queues it reached have confirmed it: a kill in between
// delivers it twice, never not at all.
//
// Table `scheduled`: key = due in ms since the epoch u64 big-endian | number u64 big-endian, value = a
// ScheduledRecord (record_codec.h). The key in hex is the message's id for operators.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/ports.h"
#include "broker/messaging_clients.h"
#include "broker/record_codec.h"
#include "broker/types.h"
#include "message/properties.h"
#include "queue/work_queue.h"
#include "storage/metadata_store.h"

namespace sluice::broker {

class ShardMessaging;

struct ScheduledRecord {
  std::string vhost, exchange, routing_key, properties, body;
  std::int64_t received_at_ms = 0;
  std::string published_to;  // the exchange that the message names: it may have come from there to this one
  std::uint64_t flags = 0;
  static constexpr auto fields() {
    using R = ScheduledRecord;
    return std::tuple{base::field("vhost", &R::vhost, ""),
                      base::field("exchange", &R::exchange, ""),
                      base::field("routing_key", &R::routing_key, ""),
                      base::field("properties", &R::properties, "as AMQP 0-9-1 encodes them"),
                      base::field("body", &R::body, ""),
                      base::field("received_at_ms", &R::received_at_ms, ""),
                      base::field("published_to", &R::published_to, ""),
                      base::field("flags", &R::flags, "of the message's MessageMeta")};
  }
};

class Schedule {
 public:
  Schedule(base::Shard& shard, storage::MetadataStore& store, ShardMessaging& messaging);

  void add(std::int64_t due_ms, ScheduledRecord record, const queue::PublishOrigin& origin);
  void on_confirm(const queue::Confirm& confirm);
  void on_turn_end();
  void on_tick(std::int64_t wall_ms);
  // False: publishers of delayed messages should pause.
  bool has_room() const { return waiting_bytes_ < waiting_bytes_max; }

  // In the order they are due, at most `limit`. Rows stay valid names for cancel() until they fire.
  void list(std::string vhost, std::size_t limit, Done<std::vector<ScheduledRow>> done);
  // not_found when it has fired, was cancelled or never was.
  void cancel(std::string vhost, std::string id, Done<> done);

 private:
  static constexpr std::uint64_t waiting_bytes_max = 16 << 20;
  static constexpr std::size_t fired_at_once = 1000;
  static constexpr std::size_t fired_bytes_at_once = 4 << 20;
  using Found = std::vector<std::pair<std::string, ScheduledRecord>>;

  void look(std::int64_t wall_ms);
  void on_found(Found found, std::int64_t next_due_ms);
  void fire(const std::string& key, const ScheduledRecord& record);
  void remove(std::string key);
  void write();

  base::Shard& shard_;
  storage::MetadataStore& store_;
  ShardMessaging& messaging_;
  // Since the last write; and what waits for the one under way.
  std::vector<storage::MetadataStore::Change> changes_;
  std::vector<std::string> removed_, removed_writing_;
  std::vector<Done<>> cancels_, cancels_writing_;
  std::vector<queue::PublishOrigin> origins_, origins_writing_;
  std::uint64_t waiting_bytes_ = 0, writing_bytes_ = 0;
  bool writing_ = false, looking_ = false;
  std::int64_t next_due_ms_ = 0;     // nothing in the store is due before
  std::set<std::string> under_way_;  // keys that have fired and are still in the store
  struct Firing {
    std::string key;
    bool failed = false;
  };
  std::map<std::uint64_t, Firing> firing_;  // those that wait for confirms, by their number
  ConfirmCounts counts_;
  std::uint64_t next_number_;  // of keys; begins above all of earlier starts
  std::uint64_t next_fire_ = 1;
  message::PropertiesEditor editor_;
  base::ByteBuffer properties_;
};

}  // namespace sluice::broker
