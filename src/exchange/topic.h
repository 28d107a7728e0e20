// SPDX-License-Identifier: Apache-2.0
// topic: keys are words between dots; in a binding key `*` stands for one word and `#` for any number, also
// none. A trie over the words of the binding keys: routing looks at the words of the message and at wildcards
// on its way, never at all bindings, so 100,000 bindings cost no more than the few that lie on the path.
//
// At most two `#` per binding key are accepted, as in RabbitMQ 4.3.5: each one multiplies the places a match
// can start.
#pragma once

#include <memory>

#include "exchange/keyed.h"

namespace sluice::exchange {

class TopicExchange final : public Exchange {
 public:
  static constexpr int hashes_max = 2;

  base::Result<> bind(const Binding& binding) override;
  void unbind(const Binding& binding) override;
  void route(const RoutingData& message, Targets& into) const override;

 private:
  struct Node {
    TextMap<std::unique_ptr<Node>> words;
    std::unique_ptr<Node> star;  // `*`
    std::unique_ptr<Node> hash;  // `#`
    DestinationList here;        // bindings whose key ends at this node
    bool unused() const { return words.empty() && !star && !hash && here.empty(); }
  };
  using Words = std::vector<std::string_view>;

  static void split(std::string_view key, Words& into);
  static void remove(Node& node, std::span<const std::string_view> words, const Binding& binding);
  static void match(const Node& node, std::span<const std::string_view> words, Targets& into);

  Node root_;
  mutable Words scratch_;  // words of the message being routed; kept to not allocate per message
};

}  // namespace sluice::exchange
