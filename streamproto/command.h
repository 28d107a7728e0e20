// SPDX-License-Identifier: Apache-2.0
// What a command is: a described struct with `static constexpr CommandInfo info` and example frames. encode()
// and decode() are all there is to the wire of a command; dispatch, documents and tests walk the lists in
// commands.h.
#pragma once

#include <array>
#include <string_view>

#include "base/error.h"
#include "streamproto/frame.h"
#include "streamproto/wire.h"

namespace sluice::streamproto {

enum class Direction : std::uint8_t { client_to_server, server_to_client, both };

struct CommandInfo {
  std::string_view name;
  Key key;
  bool response = false;
  Direction direction = Direction::client_to_server;
  bool correlated = true;  // a correlation id follows the version
  std::uint16_t max_version = 1;
  bool exchanged = false;  // listed in the server's ExchangeCommandVersions answer
  std::string_view doc;

  constexpr std::uint16_t raw_key() const {
    return static_cast<std::uint16_t>(static_cast<std::uint16_t>(key) | (response ? response_bit : 0));
  }
  constexpr bool has_version(std::uint16_t version) const { return version >= 1 && version <= max_version; }
};

template <class T>
concept Command = base::Described<T> && requires {
  { T::info } -> std::convertible_to<const CommandInfo&>;
  T::examples;
};

template <Command T>
struct Received {
  std::uint32_t correlation = 0;  // 0 where the command has none
  T message;
};

// Appends one frame. `correlation` is ignored where the command has none.
template <Command T>
void encode(const T& message, std::uint32_t correlation, ByteBuffer& to, std::uint16_t version = 1) {
  ByteWriter writer(to);
  const std::size_t begin = writer.size();
  writer.write(std::uint32_t{0});
  writer.write(T::info.raw_key());
  writer.write(version);
  if constexpr (T::info.correlated) writer.write(correlation);
  Codec<T>::write(writer, message, {version, T::info.response});
  writer.patch(begin, static_cast<std::uint32_t>(writer.size() - begin - frame_size_bytes));
}

// Decodes the body of a frame whose key and version were found to be T's. Views in the result point into the
// frame.
template <Command T>
base::Result<Received<T>> decode(ByteView body, std::uint16_t version = 1) {
  ByteReader reader(body);
  Received<T> received;
  if constexpr (T::info.correlated) received.correlation = reader.read<std::uint32_t>();
  received.message = Codec<T>::read(reader, {version, T::info.response});
  if (!reader.ok() || !reader.at_end()) {
    return base::fail(
        base::Errc::malformed,
        std::string(T::info.name) + (reader.ok() ? ": bytes left over" : ": too short or invalid"));
  }
  return received;
}

template <Command T>
base::Result<Received<T>> decode(const Frame& frame) {
  if (frame.raw_key != T::info.raw_key() || !T::info.has_version(frame.version)) {
    return base::fail(base::Errc::malformed, "not a " + std::string(T::info.name));
  }
  return decode<T>(frame.body, frame.version);
}

// A response that is nothing but its code.
template <Key command_key>
struct CodeResponse {
  ResponseCode code = ResponseCode::ok;
  static constexpr auto fields() { return std::tuple{base::field("code", &CodeResponse::code, "outcome")}; }
  friend bool operator==(const CodeResponse&, const CodeResponse&) = default;
};

struct Property {
  std::string_view key;
  std::string_view value;
  static constexpr auto fields() {
    return std::tuple{base::field("key", &Property::key, ""), base::field("value", &Property::value, "")};
  }
  friend bool operator==(const Property&, const Property&) = default;
};

using Properties = std::vector<Property>;

// The value of the first property of that key, empty when there is none.
inline std::string_view find_property(const Properties& properties, std::string_view key) {
  for (const Property& property : properties) {
    if (property.key == key) return property.value;
  }
  return {};
}

}  // namespace sluice::streamproto
