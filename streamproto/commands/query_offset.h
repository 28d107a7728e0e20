// SPDX-License-Identifier: Apache-2.0
// The offset stored under a name.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct QueryOffset {
  std::string_view reference;
  std::string_view stream;

  static constexpr CommandInfo info{.name = "QueryOffset",
                                    .key = Key::query_offset,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "asks for a stored offset"};
  static constexpr std::array examples = {
      std::string_view("00000010 000B 0001 00000008 0003 617070 0001 73")};
  static constexpr auto fields() {
    return std::tuple{base::field("reference", &QueryOffset::reference, "of StoreOffset"),
                      base::field("stream", &QueryOffset::stream, "")};
  }
};

struct QueryOffsetResponse {
  ResponseCode code = ResponseCode::ok;
  std::uint64_t offset = 0;

  static constexpr CommandInfo info{.name = "QueryOffsetResponse",
                                    .key = Key::query_offset,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 6, 16, 19"};
  static constexpr std::array examples = {
      std::string_view("00000012 800B 0001 00000008 0001 0000000000000064"),
      std::string_view("00000012 800B 0001 00000008 0013 0000000000000000")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &QueryOffsetResponse::code, "outcome"),
                      base::field("offset", &QueryOffsetResponse::offset, "0 with an error")};
  }
};

}  // namespace sluice::streamproto
