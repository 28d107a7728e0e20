// SPDX-License-Identifier: Apache-2.0
// AMQP 0-9-1 field tables in RabbitMQ's dialect: the arguments of queues, exchanges, bindings and consumers,
// and the headers of messages. A value keeps the exact type it came with (a round trip gives the same bytes),
// and compares across integer widths where the protocol's rules want it.
//
// Wire type letters, as RabbitMQ uses them: t bool, b int8, B uint8, s int16, u uint16, I int32, i uint32, l
// int64, f float, d double, D decimal, S long string, A array, T timestamp (s), F table, V void, x bytes.
//
// Decoding never throws, copies what it keeps, and is bounded: nesting by table_depth_max, size by the input.
// FieldTableView looks one key up in encoded bytes without decoding the rest; it is what the hot path uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace sluice::base {

inline constexpr int table_depth_max = 64;

class FieldValue;
using FieldArray = std::vector<FieldValue>;
// Order and duplicates of the wire are kept; find() gives the first.
using FieldEntries = std::vector<std::pair<std::string, FieldValue>>;

struct FieldTable {
  FieldEntries entries;

  const FieldValue* find(std::string_view key) const;
  void set(std::string_view key, FieldValue value);  // replaces or appends
  bool remove(std::string_view key);                 // false when absent
  bool empty() const;
  friend bool operator==(const FieldTable&, const FieldTable&);
};

struct FieldDecimal {
  std::uint8_t scale = 0;
  std::uint32_t value = 0;
  friend bool operator==(const FieldDecimal&, const FieldDecimal&) = default;
};
struct FieldTimestamp {
  std::uint64_t seconds = 0;
  friend bool operator==(const FieldTimestamp&, const FieldTimestamp&) = default;
};
struct FieldVoid {
  friend bool operator==(const FieldVoid&, const FieldVoid&) = default;
};

class FieldValue {
 public:
  using Variant = std::variant<FieldVoid, bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                               std::int32_t, std::uint32_t, std::int64_t, float, double, FieldDecimal,
                               std::string, ByteBuffer, FieldTimestamp, FieldArray, FieldTable>;

  FieldValue() = default;
  template <class T>
    requires(!std::same_as<std::remove_cvref_t<T>, FieldValue> && std::constructible_from<Variant, T>)
  FieldValue(T&& value) : value_(std::forward<T>(value)) {}         // NOLINT: a value is what it holds
  FieldValue(std::string_view text) : value_(std::string(text)) {}  // NOLINT
  FieldValue(const char* text) : value_(std::string(text)) {}       // NOLINT

  const Variant& get() const { return value_; }
  template <class T>
  const T* as() const {
    return std::get_if<T>(&value_);
  }

  bool is_integer() const;
  std::optional<std::int64_t> integer() const;   // any integer type; nothing for the others
  std::optional<std::string_view> text() const;  // long string or bytes
  char type_letter() const;
  // The same number in different integer widths is the same value; everything else must agree in type and
  // content.
  bool equivalent(const FieldValue& other) const;
  friend bool operator==(const FieldValue&, const FieldValue&);

 private:
  Variant value_;
};
inline bool FieldTable::empty() const {
  return entries.empty();  // here, where the entries' type is complete
}

// `bytes` is what follows the table's 32-bit length.
Result<FieldTable> decode_field_table(ByteView bytes);
// Reads length and table from a reader of a method or header frame.
Result<FieldTable> read_field_table(ByteReader& from);
void write_field_table(ByteWriter& to, const FieldTable& table);  // with its length
// One entry of a table: key (cut at 255 bytes), type letter, value.
void write_field_entry(ByteWriter& to, std::string_view key, const FieldValue& value);

// As RabbitMQ names the value's type in its messages: longstr, signedint, ...
std::string_view type_name(const FieldValue& value);
// As RabbitMQ prints values in its messages and listings: true, 5, <<"text">> as text, [{"k","v"}] as k=v
// lists.
std::string to_text(const FieldValue& value);

// Encoded table, unparsed. for_each and find decode only what they hand out; a malformed rest ends the
// iteration with ok() false.
class FieldTableView {
 public:
  FieldTableView() = default;
  explicit FieldTableView(ByteView bytes_after_length) : bytes_(bytes_after_length) {}

  ByteView bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  // Decoded value of the first entry with this key.
  std::optional<FieldValue> find(std::string_view key) const;
  bool contains(std::string_view key) const;
  // Every length in the table (to any depth) lies inside it and every type letter is known.
  bool well_formed() const;

 private:
  ByteView bytes_;
};

}  // namespace sluice::base
