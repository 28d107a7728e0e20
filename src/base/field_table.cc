// SPDX-License-Identifier: Apache-2.0
#include "base/field_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sluice::base {
namespace {

// One place that knows the width of a value: skips it, and so also validates it. False when malformed.
bool skip_value(ByteReader& from, int depth);

bool skip_table_body(ByteView bytes, int depth) {
  if (depth > table_depth_max) return false;
  ByteReader inner(bytes);
  while (!inner.at_end()) {
    inner.skip(inner.read<std::uint8_t>());
    if (!skip_value(inner, depth)) return false;
  }
  return inner.ok();
}

bool skip_value(ByteReader& from, int depth) {
  switch (from.read<std::uint8_t>()) {
    case 't':
    case 'b':
    case 'B':
      from.skip(1);
      break;
    case 's':
    case 'u':
      from.skip(2);
      break;
    case 'I':
    case 'i':
    case 'f':
      from.skip(4);
      break;
    case 'l':
    case 'd':
    case 'T':
      from.skip(8);
      break;
    case 'D':
      from.skip(5);
      break;
    case 'V':
      break;
    case 'S':
    case 'x':
      from.skip(from.read<std::uint32_t>());
      break;
    case 'F':
      return skip_table_body(from.read_bytes(from.read<std::uint32_t>()), depth + 1) && from.ok();
    case 'A': {
      if (depth + 1 > table_depth_max) return false;
      ByteReader inner(from.read_bytes(from.read<std::uint32_t>()));
      while (!inner.at_end()) {
        if (!skip_value(inner, depth + 1)) return false;
      }
      return inner.ok() && from.ok();
    }
    default:
      return false;
  }
  return from.ok();
}

std::unexpected<Error> malformed() {
  return fail(Errc::malformed, "malformed field table");
}

Result<FieldTable> decode_table(ByteView bytes, int depth);

Result<FieldValue> decode_value(ByteReader& from, int depth) {
  FieldValue value;
  switch (from.read<std::uint8_t>()) {
    case 't':
      value = from.read<std::uint8_t>() != 0;
      break;
    case 'b':
      value = from.read<std::int8_t>();
      break;
    case 'B':
      value = from.read<std::uint8_t>();
      break;
    case 's':
      value = from.read<std::int16_t>();
      break;
    case 'u':
      value = from.read<std::uint16_t>();
      break;
    case 'I':
      value = from.read<std::int32_t>();
      break;
    case 'i':
      value = from.read<std::uint32_t>();
      break;
    case 'l':
      value = from.read<std::int64_t>();
      break;
    case 'f':
      value = std::bit_cast<float>(from.read<std::uint32_t>());
      break;
    case 'd':
      value = std::bit_cast<double>(from.read<std::uint64_t>());
      break;
    case 'T':
      value = FieldTimestamp{from.read<std::uint64_t>()};
      break;
    case 'V':
      value = FieldVoid{};
      break;
    case 'D': {
      const auto scale = from.read<std::uint8_t>();
      value = FieldDecimal{scale, from.read<std::uint32_t>()};
      break;
    }
    case 'S':
      value = std::string(as_text(from.read_bytes(from.read<std::uint32_t>())));
      break;
    case 'x': {
      const ByteView bytes = from.read_bytes(from.read<std::uint32_t>());
      value = ByteBuffer(bytes.begin(), bytes.end());
      break;
    }
    case 'F': {
      const ByteView bytes = from.read_bytes(from.read<std::uint32_t>());
      if (!from.ok()) return malformed();
      TRY(table, decode_table(bytes, depth + 1));
      value = std::move(table);
      break;
    }
    case 'A': {
      if (depth + 1 > table_depth_max) return malformed();
      ByteReader inner(from.read_bytes(from.read<std::uint32_t>()));
      FieldArray array;
      while (!inner.at_end()) {
        TRY(item, decode_value(inner, depth + 1));
        array.push_back(std::move(item));
      }
      value = std::move(array);
      break;
    }
    default:
      return malformed();
  }
  if (!from.ok()) return malformed();
  return value;
}

Result<FieldTable> decode_table(ByteView bytes, int depth) {
  if (depth > table_depth_max) return malformed();
  FieldTable table;
  ByteReader from(bytes);
  while (!from.at_end()) {
    const std::string_view key = as_text(from.read_bytes(from.read<std::uint8_t>()));
    if (!from.ok()) return malformed();
    TRY(value, decode_value(from, depth));
    table.entries.emplace_back(key, std::move(value));
  }
  return table;
}

void write_value(ByteWriter& to, const FieldValue& value);

struct PayloadWriter {
  ByteWriter& to;
  void operator()(FieldVoid) const {}
  void operator()(bool v) const { to.write<std::uint8_t>(v ? 1 : 0); }
  template <std::integral T>
  void operator()(T v) const {
    to.write(v);
  }
  void operator()(float v) const { to.write(std::bit_cast<std::uint32_t>(v)); }
  void operator()(double v) const { to.write(std::bit_cast<std::uint64_t>(v)); }
  void operator()(const FieldDecimal& v) const {
    to.write(v.scale);
    to.write(v.value);
  }
  void operator()(const std::string& v) const { sized(as_bytes(v)); }
  void operator()(const ByteBuffer& v) const { sized(v); }
  void operator()(const FieldTimestamp& v) const { to.write(v.seconds); }
  void operator()(const FieldArray& v) const {
    const std::size_t at = to.size();
    to.write(std::uint32_t{0});
    for (const FieldValue& item : v) write_value(to, item);
    to.patch(at, static_cast<std::uint32_t>(to.size() - at - 4));
  }
  void operator()(const FieldTable& v) const { write_field_table(to, v); }

