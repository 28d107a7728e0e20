// SPDX-License-Identifier: Apache-2.0
// Enters a virtual host. On success the response carries advertised_host and advertised_port; otherwise
// nothing stands behind its code.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Open {
  std::string_view vhost;

  static constexpr CommandInfo info{.name = "Open",
                                    .key = Key::open,
                                    .direction = Direction::client_to_server,
                                    .doc = "enters a virtual host"};
  static constexpr std::array examples = {std::string_view("0000000B 0015 0001 00000003 0001 2F")};
  static constexpr auto fields() { return std::tuple{base::field("vhost", &Open::vhost, "")}; }
};

struct OpenResponse {
  ResponseCode code = ResponseCode::ok;
  Properties properties;

  static constexpr CommandInfo info{.name = "OpenResponse",
                                    .key = Key::open,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 12"};
  static constexpr std::array examples = {
      std::string_view("0000000A 8015 0001 00000003 000C"),
      std::string_view("00000041 8015 0001 00000003 0001 00000002 000F 616476657274697365645F686F7374 0009 "
                       "6C6F63616C686F7374 000F 616476657274697365645F706F7274 0004 35353532")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("code", &OpenResponse::code, "outcome"),
        base::field("properties", &OpenResponse::properties, "absent when empty", Trailing{}, Optional{})};
  }
};

}  // namespace sluice::streamproto
