// SPDX-License-Identifier: Apache-2.0
// Nothing but a sign of life; sent by both ends when they have nothing else to send.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Heartbeat {
  static constexpr CommandInfo info{.name = "Heartbeat",
                                    .key = Key::heartbeat,
                                    .direction = Direction::both,
                                    .correlated = false,
                                    .exchanged = true,
                                    .doc = "a sign of life"};
  static constexpr std::array examples = {std::string_view("00000004 0017 0001")};
  static constexpr auto fields() { return std::tuple{}; }
};

}  // namespace sluice::streamproto
