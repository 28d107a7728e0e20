// SPDX-License-Identifier: Apache-2.0
// AMQP 1.0 to 0-9-1. The bytes come from publishers of any protocol, so every shape is possible; what has no
// place in 0-9-1 is left out, and what is no AMQP 1.0 at all is delivered as a body.
#include <array>
#include <charconv>

#include "filters/amqp_sections.h"
#include "message/amqp10.h"
#include "message/annotations.h"
#include "message/basic_headers.h"
#include "message/text.h"

namespace sluice::message {
namespace {

using filters::AmqpMapCursor;
using filters::AmqpSection;
using filters::AmqpValue;
using Kind = AmqpValue::Kind;

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
                                           std::string_view header, BasicHeaders& headers) {
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

void collect_annotations(base::ByteView annotations, Collected& into, BasicHeaders& headers) {
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

void collect_properties(base::ByteView properties, Collected& into, BasicHeaders& headers) {
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
  BasicHeaders headers(headers_);
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
