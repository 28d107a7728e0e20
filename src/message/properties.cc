// SPDX-License-Identifier: Apache-2.0
#include "message/properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/check.h"
#include "message/expiry.h"

namespace sluice::message {
namespace {

// Calls visit(flag, member) in wire order; the one list both directions share.
template <class Properties, class Visit>
void for_each_property(Properties& p, Visit&& visit) {
  visit(Property::content_type, p.content_type);
  visit(Property::content_encoding, p.content_encoding);
  visit(Property::headers, p.headers);
  visit(Property::delivery_mode, p.delivery_mode);
  visit(Property::priority, p.priority);
  visit(Property::correlation_id, p.correlation_id);
  visit(Property::reply_to, p.reply_to);
  visit(Property::expiration, p.expiration);
  visit(Property::message_id, p.message_id);
  visit(Property::timestamp, p.timestamp);
  visit(Property::type, p.type);
  visit(Property::user_id, p.user_id);
  visit(Property::app_id, p.app_id);
  visit(Property::cluster_id, p.cluster_id);
}

void read_value(base::ByteReader& from, std::string_view& value) {
  value = base::as_text(from.read_bytes(from.read<std::uint8_t>()));
}
void read_value(base::ByteReader& from, base::FieldTableView& value) {
  value = base::FieldTableView(from.read_bytes(from.read<std::uint32_t>()));
  if (!value.well_formed()) from.set_failed();
}
template <std::integral T>
void read_value(base::ByteReader& from, T& value) {
  value = from.read<T>();
}

void write_value(base::ByteWriter& to, std::string_view value) {
  value = value.substr(0, short_text_bytes_max);
  to.write(static_cast<std::uint8_t>(value.size()));
  to.write_bytes(base::as_bytes(value));
}
void write_value(base::ByteWriter& to, const base::FieldTableView& value) {
  to.write(static_cast<std::uint32_t>(value.bytes().size()));
  to.write_bytes(value.bytes());
}
template <std::integral T>
void write_value(base::ByteWriter& to, T value) {
  to.write(value);
}

// Writes all properties that are there; `write(member)` writes one value.
template <class Write>
void write_properties(const BasicProperties& properties, base::ByteWriter& to, Write&& write) {
  const std::size_t flags_at = to.size();
  unsigned flags = 0;
  to.write(std::uint16_t{0});
  for_each_property(properties, [&](Property flag, const auto& member) {
    if (!member) return;
    flags |= static_cast<unsigned>(flag);
    write(*member);
  });
  to.patch(flags_at, static_cast<std::uint16_t>(flags));
}

// Bytes of the payload behind a type letter; nothing for an unknown letter. `from` stands behind the letter
// and, for sized types, is moved behind the length.
std::optional<std::size_t> payload_bytes(char type, base::ByteReader& from) {
  switch (type) {
    case 'V':
      return 0;
    case 't':
    case 'b':
    case 'B':
      return 1;
    case 's':
    case 'u':
      return 2;
    case 'I':
    case 'i':
    case 'f':
      return 4;
    case 'D':
      return 5;
    case 'l':
    case 'd':
    case 'T':
      return 8;
    case 'S':
    case 'x':
    case 'A':
    case 'F':
      return from.read<std::uint32_t>();
    default:
      return std::nullopt;
  }
}

std::string_view type_name(char type) {
  static constexpr std::pair<char, std::string_view> names[] = {
      {'t', "bool"},          {'b', "byte"},      {'B', "unsignedbyte"}, {'s', "short"},
      {'u', "unsignedshort"}, {'I', "signedint"}, {'i', "unsignedint"},  {'l', "long"},
      {'f', "float"},         {'d', "double"},    {'D', "decimal"},      {'S', "longstr"},
      {'A', "array"},         {'T', "timestamp"}, {'F', "table"},        {'V', "void"},
      {'x', "binary"}};
  const auto* const found = std::ranges::find(names, type, [](const auto& row) { return row.first; });
  return found == std::end(names) ? "unknown" : found->second;
}

}  // namespace

base::Result<BasicProperties> decode_properties(base::ByteView bytes) {
  BasicProperties properties;
  base::ByteReader from(bytes);
  const auto flags = from.read<std::uint16_t>();
  // Bit 0 announces a second flag word, which no property of class basic uses; bit 1 is no property.
  if ((flags & 3) != 0) from.set_failed();
  for_each_property(properties, [&](Property flag, auto& member) {
    if ((flags & static_cast<std::uint16_t>(flag)) != 0) read_value(from, member.emplace());
  });
  if (!from.ok() || !from.at_end()) return base::fail(base::Errc::malformed, "malformed content properties");
  return properties;
}

void encode_properties(const BasicProperties& properties, base::ByteBuffer& to) {
  base::ByteWriter writer(to);
  write_properties(properties, writer, [&](const auto& value) { write_value(writer, value); });
}

base::Result<std::optional<std::uint64_t>> expiration_ms(const BasicProperties& properties) {
  if (!properties.expiration) return std::nullopt;
  const std::string_view text = *properties.expiration;
  const auto refuse = [&](const std::string& why) {
    return base::fail(base::Errc::precondition_failed, fmt::format("invalid expiration '{}': {}", text, why));
  };
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return refuse("no_integer");
  if (end != text.data() + text.size()) {
    return refuse(
        fmt::format("{{leftover_string,\"{}\"}}", std::string_view(end, text.data() + text.size())));
  }
  if (error != std::errc() || number > expiry_ms_max)
    return refuse(fmt::format("{{value_too_large,{}}}", text));
  if (number < 0) return refuse(fmt::format("{{value_negative,{}}}", number));
  return static_cast<std::uint64_t>(number);
}

bool HeaderCursor::next(HeaderEntry& entry) {
  if (from_.at_end()) return false;
  const std::size_t begin = from_.position();
  entry.name =
      of_ == Of::table ? base::as_text(from_.read_bytes(from_.read<std::uint8_t>())) : std::string_view();
  entry.type = static_cast<char>(from_.read<std::uint8_t>());
  const auto size = payload_bytes(entry.type, from_);
  if (!size) from_.set_failed();
  entry.value = from_.read_bytes(size.value_or(0));
  if (!from_.ok()) return false;
  entry.entry = bytes_.subspan(begin, from_.position() - begin);
  return true;
}

std::optional<HeaderEntry> find_header(const BasicProperties& properties, std::string_view name) {
  if (!properties.headers) return std::nullopt;
  HeaderCursor cursor(*properties.headers);
  HeaderEntry entry;
  while (cursor.next(entry))
    if (entry.name == name) return entry;
  return std::nullopt;
}

std::optional<std::string_view> text_header(const BasicProperties& properties, std::string_view name) {
  const auto entry = find_header(properties, name);
  if (!entry || (entry->type != 'S' && entry->type != 'x')) return std::nullopt;
  return base::as_text(entry->value);
}

std::optional<std::int64_t> integer_header(const BasicProperties& properties, std::string_view name) {
  const auto entry = find_header(properties, name);
  if (!entry) return std::nullopt;
  base::ByteReader from(entry->value);
  switch (entry->type) {
    case 'b':
      return from.read<std::int8_t>();
    case 'B':
      return from.read<std::uint8_t>();
    case 's':
      return from.read<std::int16_t>();
    case 'u':
      return from.read<std::uint16_t>();
    case 'I':
      return from.read<std::int32_t>();
    case 'i':
      return from.read<std::uint32_t>();
    case 'l':
      return from.read<std::int64_t>();
    default:
      return std::nullopt;
  }
}

namespace detail {

base::Result<std::optional<base::ByteView>> sender_selected_array(const BasicProperties& properties,
                                                                  std::string_view name) {
  const auto entry = find_header(properties, name);
  if (!entry) return std::nullopt;
  if (entry->type == 'A') return entry->value;
  return base::fail(base::Errc::precondition_failed,
                    fmt::format("invalid message: {{unacceptable_type_in_header,\"{}\",{}}}", name,
                                type_name(entry->type)));
}

}  // namespace detail

base::Result<> PropertiesEditor::begin(base::ByteView encoded) {
  edited_count_ = 0;
  added_.clear();
  TRY(properties, decode_properties(encoded));
  properties_ = properties;
  return {};
}

bool PropertiesEditor::is_edited(std::string_view name) const {
  const auto end = edited_.begin() + static_cast<std::ptrdiff_t>(edited_count_);
  return std::find(edited_.begin(), end, name) != end;
}

void PropertiesEditor::edit(std::string_view name) {
  INVARIANT(!is_edited(name), "header {} is edited twice", name);
  INVARIANT(edited_count_ < header_edits_max, "more than {} edited headers", header_edits_max);
  edited_[edited_count_++] = name;
}

void PropertiesEditor::set_header(std::string_view name, const base::FieldValue& value) {
  edit(name);
  base::ByteWriter writer(added_);
  base::write_field_entry(writer, name, value);
}

void PropertiesEditor::remove_header(std::string_view name) {
  edit(name);
}

void PropertiesEditor::write(base::ByteBuffer& to) const {
  base::ByteWriter writer(to);
  const auto write_headers = [&](const base::FieldTableView& headers) {
    const std::size_t size_at = to.size();
    writer.write(std::uint32_t{0});
    HeaderCursor cursor(headers);
    HeaderEntry entry;
    while (cursor.next(entry))
      if (!is_edited(entry.name)) writer.write_bytes(entry.entry);
    writer.write_bytes(added_);
    writer.patch(size_at, static_cast<std::uint32_t>(to.size() - size_at - 4));
  };
  BasicProperties properties = properties_;
  if (!properties.headers && !added_.empty()) properties.headers.emplace();
  write_properties(properties, writer, [&](const auto& value) {
    if constexpr (std::same_as<std::remove_cvref_t<decltype(value)>, base::FieldTableView>) {
      if (edited_count_ > 0) return write_headers(value);
    }
    write_value(writer, value);
  });
}

}  // namespace sluice::message
