// SPDX-License-Identifier: Apache-2.0
// Options declared once, beside the code that reads them. From the declaration follow the rabbitmq.conf key,
// the environment name, validation (all wrong keys and values at once, each with its line and what to do),
// the effective values (`sluicectl environment`) and the reference page docs/config.md.
//
//   struct StreamOptions {
//     std::uint32_t initial_credits = 50'000;
//     static constexpr auto options() {
//       return std::tuple{base::option("stream.initial_credits", &StreamOptions::initial_credits,
//                                      "credits a publisher starts with", base::Range{1, 1'000'000})};
//     }
//   };
//
// src/server adds one instance of each such struct to an OptionSet, reads file and environment into it, and
// hands the structs out before any shard starts; from then on they are constant. RabbitMQ's names are ours
// wherever the meaning is the same. A key that ends in ".$name" takes any label in that place.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace sluice::base {

struct ByteSize {  // "500MiB", "1GB", "4096"
  std::uint64_t value = 0;
  friend bool operator==(ByteSize, ByteSize) = default;
};
struct DurationMs {  // "1500", "1500ms", "2s", "5m", "1h", "7D"
  std::int64_t value = 0;
  friend bool operator==(DurationMs, DurationMs) = default;
};
struct Ratio {  // "0.6", "2"
  double value = 0;
  friend bool operator==(Ratio, Ratio) = default;
};
struct Listener {  // "5552", "127.0.0.1:5552", "[::1]:5552"; host empty: the default address of that option
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Listener&, const Listener&) = default;
};
struct Listeners {  // labelled: one listener per label; the key without label takes only "none"
  std::vector<Listener> list;
};
struct NameSet {  // labelled: `key.name = true` adds, `false` removes; the key without label takes only
                  // "none"
  std::vector<std::string> names;
};

// Names of an enum's values in files, found by argument-dependent lookup:
//   constexpr auto enum_names(Durability) { return std::array{std::pair{"written"sv, Durability::written},
//   ...}; }
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E e) { enum_names(e).size(); };

struct Range {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

template <class Struct, class Member>
struct Option {
  std::string_view key;
  Member Struct::* member;
  std::string_view doc;
  Range range;
};

template <class Struct, class Member>
constexpr Option<Struct, Member> option(std::string_view key, Member Struct::* member, std::string_view doc,
                                        Range range = {}) {
  return {key, member, doc, range};
}

// Parsing of single values; the error says what would be right. Used for files, environment and flags alike.
template <class T>
using Parsed = std::expected<T, std::string>;
Parsed<std::int64_t> parse_integer(std::string_view text, Range range);
Parsed<bool> parse_bool(std::string_view text);
Parsed<ByteSize> parse_byte_size(std::string_view text, Range range = {});
Parsed<DurationMs> parse_duration(std::string_view text, Range range = {});
Parsed<Ratio> parse_ratio(std::string_view text, Range range = {0, 100});
Parsed<Listener> parse_listener(std::string_view text);
std::string to_text(const Listener& listener);

struct ConfigReport {
  std::vector<std::string> errors;    // "rabbitmq.conf:12: ...", all of them
  std::vector<std::string> warnings;  // keys of RabbitMQ that have no effect here, keys given twice
};

class OptionSet {
 public:
  using Environment = std::function<const char*(const char*)>;  // getenv; nullptr when not set

  struct Entry {
    std::string_view key;  // as declared, perhaps ending in ".$name"
    std::string_view doc;
    std::string type;  // for people: "integer 1..1000000", "size", "true or false"
    std::string default_text;
    std::string source = "default";  // or "file:line", or the environment name
    // label: what stands for $name, empty when the key was given without it
    std::function<Parsed<void>(std::string_view label, std::string_view text)> set;
    std::function<std::string()> value_text;

    bool labelled() const { return key.ends_with(".$name"); }
    std::string environment_name() const;  // SLUICE_STREAM_INITIAL_CREDITS; labelled: ..._DEFAULT
  };

  // `into` must outlive the set.
  template <class Struct>
  void add(Struct& into) {
    std::apply([&](const auto&... each) { (add_one(each, into), ...); }, Struct::options());
  }

  // Reads a file's text; values found wrong leave the option as it was.
  void read_text(std::string_view text, std::string_view file_name, const Environment& environment,
                 ConfigReport& report);
  // Environment names win over the file.
  void read_environment(const Environment& environment, ConfigReport& report);

  const std::vector<Entry>& entries() const { return entries_; }
  // The table of all options, in Markdown.
  std::string reference() const;

 private:
  template <class Struct, class Member>
  void add_one(const Option<Struct, Member>& option, Struct& into);
  void read_line(std::string_view key, std::string_view value, const std::string& place,
                 ConfigReport& report);
  std::string nearest_key(std::string_view key) const;

