// SPDX-License-Identifier: Apache-2.0
// Grants more chunks to a subscription. There is an answer only when something is wrong, and it has no
// correlation id.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Credit {
  std::uint8_t subscription_id = 0;
  std::uint16_t credit = 0;

  static constexpr CommandInfo info{.name = "Credit",
                                    .key = Key::credit,
                                    .direction = Direction::client_to_server,
                                    .correlated = false,
                                    .exchanged = true,
                                    .doc = "grants chunks; answered only on error"};
  static constexpr std::array examples = {std::string_view("00000007 0009 0001 00 0001")};
  static constexpr auto fields() {
    return std::tuple{base::field("subscription_id", &Credit::subscription_id, "of Subscribe"),
                      base::field("credit", &Credit::credit, "chunks")};
  }
};

struct CreditResponse {
  ResponseCode code = ResponseCode::ok;
  std::uint8_t subscription_id = 0;

  static constexpr CommandInfo info{.name = "CreditResponse",
                                    .key = Key::credit,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .correlated = false,
                                    .doc = "4 unknown subscription, 17 inactive single active consumer"};
  static constexpr std::array examples = {std::string_view("00000007 8009 0001 0004 00")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &CreditResponse::code, "what is wrong"),
                      base::field("subscription_id", &CreditResponse::subscription_id, "of Credit")};
  }
};

}  // namespace sluice::streamproto
