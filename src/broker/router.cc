// SPDX-License-Identifier: Apache-2.0
#include "broker/router.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "broker/queue_arguments.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

// A destination id says all that routing needs: bit 0 exchange or queue, bits 1-2 the queue's type, the rest
// its id or the exchange's number. So a fanout to 1,000 queues looks nothing up.
constexpr unsigned id_shift = 3;
constexpr std::uint64_t exchange_bit = 1;

bool is_exchange(exchange::DestinationId id) {
  return (id.value & exchange_bit) != 0;
}

bool type_uses_keys(const ExchangeRecord& record) {
  const auto* inner = record.table_arguments.find("x-delayed-type");
  const std::string type = record.type == "x-delayed-message" && inner ? base::to_text(*inner) : record.type;
  return type == "direct" || type == "topic";
}

}  // namespace

class Router::Vhost {
 public:
  explicit Vhost(std::string vhost_name) : name(std::move(vhost_name)) { default_place.vhost = this; }
  std::string name;
  exchange::TextMap<exchange::DestinationId> queues;
  exchange::TextMap<std::unique_ptr<Place>> exchanges;
  Place default_place;

  Place* find(std::string_view exchange) {
    if (exchange.empty()) return &default_place;
    const auto found = exchanges.find(exchange);
    return found == exchanges.end() ? nullptr : found->second.get();
  }
};

Router::Router(base::Random& random, std::uint32_t shard_count)
    : random_(random), shard_count_(shard_count) {}
Router::~Router() = default;

exchange::DestinationId Router::id_of(const QueueRecord& queue) const {
  const auto type = static_cast<std::uint64_t>(queue_type_of(queue.type));
  return exchange::DestinationId{queue.log_id << id_shift | type << 1};
}

Destination Router::destination_of(exchange::DestinationId id) const {
  const auto queue = id.value >> id_shift;
  return {base::QueueId{queue}, static_cast<QueueType>(id.value >> 1 & 3),
          base::ShardId{static_cast<std::uint32_t>(queue % shard_count_)}};
}

Router::Vhost* Router::find_vhost(std::string_view name) const {
  const auto found = vhosts_.find(name);
  return found == vhosts_.end() ? nullptr : found->second.get();
}

Router::Vhost& Router::vhost(std::string_view name) {
  if (auto* found = find_vhost(name)) return *found;
  return *vhosts_.emplace(name, std::make_unique<Vhost>(std::string(name))).first->second;
}

// -- keeping true

void Router::load(const Catalog& catalog) {
  catalog.for_each<VhostRecord>([&](const auto& each) { vhost(each.name); });
  catalog.for_each<ExchangeRecord>([&](const auto& each) { add(each); });
  catalog.for_each<QueueRecord>([&](const auto& each) { add(each); });
  std::vector<const BindingRecord*> bindings;
  catalog.for_each<BindingRecord>([&](const auto& each) { bindings.push_back(&each); });
  // Types that hash keep their order over a restart.
  std::ranges::sort(bindings, {}, &BindingRecord::number);
  for (const auto* each : bindings) add(catalog, *each);
}

void Router::apply(const Catalog& catalog, const Changes& changes) {
  // Bindings go before their ends and come after them.
  for (const auto& change : changes) {
    const auto* binding = std::get_if<BindingRecord>(&change.record);
    if (binding && change.removed) remove(*binding);
  }
  for (const auto& change : changes) {
    if (const auto* record = std::get_if<VhostRecord>(&change.record)) {
      if (change.removed) {
        ++generation_;
        vhosts_.erase(vhosts_.find(record->name));
      } else {
        vhost(record->name);
      }
    } else if (const auto* exchange = std::get_if<ExchangeRecord>(&change.record)) {
      change.removed ? remove(*exchange) : add(*exchange);
    } else if (const auto* queue = std::get_if<QueueRecord>(&change.record)) {
      change.removed ? remove(*queue) : add(*queue);
    }
  }
  for (const auto& change : changes) {
    const auto* binding = std::get_if<BindingRecord>(&change.record);
    if (binding && !change.removed) add(catalog, *binding);
  }
}

void Router::add(const ExchangeRecord& record) {
  auto made = exchange::make_exchange(record.type, record.table_arguments, random_);
  // Checked when it was declared.
  INVARIANT(made.has_value(), "exchange {} cannot be made: {}", record.name, made.error().text);
  auto place = std::make_unique<Place>();
  place->vhost = &vhost(record.vhost);
  place->name = record.name;
  place->type = record.type;
  place->internal = record.internal;
  place->looks_at_all_keys = type_uses_keys(record);
  if (const auto* alternate = record.table_arguments.find("alternate-exchange")) {
    place->alternate = base::to_text(*alternate);
  }
  place->exchange = std::move(*made);
  place->number = next_number_++;
  if (place->delays()) ++delaying_;
  by_number_[place->number] = place.get();
  place->vhost->exchanges.emplace(record.name, std::move(place));
}

void Router::add(const QueueRecord& record) {
  vhost(record.vhost).queues.insert_or_assign(record.name, id_of(record));
}

