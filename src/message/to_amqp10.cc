// SPDX-License-Identifier: Apache-2.0
// AMQP 0-9-1 to 1.0. Sections come out in the order of the standard; each list or map is written with 32-bit
// sizes and moved together when it turns out small, which most are.
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "filters/amqp_sections.h"
#include "message/amqp10.h"
#include "message/annotations.h"
#include "message/appender.h"
#include "message/text.h"

namespace sluice::message {
namespace {

using filters::AmqpSection;

constexpr std::uint8_t null_code = 0x40;
constexpr std::uint8_t list32 = 0xD0;
constexpr std::uint8_t map32 = 0xD1;

void write_sized(Appender& to, std::uint8_t small_code, std::string_view bytes) {
  if (bytes.size() <= 255) {
    to.write(small_code);
    to.write(static_cast<std::uint8_t>(bytes.size()));
  } else {
    to.write(static_cast<std::uint8_t>(small_code | 0x10));
    to.write(static_cast<std::uint32_t>(bytes.size()));
  }
  to.write_text(bytes);
}
void write_binary(Appender& to, std::string_view bytes) {
  write_sized(to, 0xA0, bytes);
}
void write_symbol(Appender& to, std::string_view text) {
  write_sized(to, 0xA3, text);
}
// Strings of AMQP 1.0 are UTF-8; those of 0-9-1 may be anything.
void write_string(Appender& to, std::string_view text) {
  if (!is_utf8(text)) return write_binary(to, text);
  write_sized(to, 0xA1, text);
}
void write_milliseconds(Appender& to, std::uint64_t seconds) {
  constexpr std::uint64_t seconds_max = std::numeric_limits<std::int64_t>::max() / 1000;
  to.write(std::uint8_t{0x83});
  to.write(static_cast<std::int64_t>(std::min(seconds, seconds_max) * 1000));
}

// A list or map under way.
class Compound {
 public:
  Compound(Appender& to, std::uint8_t code32) : to_(to), at_(to.position()) {
    to_.write(code32);
    to_.write(std::uint64_t{0});  // size, count
  }
  void count(std::uint32_t items) { items_ += items; }
  bool empty() const { return items_ == 0; }
  void finish() {
    const std::size_t content = to_.position() - at_ - 9;
    if (content + 1 <= 255 && items_ <= 255) {
      to_.erase(at_ + 3, 6);
      to_.patch(at_, static_cast<std::uint8_t>(code() & ~0x10));
      to_.patch(at_ + 1, static_cast<std::uint8_t>(content + 1));
      to_.patch(at_ + 2, static_cast<std::uint8_t>(items_));
    } else {
      to_.patch(at_ + 1, static_cast<std::uint32_t>(content + 4));
      to_.patch(at_ + 5, items_);
    }
  }

