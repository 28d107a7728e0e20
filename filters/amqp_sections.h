// SPDX-License-Identifier: Apache-2.0
// Finds the sections of an AMQP 1.0 message (part 3.2 of the standard) and single values in them, without
// copies.
//
// Bodies come from publishers, so nothing here trusts them: never throws, never allocates, bounded depth, and
// work linear in the bytes. Views point into the message. Whatever cannot be read is absent; what stood
// before it holds. Used by filter expressions; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace sluice::filters {

struct AmqpValue {
  enum class Kind : std::uint8_t {
    absent,  // no such field
    null,
    boolean,
    integer,    // all signed types
    uinteger,   // all unsigned types
    real,       // float and double
    string,     // string and symbol
    timestamp,  // ms since the epoch, in `integer`
    binary,
    uuid,  // 16 bytes
    other  // char, decimals, lists, maps, arrays, described: present, but nothing to compare with
  };
  Kind kind = Kind::absent;
  std::uint8_t code = 0;  // the constructor, for who needs the exact type
  union {
    bool boolean;
    std::int64_t integer = 0;
    std::uint64_t uinteger;
    double real;
  };
  std::string_view text;  // string, binary, uuid; other: the bytes behind the constructor and the size
};

// Fields of the properties section, in the order of the standard.
enum class AmqpProperty : std::uint8_t {
  message_id,
  user_id,
  to,
  subject,
  reply_to,
  correlation_id,
  content_type,
  content_encoding,
  absolute_expiry_time,
  creation_time,
  group_id,
  group_sequence,
  reply_to_group_id
};
inline constexpr std::size_t amqp_property_count = 13;
// "subject" -> AmqpProperty::subject; '-' and '_' are the same.
std::optional<AmqpProperty> amqp_property_by_name(std::string_view name);
std::string_view to_string(AmqpProperty property);

// Reads one value (constructor and data) and moves `bytes` behind it. False: malformed or nested too deep.
bool read_amqp_value(base::ByteView& bytes, AmqpValue& value);

// Walks the fields of a list (properties) or the pairs of a map (the other sections).
class AmqpListCursor {
 public:
  explicit AmqpListCursor(base::ByteView list);  // from its constructor on
  explicit AmqpListCursor(const AmqpValue& list);
  bool next(AmqpValue& value);

 private:
  base::ByteView rest_;
  std::uint32_t left_ = 0;
};
class AmqpMapCursor {
 public:
  explicit AmqpMapCursor(base::ByteView map);
  explicit AmqpMapCursor(const AmqpValue& map);
  bool next(AmqpValue& key, AmqpValue& value);

 private:
  base::ByteView rest_;
  std::uint32_t left_ = 0;
};

// Walks the items of an array, which share one constructor. Arrays of described values have no items here.
class AmqpArrayCursor {
 public:
  explicit AmqpArrayCursor(const AmqpValue& array);
  bool next(AmqpValue& value);

 private:
  base::ByteView rest_;
  std::uint32_t left_ = 0;
  std::uint8_t code_ = 0;
};

// Descriptor codes of the sections (part 3.2 of the standard).
enum class AmqpSection : std::uint8_t {
  header = 0x70,
  delivery_annotations,
  message_annotations,
  properties,
  application_properties,
  data,
  sequence,
  value,
  footer
};

// Reads one section and moves `bytes` behind it; `content` is its list, map or value from the constructor on.
// False: no section.
bool read_amqp_section(base::ByteView& bytes, AmqpSection& which, base::ByteView& content);

struct AmqpSections {
  // Each from its list or map constructor on; empty when absent. Reading stops at the body.
  base::ByteView header;
  base::ByteView delivery_annotations;
  base::ByteView message_annotations;
  base::ByteView properties;
  base::ByteView application_properties;
  base::ByteView body;     // from the descriptor of the first body section to the message's end
  bool has_body = false;   // a data, sequence or value section was reached
  bool malformed = false;  // something before the body could not be read

  static AmqpSections parse(base::ByteView message);

  AmqpValue property(AmqpProperty which) const;
  AmqpValue application_property(std::string_view name) const;
  AmqpValue message_annotation(std::string_view name) const;
};

}  // namespace sluice::filters
