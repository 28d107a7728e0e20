// SPDX-License-Identifier: Apache-2.0
// How C++ types stand on the wire: Codec<T> for integers, enums, strings, bytes, arrays and described
// structs, and the field traits that say how a field at the end of a command may be left out. Commands
// (commands/*.h) are described structs over these; command.h adds the frame around them. All integers are
// big-endian.
//
//   uint8..uint64, int64   fixed width; enums as their underlying type
//   std::string_view       uint16 length + UTF-8; 0xFFFF (null) reads as empty
//   optional<string_view>  the same, null kept apart
//   optional<ByteView>     int32 length + bytes; -1 is null
//   std::vector<T>         int32 count + elements
//
// Decoded strings and bytes are views into the frame. A count read from the wire never sizes an allocation: a
// vector grows with the elements that are really there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/described.h"

namespace sluice::streamproto {

using base::ByteBuffer;
using base::ByteReader;
using base::ByteView;
using base::ByteWriter;

struct WireContext {
  std::uint16_t version = 1;
  bool response = false;
};

// Field traits. Trailing: the last array of a command; its count is ignored and it is read to the end of the
// frame, as RabbitMQ does (in a response it may also be missing). Optional: not written when empty or null,
// may be absent. SinceVersion: not there below that version of the command.
struct Trailing {};
struct Optional {};
struct SinceVersion {
  std::uint16_t version;
};

template <class T>
struct Codec;

inline constexpr std::uint16_t null_string = 0xFFFF;
inline constexpr std::uint32_t null_bytes = 0xFFFFFFFF;

template <std::integral T>
struct Codec<T> {
  static std::string type_name() {
    return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
  }
  static T read(ByteReader& from, const WireContext&) { return from.read<T>(); }
  static void write(ByteWriter& to, T value, const WireContext&) { to.write(value); }
};

template <class T>
  requires std::is_enum_v<T>
struct Codec<T> {
  using Under = std::underlying_type_t<T>;
  static std::string type_name() { return Codec<Under>::type_name(); }
  static T read(ByteReader& from, const WireContext&) { return static_cast<T>(from.read<Under>()); }
  static void write(ByteWriter& to, T value, const WireContext&) { to.write(static_cast<Under>(value)); }
};

template <>
struct Codec<std::string_view> {
  static std::string type_name() { return "string"; }
  static std::string_view read(ByteReader& from, const WireContext&) {
    const auto size = from.read<std::uint16_t>();
    if (size == null_string) return {};
    return base::as_text(from.read_bytes(size));
  }
  static void write(ByteWriter& to, std::string_view text, const WireContext&) {
    INVARIANT(text.size() < null_string, "a string of {} bytes", text.size());
    to.write(static_cast<std::uint16_t>(text.size()));
    to.write_bytes(base::as_bytes(text));
  }
};

template <>
struct Codec<std::optional<std::string_view>> {
  static std::string type_name() { return "string or null"; }
  static std::optional<std::string_view> read(ByteReader& from, const WireContext&) {
    const auto size = from.read<std::uint16_t>();
    if (size == null_string) return std::nullopt;
    return base::as_text(from.read_bytes(size));
  }
  static void write(ByteWriter& to, std::optional<std::string_view> text, const WireContext& context) {
    if (text) {
      Codec<std::string_view>::write(to, *text, context);
    } else {
      to.write(null_string);
    }
  }
};

template <>
struct Codec<std::optional<ByteView>> {
  static std::string type_name() { return "bytes or null"; }
  static std::optional<ByteView> read(ByteReader& from, const WireContext&) {
    const auto size = from.read<std::uint32_t>();
    if (size == null_bytes) return std::nullopt;
    return from.read_bytes(size);
  }
  static void write(ByteWriter& to, std::optional<ByteView> bytes, const WireContext&) {
    to.write(bytes ? static_cast<std::uint32_t>(bytes->size()) : null_bytes);
    if (bytes) to.write_bytes(*bytes);
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static std::string type_name() { return "[" + Codec<T>::type_name() + "]"; }
  static std::vector<T> read(ByteReader& from, const WireContext& context) {
    std::vector<T> values;
    const auto count = from.read<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && from.ok(); ++i) values.push_back(Codec<T>::read(from, context));
    return values;
  }
  static std::vector<T> read_to_end(ByteReader& from, const WireContext& context) {
    std::vector<T> values;
    from.skip(sizeof(std::uint32_t));
    while (!from.at_end()) values.push_back(Codec<T>::read(from, context));
    return values;
  }
  static void write(ByteWriter& to, const std::vector<T>& values, const WireContext& context) {
    to.write(static_cast<std::uint32_t>(values.size()));
    for (const T& value : values) Codec<T>::write(to, value, context);
  }
};

namespace detail {

template <class Field, class Trait>
inline constexpr bool has_trait = false;
template <class Struct, class Member, class... Traits, class Trait>
inline constexpr bool has_trait<base::Field<Struct, Member, Traits...>, Trait> =
    (std::is_same_v<Traits, Trait> || ...);

template <class Field>
bool absent_in_version(const Field& field, const WireContext& context) {
  if constexpr (has_trait<Field, SinceVersion>) {
    return context.version < std::get<SinceVersion>(field.traits).version;
  } else {
    return false;
  }
}

template <class T>
bool is_empty(const std::vector<T>& values) {
  return values.empty();
}
template <class T>
bool is_empty(const std::optional<T>& value) {
  return !value.has_value();
}

template <class Field, class Member>
void read_field(const Field& field, Member& member, ByteReader& from, const WireContext& context) {
  if (absent_in_version(field, context)) return;
  if constexpr (has_trait<Field, Optional>) {
    if (from.at_end()) return;
  }
  if constexpr (has_trait<Field, Trailing>) {
    if (context.response && from.at_end()) return;
    member = Codec<Member>::read_to_end(from, context);
  } else {
    member = Codec<Member>::read(from, context);
  }
}

template <class Field, class Member>
void write_field(const Field& field, const Member& member, ByteWriter& to, const WireContext& context) {
  if (absent_in_version(field, context)) return;
  if constexpr (has_trait<Field, Optional>) {
    if (is_empty(member)) return;
  }
  Codec<Member>::write(to, member, context);
}

}  // namespace detail

template <base::Described T>
struct Codec<T> {
  static std::string type_name() {
    std::string name;
    base::for_each_field_of<T>([&]<class S, class M, class... Traits>(const base::Field<S, M, Traits...>& f) {
      name += (name.empty() ? "{" : ", ") + std::string(f.name) + ":" + Codec<M>::type_name();
    });
    return name + "}";
  }
  static T read(ByteReader& from, const WireContext& context) {
    T value;
    base::for_each_field(
        value, [&](const auto& field, auto& member) { detail::read_field(field, member, from, context); });
    return value;
  }
  static void write(ByteWriter& to, const T& value, const WireContext& context) {
    base::for_each_field(value, [&](const auto& field, const auto& member) {
      detail::write_field(field, member, to, context);
    });
  }
};

}  // namespace sluice::streamproto
