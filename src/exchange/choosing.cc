// SPDX-License-Identifier: Apache-2.0
#include "exchange/choosing.h"

#include <fmt/format.h>

#include <charconv>

#include "base/erlang_text.h"

namespace sluice::exchange {
namespace {

bool add_binding(std::vector<Binding>& bindings, const Binding& binding) {
  if (std::ranges::find(bindings, binding) != bindings.end()) return false;
  bindings.push_back(binding);
  return true;
}

bool bound(const std::vector<Binding>& bindings, DestinationId destination) {
  return std::ranges::any_of(bindings, [&](const Binding& b) { return b.destination == destination; });
}

base::Result<int> weight_of(std::string_view key) {
  constexpr int most = ConsistentHashExchange::weight_max;
  int weight = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), weight);
  if (error == std::errc::invalid_argument || end != key.data() + key.size()) {
    return refuse(fmt::format("The binding key must be an integer: {}", base::binary_text(key)));
  }
  if (error == std::errc() && weight < 1) return refuse("The binding key must be greater than 0");
  if (error != std::errc() || weight > most) {
    return refuse(fmt::format("The binding key must not exceed {}", most));
  }
  return weight;
}

}  // namespace

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  // FNV leaves short keys alike in their high bits, which jump_hash looks at.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  return hash;
}

std::size_t jump_hash(std::uint64_t key, std::size_t buckets) {
  std::int64_t bucket = -1;
  std::int64_t next = 0;
  while (next < static_cast<std::int64_t>(buckets)) {
    bucket = next;
    key = key * 2862933555777941757ULL + 1;
    next = static_cast<std::int64_t>(static_cast<double>(bucket + 1) *
                                     (static_cast<double>(1LL << 31) / static_cast<double>((key >> 33) + 1)));
  }
  return static_cast<std::size_t>(bucket);
}

base::Result<> RandomExchange::bind(const Binding& binding) {
  add_binding(bindings_, binding);
  return {};
}
void RandomExchange::unbind(const Binding& binding) {
  std::erase(bindings_, binding);
}
void RandomExchange::route(const RoutingData&, Targets& into) const {
  if (!bindings_.empty()) into.add(bindings_[random_.next() % bindings_.size()].destination);
}

base::Result<> LocalRandomExchange::bind(const Binding& binding) {
  if (!binding.key.empty()) {
    return refuse(fmt::format("Non empty binding '{}' key not permitted", binding.key));
  }
  return RandomExchange::bind(binding);
}

base::Result<> ModulusHashExchange::bind(const Binding& binding) {
  if (!bound(bindings_, binding.destination)) {
    sorted_.insert(std::ranges::upper_bound(sorted_, binding.destination), binding.destination);
  }
  add_binding(bindings_, binding);
  return {};
}
void ModulusHashExchange::unbind(const Binding& binding) {
  std::erase(bindings_, binding);
  if (!bound(bindings_, binding.destination)) std::erase(sorted_, binding.destination);
}
void ModulusHashExchange::route(const RoutingData& message, Targets& into) const {
  if (!sorted_.empty()) into.add(sorted_[stable_hash(message.key) % sorted_.size()]);
}

base::Result<> ConsistentHashExchange::bind(const Binding& binding) {
  TRY(weight, weight_of(binding.key));
  const bool known = bound(bindings_, binding.destination);
  if (add_binding(bindings_, binding) && !known) {
    buckets_.insert(buckets_.end(), static_cast<std::size_t>(weight), binding.destination);
  }
  return {};
}

void ConsistentHashExchange::unbind(const Binding& binding) {
  const auto at = std::ranges::find(bindings_, binding);
  if (at == bindings_.end()) return;
  bindings_.erase(at);
  std::erase(buckets_, binding.destination);
  // Another binding of the same destination now counts, at the end of the ring as if it were new.
  for (const Binding& rest : bindings_) {
    if (rest.destination != binding.destination) continue;
    buckets_.insert(buckets_.end(), static_cast<std::size_t>(weight_of(rest.key).value_or(0)),
                    rest.destination);
    break;
  }
}

std::uint64_t ConsistentHashExchange::hash_of(const RoutingData& message) const {
  switch (source_) {
    case Source::routing_key:
      return stable_hash(message.key);
    case Source::message_id:
      return stable_hash(message.message_id);
    case Source::correlation_id:
      return stable_hash(message.correlation_id);
    case Source::timestamp:
      return stable_hash(message.timestamp);
    case Source::header: {
      const auto value = message.headers.find(header_);
      return value ? stable_hash(base::to_text(*value)) : stable_hash({});
    }
  }
  return 0;
}

void ConsistentHashExchange::route(const RoutingData& message, Targets& into) const {
  if (!buckets_.empty()) into.add(buckets_[jump_hash(hash_of(message), buckets_.size())]);
}

}  // namespace sluice::exchange
