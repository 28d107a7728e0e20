// SPDX-License-Identifier: Apache-2.0
// Writes AMQP 1.0 messages for tests: properties and application properties around a data section.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace sluice::test {

class AmqpMessage {
 public:
  struct Symbol {
    std::string text;
  };
  using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Symbol>;

  AmqpMessage& app(std::string_view name, Value value) {
    app_.emplace_back(name, std::move(value));
    return *this;
  }
  AmqpMessage& annotation(std::string_view name, Value value) {
    annotations_.emplace_back(name, std::move(value));
    return *this;
  }
  // Fields of the properties section by number; those between are null.
  AmqpMessage& property(std::size_t field, Value value) {
    if (properties_.size() <= field) properties_.resize(field + 1);
    properties_[field] = std::move(value);
    return *this;
  }

  base::ByteBuffer bytes(std::string_view body = "body") const {
    base::ByteBuffer out;
    if (!annotations_.empty())
      section(out, 0x72, 0xD1, map_items(annotations_, true), annotations_.size() * 2);
    if (!properties_.empty()) {
      base::ByteBuffer items;
      for (const Value& value : properties_) write(items, value);
      section(out, 0x73, 0xD0, items, properties_.size());
    }
    if (!app_.empty()) section(out, 0x74, 0xD1, map_items(app_, false), app_.size() * 2);
    out.insert(out.end(), {0x00, 0x53, 0x75, 0xB0});
    base::ByteWriter(out).write(static_cast<std::uint32_t>(body.size()));
    base::ByteWriter(out).write_bytes(base::as_bytes(body));
    return out;
  }

 private:
  using Pairs = std::vector<std::pair<std::string, Value>>;

  static void section(base::ByteBuffer& out, std::uint8_t code, std::uint8_t constructor,
                      const base::ByteBuffer& items, std::size_t count) {
    out.insert(out.end(), {0x00, 0x53, code, constructor});
    base::ByteWriter to(out);
    to.write(static_cast<std::uint32_t>(items.size() + 4));
    to.write(static_cast<std::uint32_t>(count));
    to.write_bytes(items);
  }
  static base::ByteBuffer map_items(const Pairs& pairs, bool symbols) {
    base::ByteBuffer items;
    for (const auto& [name, value] : pairs) {
      text(items, symbols ? 0xB3 : 0xB1, name);
      write(items, value);
    }
    return items;
  }
  static void text(base::ByteBuffer& out, std::uint8_t constructor, std::string_view text) {
    out.push_back(constructor);
    base::ByteWriter to(out);
    to.write(static_cast<std::uint32_t>(text.size()));
    to.write_bytes(base::as_bytes(text));
  }
  static void write(base::ByteBuffer& out, const Value& value) {
    base::ByteWriter to(out);
    if (std::holds_alternative<std::monostate>(value)) out.push_back(0x40);
    if (const bool* truth = std::get_if<bool>(&value)) out.push_back(*truth ? 0x41 : 0x42);
    if (const auto* number = std::get_if<std::int64_t>(&value)) out.push_back(0x81), to.write(*number);
    if (const auto* number = std::get_if<std::uint64_t>(&value)) out.push_back(0x80), to.write(*number);
    if (const auto* number = std::get_if<double>(&value))
      out.push_back(0x82), to.write(std::bit_cast<std::uint64_t>(*number));
    if (const auto* string = std::get_if<std::string>(&value)) text(out, 0xB1, *string);
    if (const auto* symbol = std::get_if<Symbol>(&value)) text(out, 0xB3, symbol->text);
  }

  Pairs app_;
  Pairs annotations_;
  std::vector<Value> properties_;
};

}  // namespace sluice::test
