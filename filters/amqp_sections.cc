// SPDX-License-Identifier: Apache-2.0
#include "filters/amqp_sections.h"

#include <algorithm>
#include <array>
#include <bit>

namespace sluice::filters {
namespace {

constexpr int described_depth_max = 8;
constexpr std::uint8_t described_constructor = 0x00;

constexpr std::array<std::string_view, amqp_property_count> property_names = {
    "message-id",       "user-id",          "to",
    "subject",          "reply-to",         "correlation-id",
    "content-type",     "content-encoding", "absolute-expiry-time",
    "creation-time",    "group-id",         "group-sequence",
    "reply-to-group-id"};

constexpr std::array<std::pair<std::string_view, AmqpSection>, 9> section_symbols = {{
    {"amqp:header:list", AmqpSection::header},
    {"amqp:delivery-annotations:map", AmqpSection::delivery_annotations},
    {"amqp:message-annotations:map", AmqpSection::message_annotations},
    {"amqp:properties:list", AmqpSection::properties},
    {"amqp:application-properties:map", AmqpSection::application_properties},
    {"amqp:data:binary", AmqpSection::data},
    {"amqp:amqp-sequence:list", AmqpSection::sequence},
    {"amqp:amqp-value:*", AmqpSection::value},
    {"amqp:footer:map", AmqpSection::footer},
}};

bool take(base::ByteView& bytes, std::size_t size, base::ByteView& part) {
  if (size > bytes.size()) return false;
  part = bytes.first(size);
  bytes = bytes.subspan(size);
  return true;
}

// The bytes behind a constructor, whose top half gives the width or the width of a size (part 1.2).
bool take_data(base::ByteView& bytes, std::uint8_t code, base::ByteView& part) {
  const auto sized = [&](std::size_t width) {
    base::ByteView size;
    if (!take(bytes, width, size)) return false;
    return take(bytes, width == 1 ? size[0] : base::load_be<std::uint32_t>(size.data()), part);
  };
  switch (code >> 4) {
    case 0x4:
      return take(bytes, 0, part);
    case 0x5:
      return take(bytes, 1, part);
    case 0x6:
      return take(bytes, 2, part);
    case 0x7:
      return take(bytes, 4, part);
    case 0x8:
      return take(bytes, 8, part);
    case 0x9:
      return take(bytes, 16, part);
    case 0xA:
    case 0xC:
    case 0xE:
      return sized(1);
    case 0xB:
    case 0xD:
    case 0xF:
      return sized(4);
    default:
      return false;
  }
}

// Moves `bytes` behind one value of any type without looking into it. Depth only grows with described values.
bool skip_value(base::ByteView& bytes, int depth) {
  if (bytes.empty()) return false;
  const std::uint8_t code = bytes[0];
  bytes = bytes.subspan(1);
  if (code == described_constructor)
    return depth > 0 && skip_value(bytes, depth - 1) && skip_value(bytes, depth - 1);
  base::ByteView part;
  return take_data(bytes, code, part);
}

AmqpValue boolean_of(bool truth) {
  AmqpValue value;
  value.kind = AmqpValue::Kind::boolean;
  value.boolean = truth;
  return value;
}
AmqpValue integer_of(std::int64_t number, AmqpValue::Kind kind = AmqpValue::Kind::integer) {
  AmqpValue value;
  value.kind = kind;
  value.integer = number;
  return value;
}
AmqpValue uinteger_of(std::uint64_t number) {
  AmqpValue value;
  value.kind = AmqpValue::Kind::uinteger;
  value.uinteger = number;
  return value;
}
AmqpValue real_of(double number) {
  AmqpValue value;
  value.kind = AmqpValue::Kind::real;
  value.real = number;
  return value;
}
AmqpValue text_of(AmqpValue::Kind kind, base::ByteView bytes) {
  AmqpValue value;
  value.kind = kind;
  value.text = base::as_text(bytes);
  return value;
}
AmqpValue plain_of(AmqpValue::Kind kind) {
  AmqpValue value;
  value.kind = kind;
  return value;
}

AmqpValue decode_part(std::uint8_t code, base::ByteView part) {
  using Kind = AmqpValue::Kind;
  const std::uint8_t* at = part.data();
  switch (code) {
    case 0x40:
      return plain_of(Kind::null);
    case 0x41:
      return boolean_of(true);
    case 0x42:
      return boolean_of(false);
    case 0x56:
      return boolean_of(at[0] != 0);
    case 0x43:
    case 0x44:
      return uinteger_of(0);
    case 0x50:
    case 0x52:
    case 0x53:
      return uinteger_of(at[0]);
    case 0x60:
      return uinteger_of(base::load_be<std::uint16_t>(at));
    case 0x70:
      return uinteger_of(base::load_be<std::uint32_t>(at));
    case 0x80:
      return uinteger_of(base::load_be<std::uint64_t>(at));
    case 0x51:
    case 0x54:
    case 0x55:
      return integer_of(static_cast<std::int8_t>(at[0]));
    case 0x61:
      return integer_of(base::load_be<std::int16_t>(at));
    case 0x71:
      return integer_of(base::load_be<std::int32_t>(at));
    case 0x81:
      return integer_of(base::load_be<std::int64_t>(at));
    case 0x83:
      return integer_of(base::load_be<std::int64_t>(at), Kind::timestamp);
    case 0x72:
      return real_of(std::bit_cast<float>(base::load_be<std::uint32_t>(at)));
    case 0x82:
      return real_of(std::bit_cast<double>(base::load_be<std::uint64_t>(at)));
    case 0x98:
      return text_of(Kind::uuid, part);
    case 0xA0:
    case 0xB0:
      return text_of(Kind::binary, part);
    case 0xA1:
    case 0xA3:
    case 0xB1:
    case 0xB3:
      return text_of(Kind::string, part);
    default:
      return text_of(Kind::other, part);
  }
}
AmqpValue decode(std::uint8_t code, base::ByteView part) {
  AmqpValue value = decode_part(code, part);
  value.code = code;
  return value;
}

// Opens a list or map: its items, and how many values it says they are. `part` is what take_data gives.
bool open_compound(std::uint8_t code, base::ByteView part, bool map, base::ByteView& items,
                   std::uint32_t& count) {
  if (!map && code == 0x45) return items = {}, count = 0, true;
  const bool small = code == (map ? 0xC1 : 0xC0);
  if (!small && code != (map ? 0xD1 : 0xD0)) return false;
  if (part.size() < (small ? 1U : 4U)) return false;
  count = small ? part[0] : base::load_be<std::uint32_t>(part.data());
  items = part.subspan(small ? 1 : 4);
  return true;
}
bool open_compound(base::ByteView bytes, bool map, base::ByteView& items, std::uint32_t& count) {
  if (bytes.empty()) return false;
  const std::uint8_t code = bytes[0];
  bytes = bytes.subspan(1);
  base::ByteView part;
  return take_data(bytes, code, part) && open_compound(code, part, map, items, count);
}

// The descriptor of a section: 0x00, then its code as ulong or its name as symbol.
bool read_section_code(base::ByteView& bytes, AmqpSection& which) {
  if (bytes.empty() || bytes[0] != described_constructor) return false;
  constexpr auto first_code = static_cast<std::uint8_t>(AmqpSection::header);
  constexpr auto last_code = static_cast<std::uint8_t>(AmqpSection::footer);
  // As nearly everybody writes it: a small ulong.
  if (bytes.size() >= 3 && bytes[1] == 0x53 && bytes[2] >= first_code && bytes[2] <= last_code) {
    which = static_cast<AmqpSection>(bytes[2]);
    bytes = bytes.subspan(3);
    return true;
  }
  bytes = bytes.subspan(1);
  AmqpValue descriptor;
  if (!read_amqp_value(bytes, descriptor)) return false;
  if (descriptor.kind == AmqpValue::Kind::uinteger) {
    which = static_cast<AmqpSection>(descriptor.uinteger);
    return descriptor.uinteger >= first_code && descriptor.uinteger <= last_code;
  }
  if (descriptor.kind != AmqpValue::Kind::string) return false;
  const auto known =
      std::ranges::find(section_symbols, descriptor.text, [](const auto& row) { return row.first; });
  if (known == section_symbols.end()) return false;
  which = known->second;
  return true;
}

// Short texts, which most values of a message are, without the general way's detours. False: it is no such
// value, or not whole.
bool read_short_text(base::ByteView& bytes, std::uint8_t code, AmqpValue& into) {
  const bool is_binary = code == 0xA0;
  if (!is_binary && code != 0xA1 && code != 0xA3) return false;
  if (bytes.size() < 2 || bytes.size() - 2 < bytes[1]) return false;
  into.kind = is_binary ? AmqpValue::Kind::binary : AmqpValue::Kind::string;
  into.code = code;
  into.integer = 0;
  into.text = base::as_text(bytes.subspan(2, bytes[1]));
  bytes = bytes.subspan(std::size_t{2} + bytes[1]);
  return true;
}

AmqpValue find_in_map(base::ByteView map, std::string_view name) {
  AmqpMapCursor cursor(map);
  AmqpValue key;
  AmqpValue found;
  while (cursor.next(key, found))
    if (key.kind == AmqpValue::Kind::string && key.text == name) return found;
  return {};
}

}  // namespace

std::optional<AmqpProperty> amqp_property_by_name(std::string_view name) {
  const auto same = [](char a, char b) { return (a == '_' ? '-' : a) == b; };
  for (std::size_t i = 0; i < property_names.size(); ++i)
    if (std::ranges::equal(name, property_names[i], same)) return static_cast<AmqpProperty>(i);
  return std::nullopt;
}

std::string_view to_string(AmqpProperty property) {
  return property_names[static_cast<std::size_t>(property)];
}

bool read_amqp_value(base::ByteView& bytes, AmqpValue& into) {
  if (bytes.empty()) return false;
  const std::uint8_t code = bytes[0];
  if (read_short_text(bytes, code, into)) return true;
  if (code == described_constructor) {
    into = plain_of(AmqpValue::Kind::other);
    return skip_value(bytes, described_depth_max);
  }
  bytes = bytes.subspan(1);
  base::ByteView part;
  if (!take_data(bytes, code, part)) return false;
  into = decode(code, part);
  return true;
}

AmqpListCursor::AmqpListCursor(base::ByteView list) {
  if (!open_compound(list, false, rest_, left_)) left_ = 0;
}

AmqpListCursor::AmqpListCursor(const AmqpValue& list) {
  if (!open_compound(list.code, base::as_bytes(list.text), false, rest_, left_)) left_ = 0;
}

bool AmqpListCursor::next(AmqpValue& into) {
  if (left_ == 0) return false;
  --left_;
  if (read_amqp_value(rest_, into)) return true;
  left_ = 0;
  return false;
}

AmqpMapCursor::AmqpMapCursor(base::ByteView map) {
  if (!open_compound(map, true, rest_, left_)) left_ = 0;
}

AmqpMapCursor::AmqpMapCursor(const AmqpValue& map) {
  if (!open_compound(map.code, base::as_bytes(map.text), true, rest_, left_)) left_ = 0;
}

bool AmqpMapCursor::next(AmqpValue& key, AmqpValue& into) {
  if (left_ < 2) return false;
  left_ -= 2;
  if (read_amqp_value(rest_, key) && read_amqp_value(rest_, into)) return true;
  left_ = 0;
  return false;
}

AmqpArrayCursor::AmqpArrayCursor(const AmqpValue& array) {
  const bool small = array.code == 0xE0;
  rest_ = base::as_bytes(array.text);
  if ((!small && array.code != 0xF0) || rest_.size() < (small ? 2U : 5U)) return;
  left_ = small ? rest_[0] : base::load_be<std::uint32_t>(rest_.data());
  code_ = rest_[small ? 1 : 4];
  rest_ = rest_.subspan(small ? 2 : 5);
  // Items may have no bytes of their own: no more of them than a small array can have.
  if (code_ == described_constructor || left_ > rest_.size() + 255) left_ = 0;
}

bool AmqpArrayCursor::next(AmqpValue& into) {
  if (left_ == 0) return false;
  --left_;
  base::ByteView part;
  if (!take_data(rest_, code_, part)) return left_ = 0, false;
  into = decode(code_, part);
  return true;
}

bool read_amqp_section(base::ByteView& bytes, AmqpSection& which, base::ByteView& content) {
  if (!read_section_code(bytes, which)) return false;
  content = bytes;
  if (!skip_value(bytes, described_depth_max)) return false;
  content = content.first(content.size() - bytes.size());
  return true;
}

AmqpSections AmqpSections::parse(base::ByteView message) {
  AmqpSections found;
  const std::array<base::ByteView*, 5> places = {&found.header, &found.delivery_annotations,
                                                 &found.message_annotations, &found.properties,
                                                 &found.application_properties};
  while (!message.empty()) {
    const base::ByteView begin = message;
    AmqpSection which{};
    if (!read_section_code(message, which)) {
      found.malformed = true;
      return found;
    }
    if (which >= AmqpSection::data) {
      found.has_body = which != AmqpSection::footer;
      if (found.has_body) found.body = begin;
      return found;
    }
    const base::ByteView content = message;
    if (!skip_value(message, described_depth_max)) {
      found.malformed = true;
      return found;
    }
    base::ByteView& place =
        *places[static_cast<std::size_t>(which) - static_cast<std::size_t>(AmqpSection::header)];
    if (place.empty()) place = content.first(content.size() - message.size());
  }
  return found;
}

AmqpValue AmqpSections::property(AmqpProperty which) const {
  AmqpListCursor cursor(properties);
  AmqpValue found;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(which); ++i)
    if (!cursor.next(found)) return {};
  return found;
}

AmqpValue AmqpSections::application_property(std::string_view name) const {
  return find_in_map(application_properties, name);
}

AmqpValue AmqpSections::message_annotation(std::string_view name) const {
  return find_in_map(message_annotations, name);
}

}  // namespace sluice::filters
