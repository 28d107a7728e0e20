// SPDX-License-Identifier: Apache-2.0
// Sets of bindings as the exchange types keep them. A destination bound several times (other arguments)
// stands once in the list that routing copies, and stays until its last binding goes.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "exchange/exchange.h"

namespace sluice::exchange {

// Arguments, keys and bindings that this type of exchange does not take.
inline std::unexpected<base::Error> refuse(std::string text) {
  return base::fail(base::Errc::precondition_failed, std::move(text));
}

class DestinationList {
 public:
  // False when the very same binding was there already.
  bool add(DestinationId destination, const base::FieldTable& arguments) {
    const bool known_destination = std::ranges::find(ids_, destination) != ids_.end();
    if (known_destination) {
      for (const Entry& entry : entries_) {
        if (entry.destination == destination && entry.arguments == arguments) return false;
      }
    }
    entries_.push_back({destination, arguments});
    if (!known_destination) ids_.push_back(destination);
    return true;
  }
  bool remove(DestinationId destination, const base::FieldTable& arguments) {
    const auto at = std::ranges::find_if(entries_, [&](const Entry& entry) {
      return entry.destination == destination && entry.arguments == arguments;
    });
    if (at == entries_.end()) return false;
    entries_.erase(at);
    if (std::ranges::none_of(entries_, [&](const Entry& e) { return e.destination == destination; })) {
      std::erase(ids_, destination);
    }
    return true;
  }
  bool empty() const { return ids_.empty(); }
  std::span<const DestinationId> ids() const { return ids_; }

 private:
  struct Entry {
    DestinationId destination;
    base::FieldTable arguments;
  };
  std::vector<Entry> entries_;
  std::vector<DestinationId> ids_;
};

}  // namespace sluice::exchange
