// SPDX-License-Identifier: Apache-2.0
// Changes in the making: what one command will do to the catalog, with all that follows from it (a queue
// takes its bindings along, the last binding takes its auto-delete exchange). Reads the catalog, changes
// nothing. Used by the decisions of catalog_*.cc only.
#pragma once

#include <map>
#include <set>
#include <string>

#include "broker/catalog.h"

namespace sluice::broker {

class Catalog::Draft {
 public:
  explicit Draft(const Catalog& catalog) : catalog_(catalog), state_(catalog.state()) {}

  template <class R>
  void put(R record) {
    const bool stored = !is_transient(record);
    changes_.push_back({std::move(record), false, stored});
  }
  void add_queue(QueueRecord record);      // gives it its id
  void add_binding(BindingRecord record);  // gives it its number; transient when an end is

  void remove(const QueueRecord& queue);
  void remove(const ExchangeRecord& exchange);
  void remove(const BindingRecord& binding);
  template <class R>
  void remove_plain(const R& record) {
    changes_.push_back({record, true, true});
  }

  Changes take();

  // Names as they begin a key of Catalog::by_destination_.
  static std::string destination_prefix(std::string_view vhost, bool to_exchange,
                                        std::string_view destination);

 private:
  template <class R>
  bool note_removed(const R& record) {
    return removed_.insert(record_key(record)).second;
  }
  void remove_if_unused(std::string_view vhost, std::string_view exchange);

  const Catalog& catalog_;
  StateRecord state_;
  bool state_changed_ = false, state_stored_ = false;
  std::set<std::string> removed_;                               // keys
  std::map<const ExchangeRecord*, std::size_t> bindings_left_;  // of auto-delete sources that lose bindings
  Changes changes_;
};

}  // namespace sluice::broker