 private:
  std::uint8_t code() const { return to_.at(at_); }
  Appender& to_;
  std::size_t at_;
  std::uint32_t items_ = 0;
};

void write_descriptor(Appender& to, AmqpSection section) {
  to.write(std::uint8_t{0x00});
  to.write(std::uint8_t{0x53});
  to.write(static_cast<std::uint8_t>(section));
}

// A header's value. Tables are well-formed to their bounded depth (decode_properties), so recursion is
// bounded.
void write_value(Appender& to, const HeaderEntry& entry);

void write_fixed(Appender& to, std::uint8_t code, base::ByteView value) {
  to.write(code);
  to.write_bytes(value);
}

void write_decimal(Appender& to, base::ByteView value) {
  const double number = base::load_be<std::uint32_t>(value.data() + 1) / std::pow(10.0, value[0]);
  to.write(std::uint8_t{0x82});
  to.write(std::bit_cast<std::uint64_t>(number));
}

void write_array(Appender& to, base::ByteView items) {
  Compound list(to, list32);
  HeaderCursor cursor(items, HeaderCursor::Of::array);
  HeaderEntry item;
  while (cursor.next(item)) {
    write_value(to, item);
    list.count(1);
  }
  list.finish();
}

void write_table(Appender& to, base::ByteView entries) {
  Compound map(to, map32);
  HeaderCursor cursor(entries);
  HeaderEntry entry;
  while (cursor.next(entry)) {
    write_symbol(to, entry.name);
    write_value(to, entry);
    map.count(2);
  }
  map.finish();
}

void write_value(Appender& to, const HeaderEntry& entry) {
  switch (entry.type) {
    case 't':
      return to.write(static_cast<std::uint8_t>(entry.value[0] != 0 ? 0x41 : 0x42));
    case 'b':
      return write_fixed(to, 0x51, entry.value);
    case 'B':
      return write_fixed(to, 0x50, entry.value);
    case 's':
      return write_fixed(to, 0x61, entry.value);
    case 'u':
      return write_fixed(to, 0x60, entry.value);
    case 'I':
      return write_fixed(to, 0x71, entry.value);
    case 'i':
      return write_fixed(to, 0x70, entry.value);
    case 'l':
      return write_fixed(to, 0x81, entry.value);
    case 'f':
      return write_fixed(to, 0x72, entry.value);
    case 'd':
      return write_fixed(to, 0x82, entry.value);
    case 'T':
      return write_milliseconds(to, base::load_be<std::uint64_t>(entry.value.data()));
    case 'D':
      return write_decimal(to, entry.value);
    case 'S':
      return write_string(to, base::as_text(entry.value));
    case 'x':
      return write_binary(to, base::as_text(entry.value));
    case 'A':
      return write_array(to, entry.value);
    case 'F':
      return write_table(to, entry.value);
    default:
      return to.write(null_code);
  }
}

void write_header(Appender& to, const BasicProperties& from) {
  write_descriptor(to, AmqpSection::header);
  Compound list(to, list32);
  to.write(static_cast<std::uint8_t>(from.persistent() ? 0x41 : 0x42));
  list.count(1);
  const auto expiration = expiration_ms(from);
  const bool expires = expiration && *expiration;
  if (from.priority || expires) {
    if (from.priority) {
      to.write(std::uint8_t{0x50});
      to.write(*from.priority);
    } else {
      to.write(null_code);
    }
    list.count(1);
  }
  if (expires) {
    to.write(std::uint8_t{0x70});
    to.write(static_cast<std::uint32_t>(**expiration));
    list.count(1);
  }
  list.finish();
}

void write_annotations(Appender& to, const BasicMessage& message, const BasicProperties& from, Keep keep) {
  write_descriptor(to, AmqpSection::message_annotations);
  Compound map(to, map32);
  const auto key = [&](std::string_view name) {
    write_symbol(to, name);
    map.count(2);
  };
  key(annotation::exchange);
  write_string(to, message.exchange);
  key(annotation::routing_key);
  write_string(to, message.routing_key);
  if (from.type) {
    key(annotation::basic_type);
    write_string(to, *from.type);
  }
  if (from.headers) {
    HeaderCursor cursor(*from.headers);
    HeaderEntry entry;
    while (cursor.next(entry)) {
      if (entry.name == "CC" && entry.type == 'A') {
        key(annotation::cc);
        write_array(to, entry.value);
      } else if (entry.name.starts_with("x-") && !annotation::is_internal(entry.name)) {
        key(entry.name);
        write_value(to, entry);
      }
    }
  }
  if (keep == Keep::everything) {
    key(annotation::kept_properties);
    write_binary(to, base::as_text(message.properties));
  }
  map.finish();
}

void write_message_id(Appender& to, std::string_view id) {
  const auto uuid = uuid_from_urn(id);
  if (!uuid) return write_string(to, id);
  write_fixed(to, 0x98, *uuid);
}

void write_reply_to(Appender& to, std::string_view queue) {
  to.write(std::uint8_t{0xA1});
  const std::size_t size_at = to.position();
  to.write(std::uint8_t{0});
  to.write_text(annotation::queues_prefix);
  percent_encode(queue, [&](char c) { to.write(c); });
  const std::size_t size = to.position() - size_at - 1;
  if (size <= 255) return to.patch(size_at, static_cast<std::uint8_t>(size));
  // Rare: written again with the longer size.
  to.cut(size_at - 1);
  to.write(std::uint8_t{0xB1});
  to.write(static_cast<std::uint32_t>(size));
  to.write_text(annotation::queues_prefix);
  percent_encode(queue, [&](char c) { to.write(c); });
}

void write_properties(Appender& to, const BasicProperties& from) {
  const std::size_t begin = to.position();
  write_descriptor(to, AmqpSection::properties);
  Compound list(to, list32);
  std::uint32_t fields = 0;   // written or null so far
  std::uint32_t pending = 0;  // nulls owed before the next value
  const auto field = [&](const auto& value, auto&& write) {
    ++pending;
    if (!value) return;
    for (; pending > 1; --pending) to.write(null_code), ++fields;
    pending = 0;
    write(*value);
    ++fields;
  };
  constexpr std::optional<std::string_view> none;
  const auto symbol = [&](std::string_view text) { write_symbol(to, text); };
  field(from.message_id, [&](std::string_view id) { write_message_id(to, id); });
  field(from.user_id, [&](std::string_view user) { write_binary(to, user); });
  field(none, symbol);  // to
  field(none, symbol);  // subject
  field(from.reply_to, [&](std::string_view queue) { write_reply_to(to, queue); });
  field(from.correlation_id, [&](std::string_view id) { write_message_id(to, id); });
  field(from.content_type, symbol);
  field(from.content_encoding, symbol);
  field(none, symbol);  // absolute-expiry-time
  field(from.timestamp, [&](std::uint64_t seconds) { write_milliseconds(to, seconds); });
  field(from.app_id, [&](std::string_view app) { write_string(to, app); });
  if (fields == 0) return to.cut(begin);
  list.count(fields);
  list.finish();
}

void write_application_properties(Appender& to, const BasicProperties& from) {
  if (!from.headers) return;
  const std::size_t begin = to.position();
  write_descriptor(to, AmqpSection::application_properties);
  Compound map(to, map32);
  HeaderCursor cursor(*from.headers);
  HeaderEntry entry;
  while (cursor.next(entry)) {
    // Values are scalars there.
    if (entry.type == 'A' || entry.type == 'F' || entry.name.starts_with("x-")) continue;
    write_sized(to, is_utf8(entry.name) ? 0xA1 : 0xA3, entry.name);
    write_value(to, entry);
    map.count(2);
  }
  if (map.empty()) return to.cut(begin);
  map.finish();
}

// One or more body sections, and a footer at most behind them. Data sections would come back joined, which is
// not what was kept.
bool is_encoded_body(base::ByteView body, Keep keep) {
  bool any = false;
  while (!body.empty()) {
    AmqpSection which{};
    base::ByteView content;
    if (!filters::read_amqp_section(body, which, content)) return false;
    if (which < AmqpSection::data) return false;
    if (which == AmqpSection::footer) return any && body.empty();
    if (which == AmqpSection::data && !any && keep == Keep::everything) return false;
    any = true;
  }
  return any;
}

}  // namespace

void append_amqp10(const BasicMessage& message, Keep keep, base::ByteBuffer& to) {
  const BasicProperties properties = decode_properties(message.properties).value_or(BasicProperties{});
  const bool encoded =
      properties.type == annotation::encoded_body_type && is_encoded_body(message.body, keep);
  const std::size_t names = message.exchange.size() + message.routing_key.size();
  Appender head(to, 160 + names + (keep == Keep::everything ? 3 : 2) * message.properties.size());
  write_header(head, properties);
  write_annotations(head, message, properties, keep);
  write_properties(head, properties);
  write_application_properties(head, properties);
  if (!encoded) {
    write_descriptor(head, AmqpSection::data);
    if (message.body.size() <= 255) {
      head.write(std::uint8_t{0xA0});
      head.write(static_cast<std::uint8_t>(message.body.size()));
    } else {
      head.write(std::uint8_t{0xB0});
      head.write(static_cast<std::uint32_t>(message.body.size()));
    }
  }
  head.finish();
  to.insert(to.end(), message.body.begin(), message.body.end());
}

std::optional<std::string_view> stream_filter_value(const BasicProperties& properties) {
  return text_header(properties, "x-stream-filter-value");
}

}  // namespace sluice::message
