// SPDX-License-Identifier: Apache-2.0
// Producer and consumer over all partitions of a superstream.
//
// A routing key goes to a partition by hash (as the Java, Go, .NET and Rust clients do, so they agree) or by
// the broker's binding keys (Route, remembered). The consumer reads every partition with a consumer of its
// own; as single active consumers, members of the same name share the partitions and the broker balances
// them.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/consumer.h"
#include "client/environment.h"
#include "client/producer.h"

namespace sluice::client {

enum class Routing : std::uint8_t { hash, key };

struct SuperStreamProducerOptions {
  std::string super_stream;
  Routing routing = Routing::hash;
  ProducerOptions producer;  // of each partition; its stream is filled in
};

class SuperStreamProducer {
 public:
  static constexpr std::size_t remembered_routes_max = 100'000;

  static Task<base::Result<std::shared_ptr<SuperStreamProducer>>> create(
      std::shared_ptr<Environment> environment, SuperStreamProducerOptions options);

  // The producers of the partitions the key leads to, opened when first needed; by key these may be several.
  Task<base::Result<std::vector<std::shared_ptr<Producer>>>> route(std::string routing_key);
  // Hash routing only, of a partition that is open already: no suspension. Null when it is not.
  Producer* open_producer(std::string_view routing_key);

  // Waits for room in each partition, publishes there; `handler` is called once, when all have answered.
  Task<base::Result<void>> publish(std::string routing_key, base::ByteBuffer body, std::string filter_value,
                                   ConfirmHandler handler);
  Task<base::Result<void>> wait_for_confirms();
  Task<base::Result<void>> close();

  const std::vector<std::string>& partitions() const { return partitions_; }

 private:
  SuperStreamProducer(std::shared_ptr<Environment> environment, SuperStreamProducerOptions options);
  Task<base::Result<std::shared_ptr<Producer>>> producer_of(std::string partition);

  std::shared_ptr<Environment> environment_;
  SuperStreamProducerOptions options_;
  std::vector<std::string> partitions_;
  std::unordered_map<std::string, std::shared_ptr<Producer>> producers_;
  std::unordered_map<std::string, std::vector<std::string>> routes_;
  TaskMutex opening_;
};

class SuperStreamConsumer {
 public:
  // `options.stream` names the superstream. The handler sees the partition as Delivery::stream.
  static Task<base::Result<std::shared_ptr<SuperStreamConsumer>>> create(
      std::shared_ptr<Environment> environment, ConsumerOptions options, MessageHandler handler);
  const std::vector<std::shared_ptr<Consumer>>& consumers() const { return consumers_; }
  ConsumerCounters counters() const;
  Task<base::Result<void>> close();

 private:
  std::vector<std::shared_ptr<Consumer>> consumers_;
};

}  // namespace sluice::client
