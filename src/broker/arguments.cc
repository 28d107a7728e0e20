// SPDX-License-Identifier: Apache-2.0
#include "broker/arguments.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/check.h"

namespace sluice::broker {
namespace {

constexpr std::uint64_t segment_bytes_limit = 3'000'000'000;  // positions in stock tools are 32 bits wide
constexpr std::uint64_t number_limit = 1'000'000'000'000'000'000;
constexpr std::uint64_t age_limit = 1'000'000'000;  // of the unit: 10^9 years still fit into milliseconds

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> unit_ms(char unit) {
  constexpr std::int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
  switch (unit) {
    case 'Y':
      return 365 * day;
    case 'M':
      return 30 * day;
    case 'D':
      return day;
    case 'h':
      return hour;
    case 'm':
      return minute;
    case 's':
      return second;
    default:
      return std::nullopt;
  }
}

struct Rule {
  std::string_view key;
  std::string_view wanted;  // for the error text
  // The value as it is stored, or nothing when it is refused.
  std::optional<std::string> (*accept)(std::string_view text);
};

template <std::uint64_t Min, std::uint64_t Max>
std::optional<std::string> accept_number(std::string_view text) {
  const auto value = to_number(text);
  if (!value || *value < Min || *value > Max) return std::nullopt;
  return std::to_string(*value);
}

std::optional<std::string> accept_age(std::string_view text) {
  if (!to_age_ms(text)) return std::nullopt;
  return std::to_string(*to_number(text.substr(0, text.size() - 1))) + text.back();
}

template <auto... Words>
std::optional<std::string> accept_word(std::string_view text) {
  if (((text == *Words) || ...)) return std::string(text);
  return std::nullopt;
}

constexpr std::string_view client_local = "client-local", balanced = "balanced", any = "random",
                           least_leaders = "least-leaders", written = "written", synced = "synced";

constexpr std::array rules{
    Rule{"durability", "written or synced", accept_word<&written, &synced>},
    Rule{"initial-cluster-size", "a number from 1", accept_number<1, 1'000'000>},
    Rule{"max-age", "a number above 0 followed by one of Y M D h m s, such as 7D", accept_age},
    Rule{"max-length-bytes", "a number of bytes", accept_number<0, number_limit>},
    Rule{"queue-leader-locator", "client-local, balanced, random or least-leaders",
         accept_word<&client_local, &balanced, &any, &least_leaders>},
    Rule{"stream-filter-size-bytes", "a number from 16 to 255", accept_number<16, 255>},
    Rule{"stream-max-segment-size-bytes", "a number of bytes from 0 to 3000000000",
         accept_number<0, segment_bytes_limit>},
};

std::optional<std::uint64_t> number_of(const StreamArguments& arguments, const std::string& key) {
  const auto found = arguments.find(key);
  if (found == arguments.end()) return std::nullopt;
  const auto value = to_number(found->second);
  INVARIANT(value.has_value(), "argument {} = {} was not normalised", key, found->second);
  return value;
}

}  // namespace

std::optional<std::int64_t> to_age_ms(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const auto unit = unit_ms(text.back());
  const auto count = to_number(text.substr(0, text.size() - 1));
  if (!unit || !count || *count == 0 || *count > age_limit / 4) return std::nullopt;
  return static_cast<std::int64_t>(*count) * *unit;
}

base::Result<std::string> normalise_name(std::string_view name) {
  std::string text(name);
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  if (text.empty()) return base::fail(base::Errc::precondition_failed, "the name is empty");
  if (text.size() > name_bytes_max) {
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("the name has {} bytes; {} are allowed", text.size(), name_bytes_max));
  }
  if (text.starts_with("amq.")) {
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("\"{}\": names that begin with \"amq.\" are reserved", text));
  }
  return text;
}

base::Result<StreamArguments> normalise_arguments(const StreamArguments& arguments) {
  StreamArguments kept;
  for (const auto& rule : rules) {
    const auto found = arguments.find(std::string(rule.key));
    if (found == arguments.end()) continue;
    auto value = rule.accept(found->second);
    if (!value) {
      return base::fail(
          base::Errc::precondition_failed,
          fmt::format("argument {}: \"{:.64}\" will not do; give {}", rule.key, found->second, rule.wanted));
    }
    kept.emplace(rule.key, std::move(*value));
  }
  return kept;
}

log::Options to_log_options(const StreamArguments& arguments, const BrokerOptions& options) {
  log::Options result;
  auto& storage = result.storage;
  // 0: every chunk is a segment of its own
  storage.segment_bytes_max = std::max<std::uint64_t>(
      number_of(arguments, "stream-max-segment-size-bytes").value_or(options.segment_bytes_max.value), 1);
  storage.bloom_bytes = static_cast<std::uint8_t>(
      number_of(arguments, "stream-filter-size-bytes").value_or(storage.bloom_bytes));
  storage.retention.bytes_max = number_of(arguments, "max-length-bytes");
  if (const auto age = arguments.find("max-age"); age != arguments.end()) {
    storage.retention.age_max_ms = to_age_ms(age->second);
  }
  const auto durability = arguments.find("durability");
  result.durability = durability == arguments.end()   ? options.durability
                      : durability->second == written ? log::Durability::written
                                                      : log::Durability::synced;
  result.chunk_bytes_max = options.chunk_bytes_max.value;
  result.linger_ms = static_cast<std::uint32_t>(options.linger.value);
  result.pending_bytes_max = options.pending_bytes_max.value;
  return result;
}

}  // namespace sluice::broker
