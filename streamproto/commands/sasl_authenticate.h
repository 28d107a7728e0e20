// SPDX-License-Identifier: Apache-2.0
// One step of SASL. After a challenge (code 10) another follows; nothing stands behind any other code.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct SaslAuthenticate {
  std::string_view mechanism;
  std::optional<ByteView> data;

  static constexpr CommandInfo info{.name = "SaslAuthenticate",
                                    .key = Key::sasl_authenticate,
                                    .direction = Direction::client_to_server,
                                    .doc = "one step of SASL"};
  static constexpr std::array examples = {
      std::string_view("0000001F 0013 0001 00000002 0005 504C41494E 0000000C 00 6775657374 00 6775657374"),
      std::string_view("00000016 0013 0001 00000002 0008 45585445524E414C FFFFFFFF")};
  static constexpr auto fields() {
    return std::tuple{base::field("mechanism", &SaslAuthenticate::mechanism, "one of those offered"),
                      base::field("data", &SaslAuthenticate::data, "of the mechanism")};
  }
};

struct SaslAuthenticateResponse {
  ResponseCode code = ResponseCode::ok;
  std::optional<ByteView> challenge;

  static constexpr CommandInfo info{.name = "SaslAuthenticateResponse",
                                    .key = Key::sasl_authenticate,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 7, 8, 9, 10, 11, 12, 20, 21"};
  static constexpr std::array examples = {std::string_view("0000000A 8013 0001 00000002 0001"),
                                          std::string_view("0000000A 8013 0001 00000002 0008"),
                                          std::string_view("00000010 8013 0001 00000002 000A 00000002 6869")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("code", &SaslAuthenticateResponse::code, "outcome"),
        base::field("challenge", &SaslAuthenticateResponse::challenge, "only with code 10", Optional{})};
  }
};

}  // namespace sluice::streamproto
