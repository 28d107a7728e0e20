// SPDX-License-Identifier: Apache-2.0
#include "broker/sasl.h"

#include <algorithm>

namespace sluice::broker {
namespace {

base::Result<Credentials> parse_plain(std::string_view text) {
  const std::size_t first = text.find('\0');
  const std::size_t second = first == text.npos ? text.npos : text.find('\0', first + 1);
  if (second == text.npos) return base::fail(base::Errc::malformed, "PLAIN without two NULs");
  Credentials credentials;
  credentials.user = text.substr(first + 1, second - first - 1);
  credentials.password = text.substr(second + 1);
  return credentials;
}

base::Result<Credentials> parse_amqplain(base::ByteView data) {
  Credentials credentials;
  bool has_user = false, has_password = false;
  base::ByteReader reader(data);
  while (!reader.at_end()) {
    const std::string_view key = base::as_text(reader.read_bytes(reader.read<std::uint8_t>()));
    const auto type = reader.read<std::uint8_t>();
    const std::string_view value = base::as_text(reader.read_bytes(reader.read<std::uint32_t>()));
    if (!reader.ok() || type != 'S')
      return base::fail(base::Errc::malformed, "AMQPLAIN is not a table of strings");
    if (key == "LOGIN") credentials.user = value, has_user = true;
    if (key == "PASSWORD") credentials.password = value, has_password = true;
  }
  if (!has_user || !has_password)
    return base::fail(base::Errc::malformed, "AMQPLAIN without LOGIN or PASSWORD");
  return credentials;
}

}  // namespace

bool is_sasl_mechanism(std::string_view name) {
  return std::find(sasl_mechanisms.begin(), sasl_mechanisms.end(), name) != sasl_mechanisms.end();
}

base::Result<Credentials> parse_sasl(std::string_view mechanism, base::ByteView data) {
  if (mechanism == "PLAIN") return parse_plain(base::as_text(data));
  if (mechanism == "AMQPLAIN") return parse_amqplain(data);
  Credentials credentials;
  credentials.anonymous = true;
  return credentials;
}

}  // namespace sluice::broker
