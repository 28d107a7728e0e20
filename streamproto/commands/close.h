// SPDX-License-Identifier: Apache-2.0
// Ends the connection, from either side, with a code and a reason. The other side answers, then closes.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Close {
  ResponseCode closing_code = ResponseCode::ok;
  std::string_view reason;

  static constexpr CommandInfo info{.name = "Close",
                                    .key = Key::close,
                                    .direction = Direction::both,
                                    .exchanged = true,
                                    .doc = "ends the connection; from a server: 13, 14"};
  static constexpr std::array examples = {
      std::string_view("0000000E 0016 0001 00000001 0001 0002 4F4B"),
      std::string_view("0000001B 0016 0001 00000001 000E 000F 6672616D6520746F6F206C61726765")};
  static constexpr auto fields() {
    return std::tuple{base::field("closing_code", &Close::closing_code, ""),
                      base::field("reason", &Close::reason, "")};
  }
};

struct CloseResponse : CodeResponse<Key::close> {
  static constexpr CommandInfo info{
      .name = "CloseResponse", .key = Key::close, .response = true, .direction = Direction::both, .doc = "1"};
  static constexpr std::array examples = {std::string_view("0000000A 8016 0001 00000001 0001")};
};

}  // namespace sluice::streamproto
