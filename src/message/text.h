// SPDX-License-Identifier: Apache-2.0
// Small text forms that conversions need: UTF-8 validity, UUIDs as text, percent-encoding. Pure, no
// allocation; output goes to arrays of the caller's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice::message {

bool is_utf8(std::string_view text);

using Uuid = std::array<std::uint8_t, 16>;
// "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
std::optional<Uuid> uuid_from_urn(std::string_view text);
// `uuid` has 16 bytes, `to` at least 45.
std::string_view uuid_to_urn(std::string_view uuid, std::span<char> to);

// Calls write(char) for each character, all but the unreserved ones of RFC 3986 as %XX.
template <class Write>
void percent_encode(std::string_view text, Write&& write) {
  static constexpr std::string_view hex = "0123456789ABCDEF";
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || c == '-' || c == '.' || c == '_' || c == '~') {
      write(c);
    } else {
      write('%');
      write(hex[static_cast<std::uint8_t>(c) >> 4]);
      write(hex[static_cast<std::uint8_t>(c) & 15]);
    }
  }
}
// Nothing when it is not well-formed or longer than `to`.
std::optional<std::string_view> percent_decode(std::string_view text, std::span<char> to);

}  // namespace sluice::message
