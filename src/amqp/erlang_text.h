// SPDX-License-Identifier: Apache-2.0
// Bytes as RabbitMQ prints them in its reply texts: <<"text">> when printable, else <<1,2,3>>. Cut to what a
// reply text can hold.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/bytes.h"

namespace sluice::amqp {

inline std::string binary_text(base::ByteView bytes) {
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), 64));
  const auto printable = [](std::uint8_t b) { return b >= 0x20 && b < 0x7f; };
  if (bytes.empty()) return "<<>>";
  if (std::ranges::all_of(bytes, printable)) return fmt::format("<<\"{}\">>", base::as_text(bytes));
  return fmt::format("<<{}>>", fmt::join(bytes, ","));
}

// "all octets = <<...>>" or, of longer ones, "first 16 octets = <<...>>".
inline std::string octets_text(base::ByteView bytes) {
  if (bytes.size() <= 16) return "all octets = " + binary_text(bytes);
  return "first 16 octets = " + binary_text(bytes.first(16));
}

}  // namespace sluice::amqp
