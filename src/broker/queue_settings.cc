// SPDX-License-Identifier: Apache-2.0
#include "broker/queue_settings.h"

#include <algorithm>

namespace sluice::broker {
namespace {

// Reads one effective argument after the other; their values were checked when they were declared.
class Arguments {
 public:
  explicit Arguments(const base::FieldTable& table) : table_(table) {}

  std::optional<std::int64_t> number(std::string_view name) const {
    const auto* value = table_.find(name);
    return value ? value->integer() : std::nullopt;
  }
  std::optional<std::uint64_t> amount(std::string_view name) const {
    const auto value = number(name);
    if (!value || *value < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
  }
  std::string_view text(std::string_view name) const {
    const auto* value = table_.find(name);
    return value ? value->text().value_or(std::string_view{}) : std::string_view{};
  }
  bool flag(std::string_view name) const {
    const auto* value = table_.find(name);
    const auto* set = value ? value->as<bool>() : nullptr;
    return set && *set;
  }
  bool has(std::string_view name) const { return table_.find(name) != nullptr; }

 private:
  const base::FieldTable& table_;
};

queue::Overflow to_overflow(std::string_view word) {
  if (word == "reject-publish") return queue::Overflow::reject_publish;
  if (word == "reject-publish-dlx") return queue::Overflow::reject_publish_dlx;
  return queue::Overflow::drop_head;
}

queue::RetryDelay to_retry_delay(std::string_view word) {
  if (word == "all") return queue::RetryDelay::all;
  if (word == "failed") return queue::RetryDelay::failed;
  if (word == "returned") return queue::RetryDelay::returned;
  return queue::RetryDelay::disabled;
}

void set_quorum_options(queue::WorkOptions& options, const Arguments& arguments,
                        std::int64_t consumer_timeout_ms) {
  constexpr std::uint32_t default_delivery_limit = 20;
  const auto limit = arguments.number("x-delivery-limit").value_or(default_delivery_limit);
  if (limit >= 0)
    options.delivery_limit = static_cast<std::uint32_t>(std::min<std::int64_t>(limit, UINT32_MAX));
  options.consumer_timeout_ms = arguments.number("x-consumer-timeout");
  if (!options.consumer_timeout_ms && consumer_timeout_ms > 0)
    options.consumer_timeout_ms = consumer_timeout_ms;
  options.retry_delay = to_retry_delay(arguments.text("x-delayed-retry-type"));
  options.retry_delay_min_ms = arguments.number("x-delayed-retry-min").value_or(0);
  options.retry_delay_max_ms = arguments.number("x-delayed-retry-max").value_or(options.retry_delay_min_ms);
}

}  // namespace

QueueSettings to_settings(QueueType type, bool durable, const base::FieldTable& effective,
                          std::int64_t consumer_timeout_ms) {
  const Arguments arguments(effective);
  QueueSettings settings;
  auto& options = settings.options;
  options.quorum = type == QueueType::quorum;
  options.durable = durable;
  options.single_active = arguments.flag("x-single-active-consumer");
  options.message_ttl_ms = arguments.number("x-message-ttl");
  options.expires_ms = arguments.number("x-expires");
  options.length_max = arguments.amount("x-max-length");
  options.length_bytes_max = arguments.amount("x-max-length-bytes");
  options.overflow = to_overflow(arguments.text("x-overflow"));
  if (options.quorum) {
    set_quorum_options(options, arguments, consumer_timeout_ms);
  } else {
    options.priority_max = static_cast<std::uint8_t>(
        std::min<std::uint64_t>(arguments.amount("x-max-priority").value_or(0), 255));
  }
  if (arguments.has("x-dead-letter-exchange")) {
    auto& target = settings.dead_letters.emplace();
    target.exchange = arguments.text("x-dead-letter-exchange");
    if (arguments.has("x-dead-letter-routing-key")) {
      target.routing_key = std::string(arguments.text("x-dead-letter-routing-key"));
    }
    // Nothing may be dropped for want of room where every dead letter must arrive.
    target.at_least_once = options.quorum && arguments.text("x-dead-letter-strategy") == "at-least-once" &&
                           options.overflow == queue::Overflow::reject_publish;
    options.dead_letters = true;
  }
  return settings;
}

}  // namespace sluice::broker