 private:
  void sized(ByteView bytes) const {
    to.write(static_cast<std::uint32_t>(bytes.size()));
    to.write_bytes(bytes);
  }
};

void write_value(ByteWriter& to, const FieldValue& value) {
  to.write(static_cast<std::uint8_t>(value.type_letter()));
  std::visit(PayloadWriter{to}, value.get());
}

}  // namespace

const FieldValue* FieldTable::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

void FieldTable::set(std::string_view key, FieldValue value) {
  for (auto& [name, old] : entries) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  entries.emplace_back(key, std::move(value));
}

bool FieldTable::remove(std::string_view key) {
  return std::erase_if(entries, [&](const auto& entry) { return entry.first == key; }) > 0;
}

bool operator==(const FieldTable& a, const FieldTable& b) {
  return a.entries == b.entries;
}
bool operator==(const FieldValue& a, const FieldValue& b) {
  return a.value_ == b.value_;
}

bool FieldValue::is_integer() const {
  return integer().has_value();
}

std::optional<std::int64_t> FieldValue::integer() const {
  return std::visit(
      [](const auto& v) -> std::optional<std::int64_t> {
        using T = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::integral<T> && !std::same_as<T, bool>) return static_cast<std::int64_t>(v);
        return std::nullopt;
      },
      value_);
}

std::optional<std::string_view> FieldValue::text() const {
  if (const auto* v = as<std::string>()) return *v;
  if (const auto* v = as<ByteBuffer>()) return as_text(*v);
  return std::nullopt;
}

char FieldValue::type_letter() const {
  // In the order of Variant.
  static constexpr std::string_view letters = "VtbBsuIilfdDSxTAF";
  static_assert(letters.size() == std::variant_size_v<Variant>);
  return letters[value_.index()];
}

bool FieldValue::equivalent(const FieldValue& other) const {
  const auto mine = integer();
  const auto theirs = other.integer();
  if (mine && theirs) return *mine == *theirs;
  return *this == other;
}

Result<FieldTable> decode_field_table(ByteView bytes) {
  return decode_table(bytes, 0);
}

Result<FieldTable> read_field_table(ByteReader& from) {
  const ByteView bytes = from.read_bytes(from.read<std::uint32_t>());
  if (!from.ok()) return malformed();
  return decode_table(bytes, 0);
}

void write_field_table(ByteWriter& to, const FieldTable& table) {
  const std::size_t at = to.size();
  to.write(std::uint32_t{0});
  for (const auto& [key, value] : table.entries) write_field_entry(to, key, value);
  to.patch(at, static_cast<std::uint32_t>(to.size() - at - 4));
}

void write_field_entry(ByteWriter& to, std::string_view key, const FieldValue& value) {
  key = key.substr(0, 255);
  to.write(static_cast<std::uint8_t>(key.size()));
  to.write_bytes(as_bytes(key));
  write_value(to, value);
}

std::string_view type_name(const FieldValue& value) {
  // In the order of Variant.
  static constexpr std::string_view names[] = {
      "void",      "bool",        "byte",      "unsignedbyte", "short",  "unsignedshort",
      "signedint", "unsignedint", "long",      "float",        "double", "decimal",
      "longstr",   "binary",      "timestamp", "array",        "table"};
  static_assert(std::size(names) == std::variant_size_v<FieldValue::Variant>);
  return names[value.get().index()];
}

std::string to_text(const FieldValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::remove_cvref_t<decltype(v)>;
        if constexpr (std::same_as<T, FieldVoid>) {
          return "undefined";
        } else if constexpr (std::same_as<T, bool>) {
          return v ? "true" : "false";
        } else if constexpr (std::integral<T> || std::floating_point<T>) {
          return fmt::format("{}", v);
        } else if constexpr (std::same_as<T, FieldDecimal>) {
          return fmt::format("{}e-{}", v.value, v.scale);
        } else if constexpr (std::same_as<T, std::string>) {
          return v;
        } else if constexpr (std::same_as<T, ByteBuffer>) {
          return std::string(as_text(v));
        } else if constexpr (std::same_as<T, FieldTimestamp>) {
          return fmt::format("{}", v.seconds);
        } else if constexpr (std::same_as<T, FieldArray>) {
          std::string text = "[";
          for (const FieldValue& item : v) text += (text.size() > 1 ? "," : "") + to_text(item);
          return text + "]";
        } else {
          std::string text = "[";
          for (const auto& [key, item] : v.entries) {
            text += fmt::format("{}{{\"{}\",{}}}", text.size() > 1 ? "," : "", key, to_text(item));
          }
          return text + "]";
        }
      },
      value.get());
}

std::optional<FieldValue> FieldTableView::find(std::string_view key) const {
  ByteReader from(bytes_);
  while (!from.at_end()) {
    const std::string_view name = as_text(from.read_bytes(from.read<std::uint8_t>()));
    if (!from.ok()) return std::nullopt;
    if (name == key) {
      auto value = decode_value(from, 0);
      if (!value) return std::nullopt;
      return std::move(*value);
    }
    if (!skip_value(from, 0)) return std::nullopt;
  }
  return std::nullopt;
}

bool FieldTableView::contains(std::string_view key) const {
  ByteReader from(bytes_);
  while (!from.at_end()) {
    const std::string_view name = as_text(from.read_bytes(from.read<std::uint8_t>()));
    if (from.ok() && name == key) return true;
    if (!from.ok() || !skip_value(from, 0)) return false;
  }
  return false;
}

bool FieldTableView::well_formed() const {
  return skip_table_body(bytes_, 0);
}

}  // namespace sluice::base
