// SPDX-License-Identifier: Apache-2.0
// Exchanges that choose one of their destinations:
//
//   x-random           any binding, key ignored
//   x-local-random     any binding; binding keys must be empty (that only local classic queues are bound is
//   the broker's check) x-modulus-hash     hash of the routing key modulo the number of destinations, in
//   order of their ids x-consistent-hash  jump consistent hash over buckets; the binding key is a weight
//   (1..10000 buckets)
//
// The hash is FNV-1a followed by a mixing step: stable over restarts and platforms, not RabbitMQ's, so that a
// key keeps its queue here but not across the two brokers.
#pragma once

#include "exchange/destinations.h"

namespace sluice::exchange {

std::uint64_t stable_hash(std::string_view text);
// Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm".
std::size_t jump_hash(std::uint64_t key, std::size_t buckets);

class RandomExchange : public Exchange {
 public:
  explicit RandomExchange(base::Random& random) : random_(random) {}
  base::Result<> bind(const Binding& binding) override;
  void unbind(const Binding& binding) override;
  void route(const RoutingData& message, Targets& into) const override;

 private:
  base::Random& random_;
  std::vector<Binding> bindings_;
};

class LocalRandomExchange final : public RandomExchange {
 public:
  using RandomExchange::RandomExchange;
  base::Result<> bind(const Binding& binding) override;
};

class ModulusHashExchange final : public Exchange {
 public:
  base::Result<> bind(const Binding& binding) override;
  void unbind(const Binding& binding) override;
  void route(const RoutingData& message, Targets& into) const override;

 private:
  std::vector<Binding> bindings_;
  std::vector<DestinationId> sorted_;  // unique
};

class ConsistentHashExchange final : public Exchange {
 public:
  static constexpr int weight_max = 10'000;
  enum class Source : std::uint8_t { routing_key, header, message_id, correlation_id, timestamp };
  ConsistentHashExchange(Source source, std::string header) : source_(source), header_(std::move(header)) {}

  base::Result<> bind(const Binding& binding) override;
  void unbind(const Binding& binding) override;
  void route(const RoutingData& message, Targets& into) const override;

 private:
  std::uint64_t hash_of(const RoutingData& message) const;
  Source source_;
  std::string header_;
  std::vector<Binding> bindings_;       // the first per destination counts
  std::vector<DestinationId> buckets_;  // destination of each bucket
};

}  // namespace sluice::exchange