std::optional<exchange::Binding> Router::binding_of(Vhost& in, const BindingRecord& record) const {
  exchange::Binding binding{{}, record.routing_key, record.table_arguments};
  if (record.to_exchange) {
    const auto* to = in.find(record.destination);
    if (!to) return std::nullopt;
    binding.destination = exchange::DestinationId{to->number << id_shift | exchange_bit};
  } else {
    const auto to = in.queues.find(record.destination);
    if (to == in.queues.end()) return std::nullopt;
    binding.destination = to->second;
  }
  return binding;
}

void Router::add(const Catalog&, const BindingRecord& record) {
  auto& in = vhost(record.vhost);
  auto* from = in.find(record.source);
  const auto binding = binding_of(in, record);
  if (!from || from->is_default() || !binding) return;  // an end that a restart has forgotten
  // Checked when it was made; a type that grew stricter since does not use it.
  static_cast<void>(from->exchange->bind(*binding));
}

void Router::remove(const BindingRecord& record) {
  auto* in = find_vhost(record.vhost);
  auto* from = in ? in->find(record.source) : nullptr;
  if (!from || from->is_default()) return;
  if (const auto binding = binding_of(*in, record)) from->exchange->unbind(*binding);
}

void Router::remove(const ExchangeRecord& record) {
  auto* in = find_vhost(record.vhost);
  const auto found = in ? in->exchanges.find(record.name) : decltype(in->exchanges.find({})){};
  if (!in || found == in->exchanges.end()) return;
  ++generation_;
  by_number_.erase(found->second->number);
  if (found->second->delays()) --delaying_;
  in->exchanges.erase(found);
}

void Router::remove(const QueueRecord& record) {
  auto* in = find_vhost(record.vhost);
  if (!in) return;
  const auto found = in->queues.find(record.name);
  if (found != in->queues.end()) in->queues.erase(found);
}

void Router::set_alternate(const ExchangeRecord& exchange, std::string from_policy) {
  if (exchange.table_arguments.find("alternate-exchange")) return;
  auto* in = find_vhost(exchange.vhost);
  auto* place = in ? in->find(exchange.name) : nullptr;
  if (place && !place->is_default()) place->alternate = std::move(from_policy);
}

// -- the hot path

Outcome<Router::Place*> Router::find(std::string_view vhost_name, std::string_view exchange) {
  if (auto* in = find_vhost(vhost_name)) {
    if (auto* found = in->find(exchange)) return found;
  }
  return std::unexpected(to_refusal(no_such_exchange(vhost_name, exchange).error()));
}

std::optional<Destination> Router::queue(std::string_view vhost_name, std::string_view name) const {
  const auto* in = find_vhost(vhost_name);
  if (!in) return std::nullopt;
  const auto found = in->queues.find(name);
  return found == in->queues.end() ? std::nullopt : std::optional(destination_of(found->second));
}

const std::string& Router::vhost_of(const Place& place) {
  return place.vhost->name;
}

Router::Route Router::route(Place& from, const exchange::RoutingData& message,
                            std::span<const std::string_view> more_keys, bool delayed) {
  ++walk_;
  delayed_ = delayed;
  queues_.clear();
  waiting_.clear();
  holding_.clear();
  remembering_.clear();
  go_on(&from);
  std::size_t visited = 0;
  while (!waiting_.empty()) {
    auto* place = waiting_.back();
    waiting_.pop_back();
    visit(*place, message, more_keys);
    ++visited;
  }
  if (visited > 1 || !more_keys.empty()) queues_.set_may_repeat();
  queues_.make_unique();
  destinations_.clear();
  for (const auto id : queues_.ids()) destinations_.push_back(destination_of(id));
  return {destinations_, holding_, remembering_};
}

void Router::go_on(Place* next) {
  if (!next || next->visited == walk_) return;
  next->visited = walk_;
  if (delayed_ && next->delays()) return holding_.push_back(next);
  if (next->history_messages_max() > 0) remembering_.push_back(next);
  waiting_.push_back(next);
}

void Router::visit_default(const Place& place, std::string_view key) {
  const auto found = place.vhost->queues.find(key);
  if (found != place.vhost->queues.end()) queues_.add(found->second);
}

void Router::visit(Place& place, const exchange::RoutingData& message,
                   std::span<const std::string_view> more_keys) {
  if (place.is_default()) {
    visit_default(place, message.key);
    for (const auto key : more_keys) visit_default(place, key);
    return;
  }
  found_.clear();
  place.exchange->route(message, found_);
  if (place.looks_at_all_keys) {
    auto with_key = message;
    for (const auto key : more_keys) {
      with_key.key = key;
      place.exchange->route(with_key, found_);
    }
  }
  if (found_.ids().empty() && !place.alternate.empty()) go_on(place.vhost->find(place.alternate));
  for (const auto id : found_.ids()) {
    if (!is_exchange(id)) {
      queues_.add(id);
    } else if (const auto next = by_number_.find(id.value >> id_shift); next != by_number_.end()) {
      go_on(next->second);
    }
  }
  if (found_.may_repeat()) queues_.set_may_repeat();
}

}  // namespace sluice::broker
