// SPDX-License-Identifier: Apache-2.0
// Where messages go: the exchanges of one shard as publishers use them, kept true by the changes of the
// catalog. One Router per shard, read and written on that shard only.
//
// find() turns an exchange's name into a Place; a publisher keeps it as long as generation() stays the same
// and then pays one hash lookup less per message. route() walks from there: exchange-to-exchange bindings
// (every exchange once, so cycles end) and the alternate exchange of each exchange that found nothing, and
// gives every queue once. It allocates nothing per message (buffers are kept).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ports.h"
#include "broker/catalog.h"
#include "broker/messaging.h"
#include "exchange/exchange.h"
#include "exchange/keyed.h"

namespace sluice::broker {

class Router {
 public:
  class Vhost;
  struct Place;
  // Where a message goes. Valid until the next call of route().
  struct Route {
    std::span<const Destination> queues;
    std::span<Place* const>
        holding;  // exchanges that keep it back for its delay: they were not walked through
    std::span<Place* const> remembering;  // exchanges on its way that keep recent messages
  };
  // An exchange. Owned by the router.
  struct Place {
    Vhost* vhost = nullptr;
    std::string name, type;
    bool internal = false;
    bool looks_at_all_keys = false;                // those of CC and BCC, too
    std::string alternate;                         // exchange; empty: none
    std::unique_ptr<exchange::Exchange> exchange;  // none for the default exchange
    std::uint64_t number = 0;
    std::uint64_t visited = 0;  // the walk that was here last

    bool is_default() const { return exchange == nullptr; }
    bool delays() const { return exchange && exchange->delays(); }
    std::uint32_t history_messages_max() const { return exchange ? exchange->history_messages_max() : 0; }
  };

  Router(base::Random& random, std::uint32_t shard_count);
  ~Router();

  void load(const Catalog& catalog);
  void apply(const Catalog& catalog, const Changes& changes);
  // The alternate exchange that policies give, empty for none; an argument wins over it.
  void set_alternate(const ExchangeRecord& exchange, std::string from_policy);

  // The exchange of a Place::number is still there.
  bool has(std::uint64_t number) const { return by_number_.contains(number); }
  Place* place(std::uint64_t number) const {
    const auto found = by_number_.find(number);
    return found == by_number_.end() ? nullptr : found->second;
  }
  // Counts up when Places may be gone or different.
  std::uint64_t generation() const { return generation_; }
  // no exchange 'x' in vhost '/'
  Outcome<Place*> find(std::string_view vhost, std::string_view exchange);
  // more_keys: what the headers CC and BCC say. delayed: it asks for a delay, so exchanges that delay hold
  // it.
  Route route(Place& from, const exchange::RoutingData& message,
              std::span<const std::string_view> more_keys = {}, bool delayed = false);
  // Some exchange delays messages.
  bool any_delays() const { return delaying_ > 0; }
  static const std::string& vhost_of(const Place& place);
  // One queue by its name, as the default exchange finds it.
  std::optional<Destination> queue(std::string_view vhost, std::string_view name) const;

 private:
  exchange::DestinationId id_of(const QueueRecord& queue) const;
  Destination destination_of(exchange::DestinationId id) const;
  Vhost& vhost(std::string_view name);
  Vhost* find_vhost(std::string_view name) const;
  void add(const ExchangeRecord& record);
  void add(const QueueRecord& record);
  void add(const Catalog& catalog, const BindingRecord& record);
  void remove(const ExchangeRecord& record);
  void remove(const QueueRecord& record);
  void remove(const BindingRecord& record);
  std::optional<exchange::Binding> binding_of(Vhost& vhost, const BindingRecord& record) const;
  void visit(Place& place, const exchange::RoutingData& message, std::span<const std::string_view> more_keys);
  void go_on(Place* next);
  void visit_default(const Place& place, std::string_view key);

  base::Random& random_;
  std::uint32_t shard_count_;
  exchange::TextMap<std::unique_ptr<Vhost>> vhosts_;
  std::unordered_map<std::uint64_t, Place*> by_number_;
  std::uint64_t next_number_ = 1, generation_ = 1, walk_ = 0;
  std::size_t delaying_ = 0;
  // Of the message being routed.
  bool delayed_ = false;
  std::vector<Place*> waiting_, holding_, remembering_;
  exchange::Targets found_, queues_;
  std::vector<Destination> destinations_;
};

}  // namespace sluice::broker
