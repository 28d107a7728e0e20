// SPDX-License-Identifier: Apache-2.0
#include "exchange/headers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/erlang_text.h"

namespace sluice::exchange {
namespace {

// A float's or a double's number.
std::optional<double> real(const base::FieldValue& value) {
  if (const auto* single = value.as<float>()) return *single;
  if (const auto* full = value.as<double>()) return *full;
  return std::nullopt;
}

// Values, not encodings: a client may write the same number in another width each time.
bool same(const base::FieldValue& a, const base::FieldValue& b) {
  if (const auto one = real(a), other = real(b); one && other) return *one == *other;
  if (const auto one = a.text(), other = b.text(); one && other) return *one == *other;
  return a.equivalent(b);
}

bool holds(const std::pair<std::string, base::FieldValue>& wanted, const base::FieldTable& headers) {
  const base::FieldValue* value = headers.find(wanted.first);
  if (!value) return false;
  return wanted.second.as<base::FieldVoid>() || same(*value, wanted.second);
}

}  // namespace

base::Result<> HeadersExchange::bind(const Binding& binding) {
  if (std::ranges::any_of(rules_, [&](const Rule& rule) { return rule.binding == binding; })) return {};
  Rule rule{binding, {}, false};
  bool with_x = false;
  if (const base::FieldValue* mode = binding.arguments.find("x-match")) {
    if (!mode->as<std::string>()) {
      return base::fail(base::Errc::precondition_failed,
                        fmt::format("Invalid x-match field type {} (value {}); expected longstr",
                                    base::type_name(*mode), base::erlang_text(*mode)));
    }
    const std::string& text = *mode->as<std::string>();
    rule.any = text == "any" || text == "any-with-x";
    with_x = text == "all-with-x" || text == "any-with-x";
    if (!rule.any && !with_x && text != "all") {
      return base::fail(
          base::Errc::precondition_failed,
          fmt::format("Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
                      base::binary_text(text)));
    }
  }
  for (const auto& entry : binding.arguments.entries) {
    if (entry.first != "x-match" && (with_x || !entry.first.starts_with("x-"))) rule.wanted.push_back(entry);
  }
  rules_.push_back(std::move(rule));
  return {};
}

void HeadersExchange::unbind(const Binding& binding) {
  std::erase_if(rules_, [&](const Rule& rule) { return rule.binding == binding; });
}

void HeadersExchange::route(const RoutingData& message, Targets& into) const {
  if (rules_.empty()) return;
  // Decoded once per message, not once per rule; malformed headers have no keys.
  const auto headers = base::decode_field_table(message.headers.bytes()).value_or(base::FieldTable{});
  const auto held = [&](const auto& wanted) { return holds(wanted, headers); };
  into.set_may_repeat();
  for (const Rule& rule : rules_) {
    const bool matches =
        rule.any ? std::ranges::any_of(rule.wanted, held) : std::ranges::all_of(rule.wanted, held);
    if (matches) into.add(rule.binding.destination);
  }
}

}  // namespace sluice::exchange
