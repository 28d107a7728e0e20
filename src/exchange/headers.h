// SPDX-License-Identifier: Apache-2.0
// headers: the binding's arguments are matched against the message's headers. x-match is all (default), any,
// all-with-x or any-with-x; without -with-x, arguments that begin with `x-` are ignored. A void argument only
// asks that the header is there; every other value must be equal, type included.
#pragma once

#include "exchange/exchange.h"

namespace sluice::exchange {

class HeadersExchange final : public Exchange {
 public:
  base::Result<> bind(const Binding& binding) override;
  void unbind(const Binding& binding) override;
  void route(const RoutingData& message, Targets& into) const override;

 private:
  struct Rule {
    Binding binding;
    base::FieldEntries wanted;  // the arguments that count
    bool any = false;           // one is enough
  };
  std::vector<Rule> rules_;
};

}  // namespace sluice::exchange
