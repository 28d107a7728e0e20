// SPDX-License-Identifier: Apache-2.0
// The properties of an AMQP 0-9-1 message (class basic) in their encoded form: 16 bits of flags, then the
// values that are there, highest flag first. The broker keeps them as the bytes they came in and gives them
// back untouched; this file reads single ones as views, and writes them again with changes.
//
// Pure; called by protocols, routing and queues on any shard. Decoding never throws and never allocates;
// whatever decode_properties accepted is well-formed to its depth, headers included.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/field_table.h"

namespace sluice::message {

// Bits of the property flags, highest first as the specification orders the properties.
enum class Property : std::uint16_t {
  content_type = 1 << 15,
  content_encoding = 1 << 14,
  headers = 1 << 13,
  delivery_mode = 1 << 12,
  priority = 1 << 11,
  correlation_id = 1 << 10,
  reply_to = 1 << 9,
  expiration = 1 << 8,
  message_id = 1 << 7,
  timestamp = 1 << 6,
  type = 1 << 5,
  user_id = 1 << 4,
  app_id = 1 << 3,
  cluster_id = 1 << 2,
};

inline constexpr std::uint8_t delivery_mode_persistent = 2;
inline constexpr std::size_t short_text_bytes_max = 255;  // a short string carries its length in one byte

struct BasicProperties {
  std::optional<std::string_view> content_type, content_encoding;
  std::optional<base::FieldTableView> headers;
  std::optional<std::uint8_t> delivery_mode, priority;
  std::optional<std::string_view> correlation_id, reply_to, expiration, message_id;
  std::optional<std::uint64_t> timestamp;
  std::optional<std::string_view> type, user_id, app_id, cluster_id;

  bool persistent() const { return delivery_mode == delivery_mode_persistent; }
};

// `bytes` begins with the property flags. Views into it. Bytes behind the last property are an error.
base::Result<BasicProperties> decode_properties(base::ByteView bytes);
// Appends flags and values; texts are cut at 255 bytes.
void encode_properties(const BasicProperties& properties, base::ByteBuffer& to);

// The expiration property in ms; nothing when absent. precondition_failed with RabbitMQ's text when it is not
// a decimal number up to expiry_ms_max (message/expiry.h).
base::Result<std::optional<std::uint64_t>> expiration_ms(const BasicProperties& properties);

// One header as it lies in the table: `value` is the payload behind the type letter (for S, x, A and F
// without the length). `entry` is the whole entry, key and all.
struct HeaderEntry {
  std::string_view name;
  char type = 'V';
  base::ByteView value;
  base::ByteView entry;
};

// Walks a table, or the items of an array (names stay empty), one level deep.
class HeaderCursor {
 public:
  enum class Of : std::uint8_t { table, array };
  explicit HeaderCursor(base::ByteView bytes, Of of = Of::table) : from_(bytes), bytes_(bytes), of_(of) {}
  explicit HeaderCursor(base::FieldTableView table) : HeaderCursor(table.bytes()) {}
  bool next(HeaderEntry& entry);
  bool ok() const { return from_.ok(); }  // false after malformed bytes ended the walk

 private:
  base::ByteReader from_;
  base::ByteView bytes_;
  Of of_;
};

// The first header of this name, without decoding it.
std::optional<HeaderEntry> find_header(const BasicProperties& properties, std::string_view name);
std::optional<std::string_view> text_header(const BasicProperties& properties,
                                            std::string_view name);  // S or x
std::optional<std::int64_t> integer_header(const BasicProperties& properties, std::string_view name);

// Calls visit(routing_key) for every long string in the headers CC and BCC. precondition_failed with
// RabbitMQ's text when one of the two is no array; then some may have been visited.
template <class Visit>
base::Result<> for_each_sender_selected(const BasicProperties& properties, Visit&& visit);

// Encoded properties written again with changes; what is not changed is copied as it is. One editor can serve
// many messages: begin() forgets the last one and keeps the memory. The views given to begin() and set_*()
// must live until write().
class PropertiesEditor {
 public:
  static constexpr std::size_t header_edits_max = 16;

  base::Result<> begin(base::ByteView encoded);
  // Decoded; scalar properties are changed by assigning to them, headers only through the calls below.
  BasicProperties& properties() { return properties_; }
  // Replaces all headers of this name by one at the table's end. Encoded at once: `value` need not live on.
  void set_header(std::string_view name, const base::FieldValue& value);
  void remove_header(std::string_view name);
  // Appends to `to`. An empty table that came in as an absent one stays absent.
  void write(base::ByteBuffer& to) const;

 private:
  bool is_edited(std::string_view name) const;
  void edit(std::string_view name);

  BasicProperties properties_;
  std::array<std::string_view, header_edits_max> edited_;
  std::size_t edited_count_ = 0;
  base::ByteBuffer added_;  // encoded entries
};

// ---- below: implementation of the templates ----

namespace detail {
base::Result<std::optional<base::ByteView>> sender_selected_array(const BasicProperties& properties,
                                                                  std::string_view name);
}  // namespace detail

template <class Visit>
base::Result<> for_each_sender_selected(const BasicProperties& properties, Visit&& visit) {
  if (!properties.headers) return {};
  for (const std::string_view name : {std::string_view("CC"), std::string_view("BCC")}) {
    TRY(array, detail::sender_selected_array(properties, name));
    if (!array) continue;
    HeaderCursor cursor(*array, HeaderCursor::Of::array);
    HeaderEntry item;
    while (cursor.next(item))
      if (item.type == 'S') visit(base::as_text(item.value));
  }
  return {};
}

}  // namespace sluice::message
