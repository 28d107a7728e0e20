// SPDX-License-Identifier: Apache-2.0
// Values as RabbitMQ prints them in its reply texts, on which people's tests match: bytes are <<"text">> when
// printable, else <<1,2,3>>. Cut to what a reply text can hold.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/field_table.h"

namespace sluice::base {

inline std::string binary_text(ByteView bytes) {
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), 64));
  const auto printable = [](std::uint8_t b) { return b >= 0x20 && b < 0x7f; };
  if (bytes.empty()) return "<<>>";
  if (std::ranges::all_of(bytes, printable)) return fmt::format("<<\"{}\">>", as_text(bytes));
  return fmt::format("<<{}>>", fmt::join(bytes, ","));
}
inline std::string binary_text(std::string_view text) {
  return binary_text(as_bytes(text));
}

// "all octets = <<...>>" or, of longer ones, "first 16 octets = <<...>>".
inline std::string octets_text(ByteView bytes) {
  if (bytes.size() <= 16) return "all octets = " + binary_text(bytes);
  return "first 16 octets = " + binary_text(bytes.first(16));
}

// Strings as binaries, all else as to_text().
inline std::string erlang_text(const FieldValue& value) {
  const auto text = value.text();
  return text ? binary_text(*text) : to_text(value);
}

}  // namespace sluice::base