  std::vector<Entry> entries_;
};

namespace detail {

std::string integer_type(std::string_view word, Range range);
std::string byte_size_text(std::uint64_t bytes);
std::string ratio_text(double value);
std::string listeners_text(const Listeners& listeners);
std::string names_text(const NameSet& set);
Parsed<void> set_labelled(Listeners& into, bool& replaced, std::string_view label, std::string_view text);
Parsed<void> set_labelled(NameSet& into, std::string_view label, std::string_view text);

template <class T, class U>
Parsed<void> assign(T& into, Parsed<U> parsed) {
  if (!parsed) return std::unexpected(std::move(parsed).error());
  into = static_cast<T>(*std::move(parsed));
  return {};
}

template <std::integral T>
constexpr Range range_within(Range range) {
  if constexpr (sizeof(T) < sizeof(std::int64_t)) {
    range.max = std::min(range.max, static_cast<std::int64_t>(std::numeric_limits<T>::max()));
  }
  return range;
}

template <class T>
std::string type_of(Range range) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_integral_v<T>) {
    return integer_type("integer", range_within<T>(range));
  } else if constexpr (std::is_same_v<T, ByteSize>) {
    return integer_type("size", range);
  } else if constexpr (std::is_same_v<T, DurationMs>) {
    return integer_type("duration", range);
  } else if constexpr (std::is_same_v<T, Ratio>) {
    return "part, such as 0.6";
  } else if constexpr (std::is_same_v<T, Listeners>) {
    return "`port`, `ip:port` or `none`";
  } else if constexpr (std::is_same_v<T, std::optional<Listener>>) {
    return "`port`, `ip:port` or `none`";
  } else if constexpr (std::is_same_v<T, NameSet>) {
    return "true or false per name, or `none`";
  } else if constexpr (NamedEnum<T>) {
    std::string text;
    for (const auto& [name, value] : enum_names(T{})) text.append(text.empty() ? "" : ", ").append(name);
    return "one of " + text;
  } else {
    static_assert(std::is_same_v<T, std::string>, "no option of this type");
    return "text";
  }
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_same_v<T, ByteSize>) {
    return byte_size_text(value.value);
  } else if constexpr (std::is_same_v<T, DurationMs>) {
    return std::to_string(value.value) + "ms";
  } else if constexpr (std::is_same_v<T, Ratio>) {
    return ratio_text(value.value);
  } else if constexpr (std::is_same_v<T, Listeners>) {
    return listeners_text(value);
  } else if constexpr (std::is_same_v<T, std::optional<Listener>>) {
    return value ? to_text(*value) : "none";
  } else if constexpr (std::is_same_v<T, NameSet>) {
    return names_text(value);
  } else if constexpr (NamedEnum<T>) {
    for (const auto& [name, each] : enum_names(T{})) {
      if (each == value) return std::string(name);
    }
    return "?";
  } else {
    return value;
  }
}

// Ratios have a bound of their own where the option names none.
constexpr Range ratio_range(Range range) {
  constexpr std::int64_t ratio_max = 100;
  return {range.min, std::min(range.max, ratio_max)};
}

template <class T>
Parsed<void> set_plain(T& into, Range range, std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    return assign(into, parse_bool(text));
  } else if constexpr (std::is_integral_v<T>) {
    return assign(into, parse_integer(text, range_within<T>(range)));
  } else if constexpr (std::is_same_v<T, ByteSize>) {
    return assign(into, parse_byte_size(text, range));
  } else if constexpr (std::is_same_v<T, DurationMs>) {
    return assign(into, parse_duration(text, range));
  } else if constexpr (std::is_same_v<T, Ratio>) {
    return assign(into, parse_ratio(text, ratio_range(range)));
  } else if constexpr (std::is_same_v<T, std::optional<Listener>>) {
    if (text == "none") return into.reset(), Parsed<void>{};
    return assign(into, parse_listener(text));
  } else if constexpr (NamedEnum<T>) {
    for (const auto& [name, each] : enum_names(T{})) {
      if (name == text) return into = each, Parsed<void>{};
    }
    return std::unexpected("give " + type_of<T>(range));
  } else {
    into = std::string(text);
    return {};
  }
}

}  // namespace detail

template <class Struct, class Member>
void OptionSet::add_one(const Option<Struct, Member>& option, Struct& into) {
  Entry entry;
  entry.key = option.key;
  entry.doc = option.doc;
  entry.type = detail::type_of<Member>(option.range);
  Member& value = into.*(option.member);
  entry.default_text = detail::text_of(value);
  entry.value_text = [&value] { return detail::text_of(value); };
  if constexpr (std::is_same_v<Member, Listeners>) {
    // The first listener given replaces the defaults, the others add to it.
    entry.set = [&value, replaced = false](std::string_view label, std::string_view text) mutable {
      return detail::set_labelled(value, replaced, label, text);
    };
  } else if constexpr (std::is_same_v<Member, NameSet>) {
    entry.set = [&value](std::string_view label, std::string_view text) {
      return detail::set_labelled(value, label, text);
    };
  } else {
    entry.set = [&value, range = option.range](std::string_view, std::string_view text) {
      return detail::set_plain(value, range, text);
    };
  }
  entries_.push_back(std::move(entry));
}

}  // namespace sluice::base
