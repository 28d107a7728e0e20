// SPDX-License-Identifier: Apache-2.0
// Values of AMQP 1.0 as fields of AMQP 0-9-1: type letter, then the value.
#include "message/basic_headers.h"

#include <array>
#include <bit>
#include <charconv>

#include "base/field_table.h"
#include "message/text.h"

namespace sluice::message {
namespace {

using filters::AmqpMapCursor;
using filters::AmqpValue;
using Kind = AmqpValue::Kind;

constexpr int nesting_max = base::table_depth_max - 1;

bool is_list(const AmqpValue& value) {
  return value.code == 0x45 || value.code == 0xC0 || value.code == 0xD0;
}
bool is_map(const AmqpValue& value) {
  return value.code == 0xC1 || value.code == 0xD1;
}
bool is_array(const AmqpValue& value) {
  return value.code == 0xE0 || value.code == 0xF0;
}

void write_text(Appender& to, char type, std::string_view text) {
  to.write(static_cast<std::uint8_t>(type));
  to.write(static_cast<std::uint32_t>(text.size()));
  to.write_text(text);
}

template <std::integral T>
void write_number(Appender& to, char type, T number) {
  to.write(static_cast<std::uint8_t>(type));
  to.write(number);
}

void write_integer(Appender& to, const AmqpValue& value) {
  switch (value.code) {
    case 0x50:
      return write_number(to, 'B', static_cast<std::uint8_t>(value.uinteger));
    case 0x60:
      return write_number(to, 'u', static_cast<std::uint16_t>(value.uinteger));
    case 0x43:
    case 0x52:
    case 0x70:
      return write_number(to, 'i', static_cast<std::uint32_t>(value.uinteger));
    case 0x44:
    case 0x53:
    case 0x80:  // 0-9-1 has no unsigned long
      return write_number(to, 'l', value.uinteger);
    case 0x51:
      return write_number(to, 'b', static_cast<std::int8_t>(value.integer));
    case 0x61:
      return write_number(to, 's', static_cast<std::int16_t>(value.integer));
    case 0x54:
    case 0x71:
      return write_number(to, 'I', static_cast<std::int32_t>(value.integer));
    default:
      return write_number(to, 'l', value.integer);
  }
}

// Type letter and value. False: 0-9-1 has no such value, or it is nested too deep or too large; then the
// caller cuts what was written.
bool write_field(Appender& to, const AmqpValue& value, int depth);

bool write_compound(Appender& to, const AmqpValue& value, int depth) {
  if (depth == 0 || !(is_list(value) || is_map(value) || is_array(value))) return false;
  to.write(static_cast<std::uint8_t>(is_map(value) ? 'F' : 'A'));
  const std::size_t size_at = to.position();
  to.write(std::uint32_t{0});
  const auto write_items = [&](auto cursor) {
    AmqpValue item;
    while (cursor.next(item)) {
      const std::size_t begin = to.position();
      if (!write_field(to, item, depth - 1)) to.cut(begin);
      if (to.written() > properties_bytes_max) return false;
    }
    return true;
  };
  const auto write_pairs = [&] {
    AmqpMapCursor cursor(value);
    AmqpValue key;
    AmqpValue item;
    while (cursor.next(key, item)) {
      if (key.kind != Kind::string || key.text.size() > short_text_bytes_max) continue;
      const std::size_t begin = to.position();
      to.write(static_cast<std::uint8_t>(key.text.size()));
      to.write_text(key.text);
      if (!write_field(to, item, depth - 1)) to.cut(begin);
      if (to.written() > properties_bytes_max) return false;
    }
    return true;
  };
  const bool fits = is_map(value)     ? write_pairs()
                    : is_array(value) ? write_items(filters::AmqpArrayCursor(value))
                                      : write_items(filters::AmqpListCursor(value));
  to.patch(size_at, static_cast<std::uint32_t>(to.position() - size_at - 4));
  return fits;
}

bool write_field(Appender& to, const AmqpValue& value, int depth) {
  switch (value.kind) {
    case Kind::null:
      return to.write(static_cast<std::uint8_t>('V')), true;
    case Kind::boolean:
      return write_number(to, 't', static_cast<std::uint8_t>(value.boolean)), true;
    case Kind::integer:
    case Kind::uinteger:
      return write_integer(to, value), true;
    case Kind::real:
      if (value.code == 0x72) {
        write_number(to, 'f', std::bit_cast<std::uint32_t>(static_cast<float>(value.real)));
      } else {
        write_number(to, 'd', std::bit_cast<std::uint64_t>(value.real));
      }
      return true;
    case Kind::string:
      return write_text(to, 'S', value.text), true;
    case Kind::timestamp:
      return write_number(to, 'T', seconds_of(value.integer)), true;
    case Kind::binary:
      return write_text(to, 'x', value.text), true;
    case Kind::uuid: {
      std::array<char, 45> urn{};
      return write_text(to, 'S', uuid_to_urn(value.text, urn)), true;
    }
    case Kind::other:
      return write_compound(to, value, depth);
    case Kind::absent:
      break;
  }
  return false;
}

}  // namespace

void BasicHeaders::write_name(std::string_view name) {
  to_.write(static_cast<std::uint8_t>(name.size()));
  to_.write_text(name);
}

void BasicHeaders::add(std::string_view name, const AmqpValue& value) {
  if (name.size() > short_text_bytes_max || full_) return;
  const std::size_t begin = to_.position();
  write_name(name);
  const bool written = write_field(to_, value, nesting_max);
  full_ = to_.written() > properties_bytes_max;
  if (!written || full_) to_.cut(begin);
}

void BasicHeaders::add_text(std::string_view name, char type, std::string_view text) {
  if (text.size() > properties_bytes_max - to_.written()) return;
  write_name(name);
  write_text(to_, type, text);
}

void BasicHeaders::add_long(std::string_view name, std::uint64_t number) {
  write_name(name);
  write_number(to_, 'l', number);
}

// One table of x-death: the names differ, and last-time has no place there.
void BasicHeaders::add_death(AmqpMapCursor death) {
  to_.write(static_cast<std::uint8_t>('F'));
  const std::size_t size_at = to_.position();
  to_.write(std::uint32_t{0});
  AmqpValue key;
  AmqpValue value;
  while (death.next(key, value)) {
    if (key.kind != Kind::string || key.text == "last-time") continue;
    if (key.text == "ttl" && value.kind == Kind::uinteger) {
      std::array<char, 20> text{};
      const auto* end = std::to_chars(text.begin(), text.end(), value.uinteger).ptr;
      add_text("original-expiration", 'S', {text.data(), end});
      continue;
    }
    add(key.text == "first-time" ? std::string_view("time") : key.text, value);
  }
  to_.patch(size_at, static_cast<std::uint32_t>(to_.position() - size_at - 4));
}

void BasicHeaders::add_deaths(const AmqpValue& deaths) {
  if (!is_array(deaths) || full_) return;
  const std::size_t begin = to_.position();
  write_name("x-death");
  to_.write(static_cast<std::uint8_t>('A'));
  const std::size_t size_at = to_.position();
  to_.write(std::uint32_t{0});
  filters::AmqpArrayCursor cursor(deaths);
  AmqpValue death;
  while (!full_ && cursor.next(death))
    if (is_map(death)) add_death(AmqpMapCursor(death));
  to_.patch(size_at, static_cast<std::uint32_t>(to_.position() - size_at - 4));
  if (full_) to_.cut(begin);
}

}  // namespace sluice::message
