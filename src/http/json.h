// SPDX-License-Identifier: Apache-2.0
// Described structs as JSON, both ways (Boost.JSON). Reading is strict about types and names, and says which
// member is wrong; members that are absent keep their default.
//
// A struct describes itself with fields(), or, when it belongs to a layer that knows no JSON, a
// specialisation of Description does it from outside.
#pragma once

#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/described.h"
#include "base/error.h"
#include "base/field_table.h"

namespace sluice::http {

template <class T>
struct Description {
  static constexpr auto fields() { return T::fields(); }
};

template <class T>
concept HasDescription = requires { Description<T>::fields(); };

// Calls f(field) for each field of T.
template <class T, class F>
constexpr void for_each_field_of(F&& f) {
  std::apply([&](const auto&... each) { (f(each), ...); }, Description<T>::fields());
}

// A field table as an object, and back: whole numbers are 64 bits wide, lists and objects nest.
boost::json::value table_to_json(const base::FieldTable& table);
base::Result<base::FieldTable> table_from_json(const boost::json::value& value);

template <class T>
boost::json::value to_json(const T& value) {
  if constexpr (std::is_same_v<T, base::FieldTable>) {
    return table_to_json(value);
  } else if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
    return boost::json::value(value);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return boost::json::value(std::string_view(value));
  } else if constexpr (requires { typename T::value_type::second_type; }) {  // map, or vector of pairs
    boost::json::object object;
    for (const auto& [key, each] : value) object[key] = to_json(each);
    return object;
  } else if constexpr (
      requires { value.push_back(typename T::value_type{}); } || requires { value.size(); }) {
    boost::json::array array;
    for (const auto& each : value) array.push_back(to_json(each));
    return array;
  } else {
    boost::json::object object;
    for_each_field_of<T>([&](const auto& field) { object[field.name] = to_json(value.*(field.member)); });
    return object;
  }
}

template <class T>
base::Result<> from_json(const boost::json::value& from, T& into, std::string_view name) {
  const auto wrong = [&](std::string_view wanted) {
    return base::fail(base::Errc::malformed, fmt::format("'{}' must be {}", name, wanted));
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_bool()) return wrong("true or false");
    into = from.get_bool();
  } else if constexpr (std::is_integral_v<T>) {
    boost::system::error_code error;
    into = from.to_number<T>(error);
    if (error) return wrong("a whole number in range");
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!from.is_string()) return wrong("a text");
    into = std::string(std::string_view(from.get_string()));
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    if (!from.is_array()) return wrong("a list of texts");
    into.clear();
    for (const auto& each : from.get_array()) TRY_VOID(from_json(each, into.emplace_back(), name));
  } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
    if (!from.is_object()) return wrong("an object of texts");
    for (const auto& each : from.get_object()) {
      TRY_VOID(from_json(each.value(), into[std::string(std::string_view(each.key()))], each.key()));
    }
  } else {
    if (!from.is_object()) return wrong("an object");
    const boost::json::object& object = from.get_object();
    std::size_t known = 0;
    base::Result<> outcome;
    for_each_field_of<T>([&](const auto& field) {
      const boost::json::value* member = object.if_contains(field.name);
      if (member == nullptr || !outcome) return;
      ++known;
      outcome = from_json(*member, into.*(field.member), field.name);
    });
    TRY_VOID(std::move(outcome));
    if (known != object.size()) return wrong("without members that nobody knows");
  }
  return {};
}

}  // namespace sluice::http
