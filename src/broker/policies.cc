// SPDX-License-Identifier: Apache-2.0
#include "broker/policies.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/arguments.h"
#include "broker/queue_arguments.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

std::string_view apply_word(const QueueRecord& queue) {
  if (queue.is_stream()) return "streams";
  return queue.type == "quorum" ? "quorum_queues" : "classic_queues";
}

enum class Wants : std::uint8_t { text, natural, positive, whole, age, one_of, anything };
struct Key {
  std::string_view name;
  Wants wants;
  bool for_operators = false;
  std::string_view words = {};  // of one_of, with a space between them
};
constexpr Key keys[] = {
    {"alternate-exchange", Wants::text},
    {"dead-letter-exchange", Wants::text},
    {"dead-letter-routing-key", Wants::text},
    {"dead-letter-strategy", Wants::one_of, false, "at-most-once at-least-once"},
    {"message-ttl", Wants::natural, true},
    {"expires", Wants::positive, true},
    {"max-length", Wants::natural, true},
    {"max-length-bytes", Wants::natural, true},
    {"max-in-memory-length", Wants::natural, true},
    {"max-in-memory-bytes", Wants::natural, true},
    {"overflow", Wants::one_of, true, "drop-head reject-publish reject-publish-dlx"},
    {"delivery-limit", Wants::whole, true},
    {"queue-mode", Wants::one_of, false, "default lazy"},
    {"queue-version", Wants::one_of, true, "1 2"},
    {"queue-leader-locator", Wants::one_of, false, "client-local balanced random least-leaders"},
    {"queue-master-locator", Wants::text},
    {"initial-cluster-size", Wants::natural},
    {"max-age", Wants::age},
    {"stream-max-segment-size-bytes", Wants::natural},
    {"stream-filter-size-bytes", Wants::positive},
    {"consumer-timeout", Wants::natural},
    {"consumer-disconnected-timeout", Wants::natural},
    {"delayed-retry-type", Wants::one_of, true, "disabled all failed returned"},
    {"delayed-retry-min", Wants::positive, true},
    {"delayed-retry-max", Wants::positive, true},
    {"target-group-size", Wants::positive, true},
    {"durability", Wants::one_of, false, "written synced"},
    {"federation-upstream", Wants::text},
    {"federation-upstream-set", Wants::text},
    {"shards-per-node", Wants::positive},
    {"routing-key", Wants::text},
    {"ha-mode", Wants::anything},
    {"ha-params", Wants::anything},
    {"ha-sync-mode", Wants::anything},
};

using Number = std::optional<std::int64_t>;

constexpr std::string_view smaller_wins[] = {
    "expires",           "message-ttl",          "max-length",
    "max-length-bytes",  "max-in-memory-length", "max-in-memory-bytes",
    "target-group-size", "consumer-timeout",     "delayed-retry-min",
    "delayed-retry-max"};

// Two numbers for one key; nothing when the key is none where they are weighed.
Number weigh(std::string_view key, std::int64_t a, std::int64_t b) {
  if (std::ranges::find(smaller_wins, key) != std::end(smaller_wins)) return std::min(a, b);
  // Negative is no limit at all: it yields to a limit.
  if (key == "delivery-limit") return a < 0 || b < 0 ? std::max(a, b) : std::min(a, b);
  return std::nullopt;
}
Number weigh(std::string_view key, const base::FieldValue* a, const base::FieldValue& b) {
  const auto one = a ? a->integer() : std::nullopt, other = b.integer();
  return one && other ? weigh(key, *one, *other) : std::nullopt;
}

bool is_word_of(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

bool takes(const Key& key, const base::FieldValue& value) {
  const auto number = value.integer();
  switch (key.wants) {
    case Wants::text:
      return value.as<std::string>() != nullptr;
    case Wants::natural:
      return number && *number >= 0;
    case Wants::positive:
      return number && *number > 0;
    case Wants::whole:
      return number.has_value();
    case Wants::age:
      return value.as<std::string>() && normalise_arguments({{"max-age", *value.as<std::string>()}});
    case Wants::one_of:
      return is_word_of(key.words, base::to_text(value));
    case Wants::anything:
      return true;
  }
  return false;
}

// What holds between keys: a retry needs to know how long to wait.
base::Result<> check_delayed_retry(const base::FieldTable& definition) {
  const auto* type = definition.find("delayed-retry-type");
  const auto* min = definition.find("delayed-retry-min");
  const auto* max = definition.find("delayed-retry-max");
  if (type && !min && base::to_text(*type) != "disabled") {
    return precondition(
        fmt::format("delayed-retry-min is required when delayed-retry-type is {}", base::to_text(*type)));
  }
  if (min && max && *max->integer() < *min->integer()) {
    return precondition(fmt::format("delayed-retry-max ({}) must not be smaller than delayed-retry-min ({})",
                                    *max->integer(), *min->integer()));
  }
  return {};
}

}  // namespace

