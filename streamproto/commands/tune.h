// SPDX-License-Identifier: Apache-2.0
// Limits of the connection. The server proposes right after SASL succeeded, the client answers with what
// shall hold; 0 means no limit, otherwise the smaller holds. No correlation id. The answer comes as a
// response or, tolerated, as a request.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Tune {
  std::uint32_t frame_max_bytes = 0;
  std::uint32_t heartbeat_s = 0;

  static constexpr CommandInfo info{.name = "Tune",
                                    .key = Key::tune,
                                    .direction = Direction::both,
                                    .correlated = false,
                                    .doc = "the server proposes limits"};
  static constexpr std::array examples = {std::string_view("0000000C 0014 0001 00100000 0000003C")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("frame_max_bytes", &Tune::frame_max_bytes, "largest frame a client may send"),
        base::field("heartbeat_s", &Tune::heartbeat_s, "seconds")};
  }
};

struct TuneResponse {
  std::uint32_t frame_max_bytes = 0;
  std::uint32_t heartbeat_s = 0;

  static constexpr CommandInfo info{.name = "TuneResponse",
                                    .key = Key::tune,
                                    .response = true,
                                    .direction = Direction::client_to_server,
                                    .correlated = false,
                                    .doc = "none: the client settles the limits"};
  static constexpr std::array examples = {std::string_view("0000000C 8014 0001 00100000 0000003C")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("frame_max_bytes", &TuneResponse::frame_max_bytes, "largest frame a client may send"),
        base::field("heartbeat_s", &TuneResponse::heartbeat_s, "seconds")};
  }
};

}  // namespace sluice::streamproto
