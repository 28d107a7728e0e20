// SPDX-License-Identifier: Apache-2.0
// Ends a subscription. Deliver frames may still be on their way.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Unsubscribe {
  std::uint8_t subscription_id = 0;

  static constexpr CommandInfo info{.name = "Unsubscribe",
                                    .key = Key::unsubscribe,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "ends a subscription"};
  static constexpr std::array examples = {std::string_view("00000009 000C 0001 00000009 00")};
  static constexpr auto fields() {
    return std::tuple{base::field("subscription_id", &Unsubscribe::subscription_id, "of Subscribe")};
  }
};

struct UnsubscribeResponse : CodeResponse<Key::unsubscribe> {
  static constexpr CommandInfo info{.name = "UnsubscribeResponse",
                                    .key = Key::unsubscribe,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 4"};
  static constexpr std::array examples = {std::string_view("0000000A 800C 0001 00000009 0001")};
};

}  // namespace sluice::streamproto