void Policies::load(const Catalog& catalog) {
  all_.clear();
  catalog.for_each<PolicyRecord>([&](const PolicyRecord& record) {
    // One that does not compile was refused when it was set.
    if (auto pattern = NamePattern::compile(record.pattern)) all_.push_back({record, std::move(*pattern)});
  });
  std::ranges::stable_sort(all_, std::greater{}, [](const Compiled& each) { return each.record.priority; });
}

const PolicyRecord* Policies::find(std::string_view kind, std::string_view vhost, std::string_view name,
                                   std::string_view apply_to, bool is_queue) const {
  for (const auto& each : all_) {
    const auto& record = each.record;
    if (record.kind != kind || record.vhost != vhost) continue;
    const bool applies =
        record.apply_to == "all" || record.apply_to == apply_to || (is_queue && record.apply_to == "queues");
    if (applies && each.pattern.matches(name)) return &record;
  }
  return nullptr;
}

const PolicyRecord* Policies::of_queue(std::string_view kind, const QueueRecord& queue) const {
  return find(kind, queue.vhost, queue.name, apply_word(queue), true);
}
const PolicyRecord* Policies::of_exchange(std::string_view kind, const ExchangeRecord& exchange) const {
  return find(kind, exchange.vhost, exchange.name, "exchanges", false);
}

base::FieldTable Policies::definition_of(const QueueRecord& queue) const {
  if (all_.empty()) return {};
  return merge_definitions(of_queue(PolicyRecord::user_kind, queue),
                           of_queue(PolicyRecord::operator_kind, queue));
}

base::FieldTable Policies::effective_arguments(const QueueRecord& queue) const {
  return merge_arguments(queue_type_of(queue.type), queue.table_arguments, definition_of(queue));
}

std::string Policies::alternate_of(const ExchangeRecord& exchange) const {
  const auto* policy = of_exchange(PolicyRecord::user_kind, exchange);
  const auto* value = policy ? policy->definition.find("alternate-exchange") : nullptr;
  return value && value->text() ? std::string(*value->text()) : std::string();
}

base::FieldTable merge_definitions(const PolicyRecord* user, const PolicyRecord* operators) {
  base::FieldTable merged;
  if (user) merged = user->definition;
  if (!operators) return merged;
  for (const auto& [key, value] : operators->definition.entries) {
    const auto* users = merged.find(key);
    // How short a retry may be is limited from below.
    const auto weighed = key == "delayed-retry-min" && users
                             ? Number(std::max(*users->integer(), *value.integer()))
                             : weigh(key, users, value);
    merged.set(key, weighed ? base::FieldValue(*weighed) : value);
  }
  return merged;
}

base::FieldTable merge_arguments(QueueType type, const base::FieldTable& arguments,
                                 const base::FieldTable& definition) {
  auto merged = arguments;
  const auto known = known_arguments(type);
  for (const auto& [key, value] : definition.entries) {
    const auto argument = "x-" + key;
    if (std::ranges::find(known, std::string_view(argument)) == known.end()) continue;
    const auto* own = merged.find(argument);
    if (!own || type == QueueType::stream || key == "delayed-retry-type") {
      merged.set(argument, value);
    } else if (const auto weighed = weigh(key, own, value)) {
      merged.set(argument, *weighed);
    }
  }
  return merged;
}

base::Result<> check_policy(const PolicyRecord& policy) {
  constexpr std::string_view targets[] = {"all",           "queues",  "classic_queues",
                                          "quorum_queues", "streams", "exchanges"};
  const bool operators = policy.kind == PolicyRecord::operator_kind;
  if (policy.name.empty()) return precondition("a policy needs a name");
  if (std::ranges::find(targets, policy.apply_to) == std::end(targets)) {
    return precondition(
        fmt::format("apply-to '{}' not recognised; give all, queues, classic_queues, "
                    "quorum_queues, streams or exchanges",
                    policy.apply_to));
  }
  TRY_VOID(NamePattern::compile(policy.pattern));
  if (policy.definition.empty()) return precondition("the policy defines nothing");
  for (const auto& [name, value] : policy.definition.entries) {
    const auto* key = std::ranges::find(keys, std::string_view(name), &Key::name);
    if (key == std::end(keys) || (operators && !key->for_operators)) {
      return precondition(fmt::format("[{{<<\"{}\">>,{}}}] are not recognised {}policy settings", name,
                                      base::to_text(value), operators ? "operator " : ""));
    }
    if (!takes(*key, value)) {
      return precondition(fmt::format("'{}' is not a valid value of '{}'{}{}", base::to_text(value), name,
                                      key->words.empty() ? "" : "; it takes ", key->words));
    }
  }
  return check_delayed_retry(policy.definition);
}

}  // namespace sluice::broker
