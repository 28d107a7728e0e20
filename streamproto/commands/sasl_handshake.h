// SPDX-License-Identifier: Apache-2.0
// Asks which SASL mechanisms the server offers. The request is empty.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct SaslHandshake {
  static constexpr CommandInfo info{.name = "SaslHandshake",
                                    .key = Key::sasl_handshake,
                                    .direction = Direction::client_to_server,
                                    .doc = "asks for SASL mechanisms"};
  static constexpr std::array examples = {std::string_view("00000008 0012 0001 00000001")};
  static constexpr auto fields() { return std::tuple{}; }
};

struct SaslHandshakeResponse {
  ResponseCode code = ResponseCode::ok;
  std::vector<std::string_view> mechanisms;

  static constexpr CommandInfo info{.name = "SaslHandshakeResponse",
                                    .key = Key::sasl_handshake,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1"};
  static constexpr std::array examples = {
      std::string_view("00000020 8012 0001 00000001 0001 00000002 0005 504C41494E 0009 414E4F4E594D4F5553")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &SaslHandshakeResponse::code, "outcome"),
                      base::field("mechanisms", &SaslHandshakeResponse::mechanisms, "", Trailing{})};
  }
};

}  // namespace sluice::streamproto
