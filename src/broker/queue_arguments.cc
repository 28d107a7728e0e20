// SPDX-License-Identifier: Apache-2.0
#include "broker/queue_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "broker/arguments.h"
#include "broker/texts.h"
#include "message/expiry.h"

namespace sluice::broker {
namespace {

// A check answers what is wrong as an Erlang term, which is how RabbitMQ prints it; nothing when all is well.
using Wrong = std::optional<std::string>;
using Check = Wrong (*)(const base::FieldValue& value, const base::FieldTable& all);

Wrong expected(std::string_view wanted, const base::FieldValue& value) {
  return fmt::format("\"expected {}, got {}\"", wanted, base::type_name(value));
}

template <std::int64_t Min, std::int64_t Max = INT64_MAX>
Wrong is_number(const base::FieldValue& value, const base::FieldTable&) {
  const auto number = value.integer();
  if (!number) return expected("integer", value);
  if (*number < 0 && Min >= 0) return fmt::format("{{value_negative,{}}}", *number);
  if (*number < Min) return fmt::format("{{value_zero,{}}}", *number);
  if (*number > Max) return fmt::format("{{max_value_exceeded,{}}}", *number);
  return std::nullopt;
}
Wrong is_any_number(const base::FieldValue& value, const base::FieldTable&) {
  return value.integer() ? std::nullopt : expected("integer", value);
}
template <std::int64_t Min>
Wrong is_time_ms(const base::FieldValue& value, const base::FieldTable& all) {
  if (auto wrong = is_number<Min>(value, all)) return wrong;
  if (*value.integer() > message::expiry_ms_max)
    return fmt::format("{{value_too_large,{}}}", *value.integer());
  return std::nullopt;
}
Wrong unacceptable(const base::FieldValue& value) {
  return fmt::format("{{unacceptable_type,{}}}", base::type_name(value));
}
Wrong is_bool(const base::FieldValue& value, const base::FieldTable&) {
  return value.as<bool>() ? std::nullopt : unacceptable(value);
}
Wrong is_text(const base::FieldValue& value, const base::FieldTable&) {
  return value.as<std::string>() ? std::nullopt : unacceptable(value);
}

Wrong is_one_of(const base::FieldValue& value, std::initializer_list<std::string_view> words,
                std::string_view wrong) {
  const auto* text = value.as<std::string>();
  if (!text) return unacceptable(value);
  if (std::ranges::find(words, std::string_view(*text)) != words.end()) return std::nullopt;
  return std::string(wrong);
}
Wrong is_overflow(const base::FieldValue& value, const base::FieldTable&) {
  return is_one_of(value, {"drop-head", "reject-publish", "reject-publish-dlx"}, "invalid_overflow");
}
Wrong is_strategy(const base::FieldValue& value, const base::FieldTable&) {
  return is_one_of(value, {"at-most-once", "at-least-once"}, "invalid_dlx_strategy");
}
Wrong is_locator(const base::FieldValue& value, const base::FieldTable&) {
  return is_one_of(value, {"client-local", "balanced", "random", "least-leaders"},
                   "invalid_queue_locator_arg");
}
Wrong is_master_locator(const base::FieldValue& value, const base::FieldTable&) {
  return is_one_of(value, {"min-masters", "client-local", "random"}, "invalid_queue_locator_arg");
}
Wrong is_tag(const base::FieldValue& value, const base::FieldTable& all) {
  if (auto wrong = is_text(value, all)) return wrong;
  return value.text()->empty() ? Wrong("invalid_member_placement_tag_arg") : std::nullopt;
}
Wrong is_retry(const base::FieldValue& value, const base::FieldTable&) {
  return is_one_of(value, {"disabled", "all", "failed", "returned"}, "invalid_delayed_retry_type");
}
// 4.3 refuses every mode; `lazy` and `default` are what tutorials write and change nothing here.
Wrong is_mode(const base::FieldValue& value, const base::FieldTable&) {
  return is_one_of(value, {"default", "lazy"},
                   fmt::format("\"unsupported queue mode '{}'\"", base::to_text(value)));
}
Wrong is_version(const base::FieldValue& value, const base::FieldTable&) {
  const auto number = value.integer();
  if (!number) return expected("integer", value);
  return *number == 2 ? std::nullopt : Wrong(fmt::format("\"unsupported queue version '{}'\"", *number));
}
Wrong is_dead_key(const base::FieldValue& value, const base::FieldTable& all) {
  if (auto wrong = is_text(value, all)) return wrong;
  return all.find("x-dead-letter-exchange") ? std::nullopt : Wrong("routing_key_but_no_dlx_defined");
}
Wrong is_age(const base::FieldValue& value, const base::FieldTable& all) {
  if (auto wrong = is_text(value, all)) return wrong;
  if (normalise_arguments({{"max-age", *value.as<std::string>()}})) return std::nullopt;
  return "invalid_max_age";
}
Wrong is_durability(const base::FieldValue& value, const base::FieldTable&) {
  return is_one_of(value, {"written", "synced"}, "invalid_durability");
}
// Ours: x-retain is an age as of streams, or a number of bytes.
Wrong is_retain(const base::FieldValue& value, const base::FieldTable& all) {
  if (value.integer()) return is_number<1>(value, all);
  return is_age(value, all);
}

constexpr std::int64_t segment_bytes_limit = 3'000'000'000, filter_bytes_min = 16, filter_bytes_max = 255;
constexpr std::uint8_t classic = 1, quorum = 2, stream = 4;
struct Row {
  std::string_view key;
  std::uint8_t types;
  Check check;
};
constexpr Row rows[] = {
    {"x-queue-type", classic | quorum | stream, is_text},
    {"x-expires", classic | quorum, is_time_ms<1>},
    {"x-message-ttl", classic | quorum, is_time_ms<0>},
    {"x-dead-letter-exchange", classic | quorum, is_text},
    {"x-dead-letter-routing-key", classic | quorum, is_dead_key},
    {"x-dead-letter-strategy", quorum, is_strategy},
    {"x-max-length", classic | quorum, is_number<0>},
    {"x-max-length-bytes", classic | quorum | stream, is_number<0>},
    {"x-overflow", classic | quorum, is_overflow},
    {"x-max-priority", classic, is_number<0, 255>},
    {"x-single-active-consumer", classic | quorum, is_bool},
    {"x-queue-mode", classic, is_mode},
    {"x-queue-version", classic, is_version},
    {"x-queue-master-locator", classic, is_master_locator},
    {"x-queue-leader-locator", classic | quorum | stream, is_locator},
    {"x-quorum-initial-group-size", quorum, is_number<1>},
    {"x-delivery-limit", quorum, is_any_number},
    {"x-max-in-memory-length", quorum, is_number<0>},
    {"x-max-in-memory-bytes", quorum, is_number<0>},
    {"x-member-placement-tag", quorum, is_tag},
    {"x-consumer-timeout", quorum, is_number<0>},
    {"x-consumer-disconnected-timeout", quorum, is_time_ms<0>},
    {"x-delayed-retry-type", quorum, is_retry},
    {"x-delayed-retry-min", quorum, is_time_ms<0>},
    {"x-delayed-retry-max", quorum, is_time_ms<0>},
    {"x-max-age", stream, is_age},
    {"x-stream-max-segment-size-bytes", stream, is_number<0>},
    {"x-stream-filter-size-bytes", stream, is_number<0>},
    {"x-initial-cluster-size", stream, is_number<1>},
    {"x-durability", stream, is_durability},
    {"x-retain", classic | quorum, is_retain},
};

constexpr std::uint8_t bit_of(QueueType type) {
  return type == QueueType::classic ? classic : type == QueueType::quorum ? quorum : stream;
}

template <QueueType Type>
std::span<const std::string_view> known_of() {
  static constexpr auto count = static_cast<std::size_t>(
      std::ranges::count_if(rows, [](const Row& row) { return row.types & bit_of(Type); }));
  static constexpr auto known = [] {
    std::array<std::string_view, count> result;
    std::size_t i = 0;
    for (const auto& row : rows) {
      if (row.types & bit_of(Type)) result[i++] = row.key;
    }
    return result;
  }();
  return known;
}

}  // namespace

QueueType queue_type_of(std::string_view word) {
  if (word == "quorum") return QueueType::quorum;
  return word == "stream" ? QueueType::stream : QueueType::classic;
}
bool is_single_active(const base::FieldTable& arguments) {
  const auto* argument = arguments.find("x-single-active-consumer");
  const auto* set = argument ? argument->as<bool>() : nullptr;
  return set && *set;
}
bool is_queue_type(std::string_view word) {
  return word == "classic" || word == "quorum" || word == "stream";
}
std::string_view to_word(QueueType type) {
  return type == QueueType::classic ? "classic" : type == QueueType::quorum ? "quorum" : "stream";
}

std::span<const std::string_view> known_arguments(QueueType type) {
  switch (type) {
    case QueueType::classic:
      return known_of<QueueType::classic>();
    case QueueType::quorum:
      return known_of<QueueType::quorum>();
    case QueueType::stream:
      return known_of<QueueType::stream>();
  }
  return {};
}

base::Result<> check_queue_arguments(std::string_view vhost, std::string_view name, QueueType type,
                                     const base::FieldTable& arguments) {
  const auto resource = queue_text(vhost, name);
  // First what belongs to other types, then the values.
  for (const auto& [key, value] : arguments.entries) {
    const auto* row = std::ranges::find(rows, std::string_view(key), &Row::key);
    if (row == std::end(rows) || (row->types & bit_of(type)) != 0) continue;
    return precondition(
        fmt::format("invalid arg '{}' for {} of queue type rabbit_{}_queue", key, resource, to_word(type)));
  }
  for (const auto& row : rows) {
    const auto* value = arguments.find(row.key);
    if (!value) continue;
    auto wrong = row.check(*value, arguments);
    const bool dead_letter_overflow =
        type == QueueType::quorum && row.key == "x-overflow" && base::to_text(*value) == "reject-publish-dlx";
    if (!wrong && dead_letter_overflow) wrong = "invalid_overflow";
    if (wrong) return precondition(fmt::format("invalid arg '{}' for {}: {}", row.key, resource, *wrong));
  }
  const auto* segment = arguments.find("x-stream-max-segment-size-bytes");
  if (segment && *segment->integer() > segment_bytes_limit) {
    return precondition("Exceeded max value for x-stream-max-segment-size-bytes");
  }
  const auto* filter = arguments.find("x-stream-filter-size-bytes");
  if (filter && (*filter->integer() < filter_bytes_min || *filter->integer() > filter_bytes_max)) {
    return precondition("Invalid value for x-stream-filter-size-bytes");
  }
  return {};
}

StreamArguments to_stream_arguments(const base::FieldTable& arguments) {
  StreamArguments result;
  for (const auto& [key, value] : arguments.entries) {
    if (key.starts_with("x-") && key != "x-queue-type") result.emplace(key.substr(2), base::to_text(value));
  }
  return result;
}

base::FieldTable to_table_arguments(const StreamArguments& arguments) {
  base::FieldTable table;
  table.set("x-queue-type", "stream");
  for (const auto& [key, value] : arguments) {
    const bool number =
        !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    table.set("x-" + key, number ? base::FieldValue(static_cast<std::int64_t>(std::stoll(value)))
                                 : base::FieldValue(value));
  }
  return table;
}

}  // namespace sluice::broker
