// SPDX-License-Identifier: Apache-2.0
#include "base/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>

#include "base/rabbitmq_keys.h"

namespace sluice::base {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view without_label(std::string_view key) {
  return key.ends_with(".$name") ? key.substr(0, key.size() - 6) : key;
}

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr auto byte_units = std::to_array<Unit>({
    {"", 1},
    {"B", 1},
    {"k", 1 << 10},
    {"kiB", 1 << 10},
    {"KiB", 1 << 10},
    {"kB", 1000},
    {"KB", 1000},
    {"M", 1 << 20},
    {"MiB", 1 << 20},
    {"MB", 1'000'000},
    {"G", 1 << 30},
    {"GiB", 1 << 30},
    {"GB", 1'000'000'000},
    {"T", 1LL << 40},
    {"TiB", 1LL << 40},
    {"TB", 1'000'000'000'000},
});
constexpr auto time_units = std::to_array<Unit>({
    {"", 1},
    {"ms", 1},
    {"s", 1000},
    {"m", 60'000},
    {"h", 3'600'000},
    {"D", 86'400'000},
    {"d", 86'400'000},
    {"M", 30 * 86'400'000LL},
    {"Y", 365 * 86'400'000LL},
});

std::string range_hint(Range range) {
  if (range.max == std::numeric_limits<std::int64_t>::max()) return fmt::format("at least {}", range.min);
  return fmt::format("from {} to {}", range.min, range.max);
}

template <std::size_t N>
Parsed<std::int64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units, Range range,
                                     std::string_view hint) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = trim(text.substr(static_cast<std::size_t>(end - text.data())));
  const auto found = std::ranges::find(units, unit, &Unit::name);
  std::int64_t value = 0;
  if (error != std::errc{} || found == units.end() || __builtin_mul_overflow(number, found->factor, &value) ||
      value < range.min || value > range.max) {
    return std::unexpected(fmt::format("give {}, {}", hint, range_hint(range)));
  }
  return value;
}

// Replaces $(NAME) by the environment's value.
Parsed<std::string> interpolate(std::string_view text, const OptionSet::Environment& environment) {
  std::string out;
  for (;;) {
    const auto begin = text.find("$(");
    if (begin == std::string_view::npos) return out.append(text);
    const auto end = text.find(')', begin);
    if (end == std::string_view::npos) return std::unexpected("'$(' without ')': close it");
    const std::string name(text.substr(begin + 2, end - begin - 2));
    const char* value = environment(name.c_str());
    if (value == nullptr) {
      return std::unexpected(
          fmt::format("the environment has no variable {}: set it or write the value", name));
    }
    out.append(text.substr(0, begin)).append(value);
    text.remove_prefix(end + 1);
  }
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

Parsed<std::int64_t> parse_integer(std::string_view text, Range range) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < range.min || value > range.max) {
    return std::unexpected(fmt::format("give a whole number {}", range_hint(range)));
  }
  return value;
}

Parsed<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "on" || text == "yes") return true;
  if (text == "false" || text == "off" || text == "no") return false;
  return std::unexpected("give true or false");
}

Parsed<ByteSize> parse_byte_size(std::string_view text, Range range) {
  auto value = parse_with_unit(text, byte_units, range, "a size such as 4096, 500MiB or 1GB");
  if (!value) return std::unexpected(std::move(value).error());
  return ByteSize{static_cast<std::uint64_t>(*value)};
}

Parsed<DurationMs> parse_duration(std::string_view text, Range range) {
  auto value =
      parse_with_unit(text, time_units, range, "a duration in ms or with a unit, such as 1500, 30s or 7D");
  if (!value) return std::unexpected(std::move(value).error());
  return DurationMs{*value};
}

Parsed<Ratio> parse_ratio(std::string_view text, Range range) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
  if (!whole || !(value >= static_cast<double>(range.min)) || !(value <= static_cast<double>(range.max))) {
    return std::unexpected(fmt::format("give a number from {} to {}, such as 0.6", range.min, range.max));
  }
  return Ratio{value};
}

Parsed<Listener> parse_listener(std::string_view text) {
  Listener listener;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.empty()) return std::unexpected("give port or ip:port");
    listener.host = std::string(host);
    text.remove_prefix(colon + 1);
  }
  const auto port = parse_integer(text, {0, 65535});
  if (!port) return std::unexpected("give port or ip:port, the port from 0 (any free one) to 65535");
  listener.port = static_cast<std::uint16_t>(*port);
  return listener;
}

std::string to_text(const Listener& listener) {
  if (listener.host.empty()) return std::to_string(listener.port);
  const bool v6 = listener.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", listener.host, listener.port)
            : fmt::format("{}:{}", listener.host, listener.port);
}

