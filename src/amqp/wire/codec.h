// SPDX-License-Identifier: Apache-2.0
// AMQP 0-9-1 methods as bytes, derived from their described structs: integers big-endian, text as short
// string (or long string where the field says so), tables unparsed behind a view, neighbouring bools packed
// into octets from the lowest bit up. Decoded text and tables are views into the frame.
#pragma once

#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "base/described.h"
#include "base/error.h"
#include "base/field_table.h"

namespace sluice::amqp::wire {

// Trait of a text field whose length has 32 bits.
struct LongString {};

struct MethodId {
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  constexpr std::uint32_t packed() const { return (std::uint32_t{class_id} << 16) | method_id; }
  friend constexpr bool operator==(MethodId, MethodId) = default;
};

inline constexpr std::size_t short_string_bytes_max = 255;

template <class FieldT>
inline constexpr bool is_long_string = false;
template <class S, class M, class... Traits>
inline constexpr bool is_long_string<base::Field<S, M, Traits...>> =
    (std::is_same_v<Traits, LongString> || ...);

// Collects neighbouring bits into octets.
class BitReader {
 public:
  explicit BitReader(base::ByteReader& from) : from_(from) {}
  bool next() {
    if (used_ == 8) {
      octet_ = from_.read<std::uint8_t>();
      used_ = 0;
    }
    return (octet_ >> used_++ & 1) != 0;
  }
  void end() { used_ = 8; }

 private:
  base::ByteReader& from_;
  std::uint8_t octet_ = 0;
  int used_ = 8;
};

class BitWriter {
 public:
  explicit BitWriter(base::ByteBuffer& to) : to_(to) {}
  void next(bool bit) {
    if (used_ == 8) {
      to_.push_back(0);
      used_ = 0;
    }
    to_.back() = static_cast<std::uint8_t>(to_.back() | (bit ? 1U << used_ : 0U));
    ++used_;
  }
  void end() { used_ = 8; }

 private:
  base::ByteBuffer& to_;
  int used_ = 8;
};

// `arguments` is what follows class and method id in the frame. Bytes after the last field make it
// malformed, as in RabbitMQ.
template <base::Described T>
base::Result<T> decode(base::ByteView arguments) {
  T method;
  base::ByteReader from(arguments);
  BitReader bits(from);
  base::for_each_field(method, [&](const auto& field, auto& member) {
    using M = std::remove_cvref_t<decltype(member)>;
    if constexpr (std::is_same_v<M, bool>) {
      member = bits.next();
    } else {
      bits.end();
      if constexpr (std::is_integral_v<M>) {
        member = from.read<M>();
      } else if constexpr (std::is_same_v<M, base::FieldTableView>) {
        member = M(from.read_bytes(from.read<std::uint32_t>()));
        if (!member.well_formed()) from.set_failed();
      } else if constexpr (is_long_string<std::remove_cvref_t<decltype(field)>>) {
        member = base::as_text(from.read_bytes(from.read<std::uint32_t>()));
      } else {
        member = base::as_text(from.read_bytes(from.read<std::uint8_t>()));
      }
    }
  });
  if (!from.ok() || !from.at_end())
    return base::fail(base::Errc::malformed, std::string("malformed ") + std::string(T::name));
  return method;
}

// Appends the arguments. Text longer than its length field can say is cut: callers check names before.
template <base::Described T>
void encode(const T& method, base::ByteBuffer& to) {
  base::ByteWriter writer(to);
  BitWriter bits(to);
  base::for_each_field(method, [&](const auto& field, const auto& member) {
    using M = std::remove_cvref_t<decltype(member)>;
    if constexpr (std::is_same_v<M, bool>) {
      bits.next(member);
    } else {
      bits.end();
      if constexpr (std::is_integral_v<M>) {
        writer.write(member);
      } else if constexpr (std::is_same_v<M, base::FieldTableView>) {
        writer.write(static_cast<std::uint32_t>(member.bytes().size()));
        writer.write_bytes(member.bytes());
      } else if constexpr (is_long_string<std::remove_cvref_t<decltype(field)>>) {
        writer.write(static_cast<std::uint32_t>(member.size()));
        writer.write_bytes(base::as_bytes(member));
      } else {
        const std::string_view text = member.substr(0, short_string_bytes_max);
        writer.write(static_cast<std::uint8_t>(text.size()));
        writer.write_bytes(base::as_bytes(text));
      }
    }
  });
}

}  // namespace sluice::amqp::wire
