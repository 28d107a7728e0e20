// SPDX-License-Identifier: Apache-2.0
#include "streamproto/hex.h"

namespace sluice::streamproto {
namespace {

constexpr std::string_view digits = "0123456789ABCDEF";

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(base::ByteView bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

base::ByteBuffer from_hex(std::string_view text) {
  base::ByteBuffer bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int value = digit_value(c);
    if (value < 0) break;
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high * 16 + value));
      high = -1;
    }
  }
  return bytes;
}

}  // namespace sluice::streamproto
