// SPDX-License-Identifier: Apache-2.0
#include "message/text.h"

#include <algorithm>
#include <cstring>

#include "message/annotations.h"

namespace sluice::message {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
// -1 when one of the two is no digit.
int hex_byte(const char* at) {
  const int high = hex_digit(at[0]);
  const int low = hex_digit(at[1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Bytes of the UTF-8 sequence at `at`, 0 when malformed (overlong, a surrogate, beyond U+10FFFF, cut).
std::size_t sequence_bytes(const std::uint8_t* at, std::size_t left) {
  const auto continues = [&](std::size_t i) { return (at[i] & 0xC0) == 0x80; };
  const std::uint8_t lead = at[0];
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return left >= 2 && continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (left < 3 || !continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && at[1] < 0xA0) return 0;
    if (lead == 0xED && at[1] > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (left < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xF0 && at[1] < 0x90) return 0;
    if (lead == 0xF4 && at[1] > 0x8F) return 0;
    return 4;
  }
  return 0;
}

bool has_dash_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  std::size_t left = text.size();
  while (left > 0) {
    if (left >= 8) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, at, 8);
      if ((eight & 0x8080808080808080U) == 0) {
        at += 8;
        left -= 8;
        continue;
      }
    }
    const std::size_t size = sequence_bytes(at, left);
    if (size == 0) return false;
    at += size;
    left -= size;
  }
  return true;
}

std::optional<Uuid> uuid_from_urn(std::string_view text) {
  if (!text.starts_with(annotation::uuid_prefix)) return std::nullopt;
  text.remove_prefix(annotation::uuid_prefix.size());
  if (text.size() != 36) return std::nullopt;
  Uuid uuid{};
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (has_dash_before(i)) {
      if (text[0] != '-') return std::nullopt;
      text.remove_prefix(1);
    }
    const int byte = hex_byte(text.data());
    if (byte < 0) return std::nullopt;
    uuid[i] = static_cast<std::uint8_t>(byte);
    text.remove_prefix(2);
  }
  return uuid;
}

std::string_view uuid_to_urn(std::string_view uuid, std::span<char> to) {
  static constexpr std::string_view hex = "0123456789abcdef";
  char* at = std::ranges::copy(annotation::uuid_prefix, to.data()).out;
  for (std::size_t i = 0; i < 16; ++i) {
    if (has_dash_before(i)) *at++ = '-';
    const auto byte = static_cast<std::uint8_t>(uuid[i]);
    *at++ = hex[byte >> 4];
    *at++ = hex[byte & 15];
  }
  return {to.data(), static_cast<std::size_t>(at - to.data())};
}

std::optional<std::string_view> percent_decode(std::string_view text, std::span<char> to) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (size == to.size()) return std::nullopt;
    if (text[i] != '%') {
      to[size++] = text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int byte = hex_byte(text.data() + i + 1);
    if (byte < 0) return std::nullopt;
    to[size++] = static_cast<char>(byte);
    i += 2;
  }
  return std::string_view(to.data(), size);
}

}  // namespace sluice::message
