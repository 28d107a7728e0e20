// SPDX-License-Identifier: Apache-2.0
// Described structs: a struct says once what its fields are, and codec, validation, help, documents and test
// vectors are templates over that description.
//
//   struct Credit {
//     std::uint8_t subscription_id = 0;
//     static constexpr auto fields() {
//       return std::tuple{base::field("subscription_id", &Credit::subscription_id, "chosen by the client")};
//     }
//   };
//
// for_each_field(value, f) calls f(field, member reference) in order of declaration; it works on const
// values, too. for_each_field_of<T>(f) calls f(field) without a value (documents, help texts).
#pragma once

#include <string_view>
#include <tuple>

namespace sluice::base {

template <class Struct, class Member, class... Traits>
struct Field {
  std::string_view name;
  Member Struct::* member;
  std::string_view doc;
  std::tuple<Traits...> traits;  // whatever the reader of this description understands: ranges, units, codecs
};

template <class Struct, class Member, class... Traits>
constexpr Field<Struct, Member, Traits...> field(std::string_view name, Member Struct::* member,
                                                 std::string_view doc, Traits... traits) {
  return {name, member, doc, {traits...}};
}

template <class T>
concept Described = requires { T::fields(); };

template <class T, class F>
  requires Described<std::remove_cvref_t<T>>
constexpr void for_each_field(T&& value, F&& f) {
  std::apply([&](const auto&... fields) { (f(fields, value.*(fields.member)), ...); },
             std::remove_cvref_t<T>::fields());
}

template <Described T, class F>
constexpr void for_each_field_of(F&& f) {
  std::apply([&](const auto&... fields) { (f(fields), ...); }, T::fields());
}

template <Described T>
inline constexpr std::size_t field_count = std::tuple_size_v<decltype(T::fields())>;

}  // namespace sluice::base
