// SPDX-License-Identifier: Apache-2.0
// direct: the binding key equals the routing key. fanout: all, whatever the key. Superstreams are direct
// exchanges.
#pragma once

#include <string>
#include <unordered_map>

#include "exchange/destinations.h"

namespace sluice::exchange {

// Lookup of a string_view in a map keyed by string, without making a string.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

class DirectExchange final : public Exchange {
 public:
  base::Result<> bind(const Binding& binding) override {
    by_key_[binding.key].add(binding.destination, binding.arguments);
    return {};
  }
  void unbind(const Binding& binding) override {
    const auto at = by_key_.find(binding.key);
    if (at == by_key_.end()) return;
    at->second.remove(binding.destination, binding.arguments);
    if (at->second.empty()) by_key_.erase(at);
  }
  void route(const RoutingData& message, Targets& into) const override {
    if (const auto at = by_key_.find(message.key); at != by_key_.end()) into.add_all(at->second.ids());
  }

 private:
  TextMap<DestinationList> by_key_;
};

// A destination bound under several keys still gets one copy, so all bindings share one list and the key
// counts as an argument of the binding.
class FanoutExchange : public Exchange {
 public:
  base::Result<> bind(const Binding& binding) override {
    all_.add(binding.destination, with_key(binding));
    return {};
  }
  void unbind(const Binding& binding) override { all_.remove(binding.destination, with_key(binding)); }
  void route(const RoutingData&, Targets& into) const override { into.add_all(all_.ids()); }

 private:
  static base::FieldTable with_key(const Binding& binding) {
    base::FieldTable identity = binding.arguments;
    identity.entries.emplace_back("", binding.key);
    return identity;
  }
  DestinationList all_;
};

// x-recent-history: a fanout; the broker keeps the last messages and replays them to a new binding.
class RecentHistoryExchange final : public FanoutExchange {
 public:
  static constexpr std::uint32_t default_messages_max = 20;
  explicit RecentHistoryExchange(std::uint32_t messages_max) : messages_max_(messages_max) {}
  std::uint32_t history_messages_max() const override { return messages_max_; }

 private:
  std::uint32_t messages_max_;
};

}  // namespace sluice::exchange
