// SPDX-License-Identifier: Apache-2.0
// The server tells a single active consumer that it is now active or has to step down. The client answers
// with the offset to start from (none: that of Subscribe); until then nothing is delivered. Correlation ids
// of the server count from 0.
#pragma once

#include "streamproto/command.h"
#include "streamproto/offset_spec.h"

namespace sluice::streamproto {

struct ConsumerUpdate {
  std::uint8_t subscription_id = 0;
  std::uint8_t active = 0;

  static constexpr CommandInfo info{.name = "ConsumerUpdate",
                                    .key = Key::consumer_update,
                                    .direction = Direction::server_to_client,
                                    .doc = "activates a consumer or asks it to step down"};
  static constexpr std::array examples = {std::string_view("0000000A 001A 0001 00000000 00 01")};
  static constexpr auto fields() {
    return std::tuple{base::field("subscription_id", &ConsumerUpdate::subscription_id, "of Subscribe"),
                      base::field("active", &ConsumerUpdate::active, "1 active, 0 step down")};
  }
};

struct ConsumerUpdateResponse {
  ResponseCode code = ResponseCode::ok;
  OffsetSpec offset_spec = {OffsetType::none, 0};

  static constexpr CommandInfo info{.name = "ConsumerUpdateResponse",
                                    .key = Key::consumer_update,
                                    .response = true,
                                    .direction = Direction::client_to_server,
                                    .doc = "1: the client is ready"};
  static constexpr std::array examples = {
      std::string_view("00000014 801A 0001 00000000 0001 0004 0000000000000065"),
      std::string_view("0000000C 801A 0001 00000000 0001 0000")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &ConsumerUpdateResponse::code, "outcome"),
                      base::field("offset_spec", &ConsumerUpdateResponse::offset_spec, "where to start")};
  }
};

}  // namespace sluice::streamproto
