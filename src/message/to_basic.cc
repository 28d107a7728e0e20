// SPDX-License-Identifier: Apache-2.0
// AMQP 1.0 to 0-9-1. The bytes come from publishers of any protocol, so every shape is possible; what has no
// place in 0-9-1 is left out, and what is no AMQP 1.0 at all is delivered as a body.
#include <array>
#include <charconv>

#include "filters/amqp_sections.h"
#include "message/amqp10.h"
#include "message/annotations.h"
#include "message/appender.h"
#include "message/text.h"

namespace sluice::message {
namespace {

using filters::AmqpMapCursor;
using filters::AmqpSection;
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

std::uint64_t seconds_of(std::int64_t ms) {
  return ms < 0 ? 0 : static_cast<std::uint64_t>(ms) / 1000;
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

// The table of headers under way: entries that do not fit or do not convert leave no trace.
class Headers {
 public:
  explicit Headers(base::ByteBuffer& to) : to_(to, 64) {}

  void add(std::string_view name, const AmqpValue& value) {
    if (name.size() > short_text_bytes_max || full_) return;
    const std::size_t begin = to_.position();
    write_name(name);
    const bool written = write_field(to_, value, nesting_max);
    full_ = to_.written() > properties_bytes_max;
    if (!written || full_) to_.cut(begin);
  }
  void add_text(std::string_view name, char type, std::string_view text) {
    if (text.size() > properties_bytes_max - to_.written()) return;
    write_name(name);
    write_text(to_, type, text);
  }
  void add_long(std::string_view name, std::uint64_t number) {
    write_name(name);
    write_number(to_, 'l', number);
  }
  void add_deaths(const AmqpValue& deaths);
  void copy(base::ByteView entries) { to_.write_bytes(entries); }
  std::size_t written() const { return to_.written(); }
  void finish() { to_.finish(); }

 private:
  void write_name(std::string_view name) {
    to_.write(static_cast<std::uint8_t>(name.size()));
    to_.write_text(name);
  }
  void add_death(AmqpMapCursor death);

  Appender to_;
  bool full_ = false;
};

// One table of x-death: the names differ, and last-time has no place there.
void Headers::add_death(AmqpMapCursor death) {
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

void Headers::add_deaths(const AmqpValue& deaths) {
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

// What is collected before the properties can be written, with room for texts that stand nowhere in the
// message.
struct Collected {
  BasicProperties properties;
  std::optional<std::string_view> exchange, routing_key, kept;
  std::array<char, 45> message_id, correlation_id;
  std::array<char, 20> expiration;
  std::array<char, short_text_bytes_max> reply_to;
};

std::optional<std::string_view> short_text(const AmqpValue& value) {
  if (value.kind != Kind::string || value.text.size() > short_text_bytes_max) return std::nullopt;
  return value.text;
}

std::string_view decimal(std::uint64_t number, std::span<char> to) {
  return {to.data(), std::to_chars(to.data(), to.data() + to.size(), number).ptr};
}

std::optional<std::string_view> message_id(const AmqpValue& value, std::span<char> room,
                                           std::string_view header, Headers& headers) {
  switch (value.kind) {
    case Kind::uuid:
      return uuid_to_urn(value.text, room);
    case Kind::uinteger:
      return decimal(value.uinteger, room);
    case Kind::string:
      if (value.text.size() <= short_text_bytes_max) return value.text;
      headers.add_text(header, 'S', value.text);
      return std::nullopt;
    case Kind::binary:
      headers.add_text(header, 'x', value.text);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<std::string_view> reply_to(const AmqpValue& value, std::span<char> room) {
  if (value.kind == Kind::string && value.text.starts_with(annotation::queues_prefix)) {
    if (const auto queue = percent_decode(value.text.substr(annotation::queues_prefix.size()), room))
      return queue;
  }
  return short_text(value);
}

void collect_header(base::ByteView header, Collected& into) {
  BasicProperties& to = into.properties;
  if (header.empty()) {
    to.delivery_mode = delivery_mode_persistent;  // in a stream everything is
    return;
  }
  filters::AmqpListCursor cursor(header);
  AmqpValue value;
  const bool durable = cursor.next(value) && value.kind == Kind::boolean && value.boolean;
  to.delivery_mode = durable ? delivery_mode_persistent : std::uint8_t{1};
  if (cursor.next(value) && value.kind == Kind::uinteger)
    to.priority = static_cast<std::uint8_t>(value.uinteger);
  if (cursor.next(value) && value.kind == Kind::uinteger)
    to.expiration = decimal(value.uinteger, into.expiration);
}

void collect_annotations(base::ByteView annotations, Collected& into, Headers& headers) {
  AmqpMapCursor cursor(annotations);
  AmqpValue key;
  AmqpValue value;
  while (cursor.next(key, value)) {
    if (key.kind != Kind::string) continue;
    const std::string_view name = key.text;
    if (name == annotation::exchange) {
      into.exchange = short_text(value);
    } else if (name == annotation::routing_key) {
      into.routing_key = short_text(value);
    } else if (name == annotation::basic_type) {
      into.properties.type = short_text(value);
    } else if (name == annotation::basic_priority && value.kind == Kind::uinteger) {
      into.properties.priority = static_cast<std::uint8_t>(value.uinteger);
    } else if (name == annotation::basic_expiration) {
      into.properties.expiration = short_text(value);
    } else if (name == annotation::kept_properties && value.kind == Kind::binary) {
      into.kept = value.text;
    } else if (name == annotation::cc) {
      headers.add("CC", value);
    } else if (name == annotation::received_time && value.kind == Kind::timestamp) {
      headers.add_long("timestamp_in_ms", static_cast<std::uint64_t>(value.integer));
    } else if (name == annotation::deaths) {
      headers.add_deaths(value);
    } else if (name.starts_with("x-") && !annotation::is_internal(name)) {
      headers.add(name, value);
    }
  }
}

void collect_properties(base::ByteView properties, Collected& into, Headers& headers) {
  using filters::AmqpProperty;
  BasicProperties& to = into.properties;
  filters::AmqpListCursor cursor(properties);
  AmqpValue value;
  for (std::size_t i = 0; i < filters::amqp_property_count && cursor.next(value); ++i) {
    switch (static_cast<AmqpProperty>(i)) {
      case AmqpProperty::message_id:
        to.message_id = message_id(value, into.message_id, "x-message-id", headers);
        break;
      case AmqpProperty::user_id:
        if (value.kind == Kind::binary && value.text.size() <= short_text_bytes_max && is_utf8(value.text))
          to.user_id = value.text;
        break;
      case AmqpProperty::reply_to:
        to.reply_to = reply_to(value, into.reply_to);
        break;
      case AmqpProperty::correlation_id:
        to.correlation_id = message_id(value, into.correlation_id, "x-correlation-id", headers);
        break;
      case AmqpProperty::content_type:
        to.content_type = short_text(value);
        break;
      case AmqpProperty::content_encoding:
        to.content_encoding = short_text(value);
        break;
      case AmqpProperty::creation_time:
        if (value.kind == Kind::timestamp) to.timestamp = seconds_of(value.integer);
        break;
      case AmqpProperty::group_id:
        to.app_id = short_text(value);
        break;
      case AmqpProperty::to:
      case AmqpProperty::subject:
      case AmqpProperty::absolute_expiry_time:
      case AmqpProperty::group_sequence:
      case AmqpProperty::reply_to_group_id:
        break;
    }
  }
}

// The content of a data section; false for one that holds no binary.
bool read_data(base::ByteView content, base::ByteView& data) {
  AmqpValue value;
  if (!filters::read_amqp_value(content, value) || value.kind != Kind::binary) return false;
  data = base::as_bytes(value.text);
  return true;
}

// False: the body is no plain data, and stays encoded.
bool plain_body(base::ByteView sections, base::ByteView& body, base::ByteBuffer& joined) {
  std::size_t parts = 0;
  while (!sections.empty()) {
    AmqpSection which{};
    base::ByteView content;
    base::ByteView data;
    if (!filters::read_amqp_section(sections, which, content)) return false;
    if (which == AmqpSection::footer) break;
    if (which != AmqpSection::data || !read_data(content, data)) return false;
    if (++parts == 2) joined.assign(body.begin(), body.end());
    if (parts >= 2) joined.insert(joined.end(), data.begin(), data.end());
    body = parts == 1 ? data : base::ByteView(joined);
  }
  return parts > 0;
}

}  // namespace

ToBasic::Result ToBasic::convert(base::ByteView amqp10, std::optional<std::uint64_t> stream_offset) {
  headers_.clear();
  properties_.clear();
  Result result;
  Collected collected;
  const filters::AmqpSections sections = filters::AmqpSections::parse(amqp10);
  BasicProperties& properties = collected.properties;
  Headers headers(headers_);
  // First, so that it stands whatever else does not fit.
  if (stream_offset) headers.add_long("x-stream-offset", *stream_offset);
  const std::size_t added = headers.written();
  if (sections.malformed) {
    result.message.body = amqp10;
    properties.delivery_mode = delivery_mode_persistent;
  } else {
    collect_header(sections.header, collected);
    collect_annotations(sections.message_annotations, collected, headers);
    collect_properties(sections.properties, collected, headers);
    AmqpMapCursor cursor(sections.application_properties);
    AmqpValue key;
    AmqpValue value;
    while (cursor.next(key, value))
      if (key.kind == Kind::string) headers.add(key.text, value);
    if (sections.has_body && !plain_body(sections.body, result.message.body, body_)) {
      result.message.body = sections.body;
      properties.type = annotation::encoded_body_type;
    }
    result.routed = collected.exchange && collected.routing_key;
    result.message.exchange = collected.exchange.value_or("");
    result.message.routing_key = collected.routing_key.value_or("");
  }
  headers.finish();
  if (collected.kept) {
    if (const auto kept = decode_properties(base::as_bytes(*collected.kept))) {
      properties = *kept;
      headers_.resize(added);
      const base::ByteView old = kept->headers ? kept->headers->bytes() : base::ByteView();
      headers_.insert(headers_.end(), old.begin(), old.end());
      if (!kept->headers && added == 0) headers_.clear();
    }
  }
  if (!headers_.empty() || (collected.kept && properties.headers))
    properties.headers = base::FieldTableView(headers_);
  encode_properties(properties, properties_);
  result.message.properties = properties_;
  return result;
}

}  // namespace sluice::message
