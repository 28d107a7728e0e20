// SPDX-License-Identifier: Apache-2.0
// The list of exchange types and how each is made from its declare arguments.
#include <fmt/format.h>

#include <algorithm>

#include "base/erlang_text.h"
#include "exchange/choosing.h"
#include "exchange/headers.h"
#include "exchange/topic.h"

namespace sluice::exchange {
namespace {

using Made = base::Result<std::unique_ptr<Exchange>>;

template <class T, class... Args>
Made make(Args&&... args) {
  return std::unique_ptr<Exchange>(std::make_unique<T>(std::forward<Args>(args)...));
}

Made make_consistent_hash(const base::FieldTable& arguments) {
  using Source = ConsistentHashExchange::Source;
  const base::FieldValue* header = arguments.find("hash-header");
  const base::FieldValue* property = arguments.find("hash-property");
  if (header && property) return refuse("hash-header and hash-property are mutually exclusive");
  if (header) {
    if (!header->text()) return refuse("hash-header must be a string");
    return make<ConsistentHashExchange>(Source::header, std::string(*header->text()));
  }
  if (!property) return make<ConsistentHashExchange>(Source::routing_key, std::string());
  const std::string name = base::to_text(*property);
  if (name == "message_id") return make<ConsistentHashExchange>(Source::message_id, std::string());
  if (name == "correlation_id") return make<ConsistentHashExchange>(Source::correlation_id, std::string());
  if (name == "timestamp") return make<ConsistentHashExchange>(Source::timestamp, std::string());
  return refuse(fmt::format("Unsupported property: {}", name));
}

Made make_recent_history(const base::FieldTable& arguments) {
  const base::FieldValue* length = arguments.find("x-recent-history-length");
  if (!length) return make<RecentHistoryExchange>(RecentHistoryExchange::default_messages_max);
  const auto count = length->integer();
  if (!count || *count < 1 || *count > UINT32_MAX) {
    return refuse(fmt::format("Invalid argument {}, 'x-recent-history-length' must be a positive integer",
                              base::erlang_text(*length)));
  }
  return make<RecentHistoryExchange>(static_cast<std::uint32_t>(*count));
}

// Routes as its x-delayed-type; holding messages back is the broker's part.
class DelayedExchange final : public Exchange {
 public:
  explicit DelayedExchange(std::unique_ptr<Exchange> inner) : inner_(std::move(inner)) {}
  base::Result<> bind(const Binding& binding) override { return inner_->bind(binding); }
  void unbind(const Binding& binding) override { inner_->unbind(binding); }
  void route(const RoutingData& message, Targets& into) const override { inner_->route(message, into); }
  bool delays() const override { return true; }
  std::uint32_t history_messages_max() const override { return inner_->history_messages_max(); }

 private:
  std::unique_ptr<Exchange> inner_;
};

constexpr std::string_view delayed_type = "x-delayed-message";

constexpr std::string_view names[] = {
    "direct",     "fanout",         "headers",        "topic",    "x-consistent-hash",
    delayed_type, "x-local-random", "x-modulus-hash", "x-random", "x-recent-history",
};

}  // namespace

std::span<const std::string_view> type_names() {
  return names;
}

base::Result<std::unique_ptr<Exchange>> make_exchange(std::string_view type,
                                                      const base::FieldTable& arguments,
                                                      base::Random& random) {
  if (type == "direct") return make<DirectExchange>();
  if (type == "fanout") return make<FanoutExchange>();
  if (type == "topic") return make<TopicExchange>();
  if (type == "headers") return make<HeadersExchange>();
  if (type == "x-random") return make<RandomExchange>(random);
  if (type == "x-local-random") return make<LocalRandomExchange>(random);
  if (type == "x-modulus-hash") return make<ModulusHashExchange>();
  if (type == "x-consistent-hash") return make_consistent_hash(arguments);
  if (type == "x-recent-history") return make_recent_history(arguments);
  if (type == delayed_type) {
    const base::FieldValue* inner_type = arguments.find("x-delayed-type");
    if (!inner_type || !inner_type->text() || *inner_type->text() == delayed_type) {
      return refuse("Invalid argument, 'x-delayed-type' must be an existing exchange type");
    }
    TRY(inner, make_exchange(*inner_type->text(), arguments, random));
    return make<DelayedExchange>(std::move(inner));
  }
  return refuse(fmt::format("unknown exchange type '{}'", type));
}

void Targets::make_unique() {
  if (!may_repeat_ || ids_.size() < 2) return;
  std::ranges::sort(ids_);
  ids_.erase(std::ranges::unique(ids_).begin(), ids_.end());
  may_repeat_ = false;
}

}  // namespace sluice::exchange
