// SPDX-License-Identifier: Apache-2.0
// A stream went away or its leader did: the server has dropped this connection's publishers and subscriptions
// of it.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct MetadataUpdate {
  ResponseCode code = ResponseCode::stream_not_available;
  std::string_view stream;

  static constexpr CommandInfo info{.name = "MetadataUpdate",
                                    .key = Key::metadata_update,
                                    .direction = Direction::server_to_client,
                                    .correlated = false,
                                    .doc = "a stream is gone"};
  static constexpr std::array examples = {std::string_view("00000009 0010 0001 0006 0001 73")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &MetadataUpdate::code, "always 6"),
                      base::field("stream", &MetadataUpdate::stream, "")};
  }
};

}  // namespace sluice::streamproto
