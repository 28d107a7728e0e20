// SPDX-License-Identifier: Apache-2.0
// What SASL mechanisms send, as credentials. Pure: bytes in, credentials or "malformed" out; whether they are
// right is the broker's answer.
#pragma once

#include <array>

#include "base/bytes.h"
#include "broker/types.h"

namespace sluice::broker {

inline constexpr std::array<std::string_view, 3> sasl_mechanisms{"PLAIN", "AMQPLAIN", "ANONYMOUS"};

bool is_sasl_mechanism(std::string_view name);

// `mechanism` must be one of the above. PLAIN: identity NUL user NUL password (RFC 4616; the identity is
// ignored). AMQPLAIN: an AMQP 0-9-1 field table without its length, with LOGIN and PASSWORD as long strings.
base::Result<Credentials> parse_sasl(std::string_view mechanism, base::ByteView data);

}  // namespace sluice::broker
