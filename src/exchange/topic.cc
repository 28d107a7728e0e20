// SPDX-License-Identifier: Apache-2.0
#include "exchange/topic.h"

#include <fmt/format.h>

namespace sluice::exchange {

// "a.b" has two words, "a." has "a" and an empty one, "" has none: as RabbitMQ splits keys.
void TopicExchange::split(std::string_view key, Words& into) {
  into.clear();
  if (key.empty()) return;
  for (;;) {
    const std::size_t dot = key.find('.');
    into.push_back(key.substr(0, dot));
    if (dot == std::string_view::npos) return;
    key.remove_prefix(dot + 1);
  }
}

base::Result<> TopicExchange::bind(const Binding& binding) {
  Words words;
  split(binding.key, words);
  if (const auto hashes = std::ranges::count(words, "#"); hashes > hashes_max) {
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("Topic binding key '{}' uses {} '#' wildcards, at most {} are allowed",
                                  binding.key, hashes, hashes_max));
  }
  Node* node = &root_;
  for (const std::string_view word : words) {
    std::unique_ptr<Node>& next = word == "*"   ? node->star
                                  : word == "#" ? node->hash
                                                : node->words[std::string(word)];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  node->here.add(binding.destination, binding.arguments);
  return {};
}

void TopicExchange::unbind(const Binding& binding) {
  Words words;
  split(binding.key, words);
  remove(root_, words, binding);
}

// Keys are at most 255 bytes, so at most 128 words: the recursion is shallow.
void TopicExchange::remove(Node& node, std::span<const std::string_view> words, const Binding& binding) {
  if (words.empty()) {
    node.here.remove(binding.destination, binding.arguments);
    return;
  }
  const auto descend = [&](std::unique_ptr<Node>& child) {
    if (!child) return;
    remove(*child, words.subspan(1), binding);
    if (child->unused()) child.reset();
  };
  if (words.front() == "*") return descend(node.star);
  if (words.front() == "#") return descend(node.hash);
  const auto at = node.words.find(words.front());
  if (at == node.words.end()) return;
  descend(at->second);
  if (!at->second) node.words.erase(at);
}

void TopicExchange::match(const Node& node, std::span<const std::string_view> words, Targets& into) {
  if (node.hash) {
    // `#` takes none, one, ... or all of the remaining words.
    for (std::size_t taken = 0; taken <= words.size(); ++taken) match(*node.hash, words.subspan(taken), into);
  }
  if (words.empty()) {
    into.add_all(node.here.ids());
    return;
  }
  if (node.star) match(*node.star, words.subspan(1), into);
  if (const auto at = node.words.find(words.front()); at != node.words.end()) {
    match(*at->second, words.subspan(1), into);
  }
}

void TopicExchange::route(const RoutingData& message, Targets& into) const {
  split(message.key, scratch_);
  into.set_may_repeat();
  match(root_, scratch_, into);
}

}  // namespace sluice::exchange
