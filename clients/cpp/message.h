// SPDX-License-Identifier: Apache-2.0
// The AMQP 1.0 message that stream clients put into a stream entry: message annotations, properties,
// application properties and one data section, so that what this library publishes can be read by the Java,
// .NET, Go and JavaScript clients and by filter expressions on the server, and the reverse.
//
// Producers encode before publishing, consumers decode what they were handed; the broker sees opaque bytes.
// Types kept: null, boolean, integers, floating point, string, symbol, binary, timestamp. Nested lists, maps
// and arrays in a value are stepped over and read as null. Sections other than data in the body (sequence,
// value) are refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace sluice::client {

struct Symbol {
  std::string text;
  friend bool operator==(const Symbol&, const Symbol&) = default;
};
struct Timestamp {
  std::int64_t unix_ms = 0;
  friend bool operator==(const Timestamp&, const Timestamp&) = default;
};
struct Binary {
  base::ByteBuffer bytes;
  friend bool operator==(const Binary&, const Binary&) = default;
};

using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Symbol,
                           Timestamp, Binary>;
using ValueMap = std::vector<std::pair<std::string, Value>>;  // in the order of the message

// The AMQP 1.0 properties section; a monostate or an empty optional is an absent field.
struct MessageProperties {
  Value message_id;
  std::optional<Binary> user_id;
  std::optional<std::string> to;
  std::optional<std::string> subject;
  std::optional<std::string> reply_to;
  Value correlation_id;
  std::optional<Symbol> content_type;
  std::optional<Symbol> content_encoding;
  std::optional<Timestamp> absolute_expiry_time;
  std::optional<Timestamp> creation_time;
  std::optional<std::string> group_id;
  std::optional<std::uint32_t> group_sequence;
  std::optional<std::string> reply_to_group_id;
  friend bool operator==(const MessageProperties&, const MessageProperties&) = default;
};

struct Message {
  ValueMap annotations;
  std::optional<MessageProperties> properties;
  ValueMap application_properties;
  base::ByteBuffer body;
  friend bool operator==(const Message&, const Message&) = default;
};

// A message whose only section is `body`.
base::ByteBuffer encode_data(base::ByteView body);
base::ByteBuffer encode(const Message& message);

// `bytes` must be the whole entry. Copies what it keeps.
base::Result<Message> decode(base::ByteView bytes);

// The first data section only, as a view into `bytes`; skips the rest without decoding it.
base::Result<base::ByteView> data_of(base::ByteView bytes);

const Value* find(const ValueMap& map, std::string_view key);

}  // namespace sluice::client
