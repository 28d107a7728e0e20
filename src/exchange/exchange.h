// SPDX-License-Identifier: Apache-2.0
// Routing: an exchange turns a message's routing data into destinations. Pure and synchronous; the broker
// keeps one instance per exchange on every shard and calls it on the publishing path. What a destination is
// (a queue or another exchange) only the broker knows; so do permissions, alternate exchanges and
// exchange-to-exchange walks.
//
// One exchange type per file; types.cc lists them. bind() refuses what the type cannot take with the text a
// client is shown; bind and unbind of the same (destination, key, arguments) are idempotent.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/field_table.h"
#include "base/ids.h"
#include "base/ports.h"

namespace sluice::exchange {

using DestinationId = base::Id<struct DestinationTag>;

struct Binding {
  DestinationId destination;
  std::string key;
  base::FieldTable arguments;
  friend bool operator==(const Binding&, const Binding&) = default;
};

// What routing looks at. Views into the message, valid during the call.
struct RoutingData {
  std::string_view key;
  base::FieldTableView headers;
  // The properties a consistent-hash exchange can be told to hash; empty when absent.
  std::string_view message_id;
  std::string_view correlation_id;
  std::string_view timestamp;  // as decimal text
};

// Where a message goes. The exchange appends; a type whose answer can name a destination twice says so and
// the broker makes the list unique once, after walking all exchanges.
class Targets {
 public:
  void clear() {
    ids_.clear();
    may_repeat_ = false;
  }
  void add(DestinationId id) { ids_.push_back(id); }
  void add_all(std::span<const DestinationId> ids) { ids_.insert(ids_.end(), ids.begin(), ids.end()); }
  void set_may_repeat() { may_repeat_ = true; }
  bool may_repeat() const { return may_repeat_; }
  void make_unique();  // sorts, and only when something may repeat
  std::span<const DestinationId> ids() const { return ids_; }

 private:
  std::vector<DestinationId> ids_;
  bool may_repeat_ = false;
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual base::Result<> bind(const Binding& binding) = 0;
  virtual void unbind(const Binding& binding) = 0;
  virtual void route(const RoutingData& message, Targets& into) const = 0;
  // x-delayed-message: the broker holds back messages with an x-delay header before it routes them.
  virtual bool delays() const { return false; }
  // x-recent-history: how many messages a new binding is given; 0 for other types.
  virtual std::uint32_t history_messages_max() const { return 0; }
};

// Makes an exchange of a type by its AMQP name. precondition_failed with RabbitMQ's text for an unknown type
// or arguments the type refuses. `random` must outlive the exchange.
base::Result<std::unique_ptr<Exchange>> make_exchange(std::string_view type,
                                                      const base::FieldTable& arguments,
                                                      base::Random& random);
// All type names, for listings and the management overview.
std::span<const std::string_view> type_names();

}  // namespace sluice::exchange