namespace detail {

std::string integer_type(std::string_view word, Range range) {
  const bool open_end = range.max == std::numeric_limits<std::int64_t>::max();
  if (open_end) return range.min == 0 ? std::string(word) : fmt::format("{} >= {}", word, range.min);
  return fmt::format("{} {}..{}", word, range.min, range.max);
}

std::string ratio_text(double value) {
  return fmt::format("{}", value);
}

std::string byte_size_text(std::uint64_t bytes) {
  for (const auto& [name, shift] : {std::pair{"GiB", 30}, std::pair{"MiB", 20}, std::pair{"KiB", 10}}) {
    if (bytes != 0 && bytes % (1ULL << shift) == 0) return fmt::format("{}{}", bytes >> shift, name);
  }
  return std::to_string(bytes);
}

std::string listeners_text(const Listeners& listeners) {
  std::string text;
  for (const Listener& each : listeners.list) text.append(text.empty() ? "" : ", ").append(to_text(each));
  return text.empty() ? "none" : text;
}

std::string names_text(const NameSet& set) {
  return set.names.empty() ? "none" : fmt::format("{}", fmt::join(set.names, ", "));
}

Parsed<void> set_labelled(Listeners& into, bool& replaced, std::string_view label, std::string_view text) {
  if (text == "none") {
    if (!replaced) into.list.clear();
    replaced = true;
    return {};
  }
  if (label.empty()) return std::unexpected("give none here, or a listener under a name, such as .default");
  auto listener = parse_listener(text);
  if (!listener) return std::unexpected(std::move(listener).error());
  if (!replaced) into.list.clear();
  replaced = true;
  into.list.push_back(*std::move(listener));
  return {};
}

Parsed<void> set_labelled(NameSet& into, std::string_view label, std::string_view text) {
  if (label.empty()) {
    if (text != "none") return std::unexpected("give none here, or true or false under a name");
    into.names.clear();
    return {};
  }
  const auto wanted = parse_bool(text);
  if (!wanted) return std::unexpected(wanted.error());
  std::erase(into.names, label);
  if (*wanted) into.names.emplace_back(label);
  return {};
}

}  // namespace detail

std::string OptionSet::Entry::environment_name() const {
  std::string name = "SLUICE_";
  for (const char c : without_label(key)) {
    name.push_back(c == '.' || c == '-' ? '_'
                                        : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  if (labelled()) name += "_DEFAULT";
  return name;
}

void OptionSet::read_text(std::string_view text, std::string_view file_name, const Environment& environment,
                          ConfigReport& report) {
  std::map<std::string, int, std::less<>> seen;
  int number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::string place = fmt::format("{}:{}", file_name, number);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) {
      report.errors.push_back(
          fmt::format("{}: '{}' is not `key = value`; comments begin with #", place, line));
      continue;
    }
    const std::string_view key = trim(line.substr(0, equals));
    std::string_view value = trim(line.substr(equals + 1));
    if (const bool quoted = value.size() >= 2 && value.front() == '\'' && value.back() == '\''; quoted) {
      value = value.substr(1, value.size() - 2);
    } else if (const auto comment = value.find(" #"); comment != std::string_view::npos) {
      value = trim(value.substr(0, comment));
    }
    auto whole = interpolate(value, environment);
    if (!whole) {
      report.errors.push_back(fmt::format("{}: {}: {}", place, key, whole.error()));
      continue;
    }
    if (auto [at, is_new] = seen.try_emplace(std::string(key), number); !is_new) {
      report.warnings.push_back(
          fmt::format("{}: {} stands in line {} already; the later line wins", place, key, at->second));
    }
    read_line(key, *whole, place, report);
  }
}

void OptionSet::read_line(std::string_view key, std::string_view value, const std::string& place,
                          ConfigReport& report) {
  for (Entry& entry : entries_) {
    std::string_view label;
    if (entry.labelled()) {
      const std::string_view prefix = without_label(entry.key);
      if (!key.starts_with(prefix)) continue;
      if (key.size() > prefix.size()) {
        if (key[prefix.size()] != '.') continue;
        label = key.substr(prefix.size() + 1);
        if (label.empty() || label.find('.') != std::string_view::npos) continue;
      }
    } else if (key != entry.key) {
      continue;
    }
    if (auto set = entry.set(label, value); !set) {
      report.errors.push_back(fmt::format("{}: {} = {}: {}", place, key, value, set.error()));
    } else {
      entry.source = place;
    }
    return;
  }
  if (is_rabbitmq_key(key)) {
    report.warnings.push_back(fmt::format(
        "{}: {} is a key of RabbitMQ that has no effect in Sluice yet; it is ignored", place, key));
    return;
  }
  const std::string near = nearest_key(key);
  report.errors.push_back(fmt::format("{}: unknown key '{}'{}; docs/config.md lists all keys", place, key,
                                      near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
}

std::string OptionSet::nearest_key(std::string_view key) const {
  constexpr std::size_t key_size_max = 128;  // the distance takes product of the sizes
  if (key.size() > key_size_max) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, key.size() / 5) + 1;
  for (const Entry& entry : entries_) {
    const std::size_t distance = edit_distance(key, without_label(entry.key));
    if (distance < best_distance) {
      best = entry.key;
      best_distance = distance;
    }
  }
  return std::string(best);
}

void OptionSet::read_environment(const Environment& environment, ConfigReport& report) {
  for (Entry& entry : entries_) {
    const std::string name = entry.environment_name();
    const char* value = environment(name.c_str());
    if (value == nullptr) continue;
    if (auto set = entry.set(entry.labelled() ? "default" : "", trim(value)); !set) {
      report.errors.push_back(fmt::format("environment {}={}: {}", name, value, set.error()));
    } else {
      entry.source = name;
    }
  }
}

std::string OptionSet::reference() const {
  std::string text = "| key | default | value | what it does |\n| --- | --- | --- | --- |\n";
  for (const Entry& entry : entries_) {
    const std::string shown = entry.default_text.empty() ? "" : fmt::format("`{}`", entry.default_text);
    text += fmt::format("| `{}` | {} | {} | {} |\n", entry.key, shown, entry.type, entry.doc);
  }
  return text;
}

}  // namespace sluice::base
