// SPDX-License-Identifier: Apache-2.0
// Deletes a stream (Delete in the protocol). Connections that used it are sent MetadataUpdate.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Delete {
  std::string_view stream;

  static constexpr CommandInfo info{.name = "Delete",
                                    .key = Key::delete_stream,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "deletes a stream"};
  static constexpr std::array examples = {std::string_view("0000000B 000E 0001 0000000B 0001 73")};
  static constexpr auto fields() { return std::tuple{base::field("stream", &Delete::stream, "")}; }
};

struct DeleteResponse : CodeResponse<Key::delete_stream> {
  static constexpr CommandInfo info{.name = "DeleteResponse",
                                    .key = Key::delete_stream,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 16"};
  static constexpr std::array examples = {std::string_view("0000000A 800E 0001 0000000B 0001")};
};

}  // namespace sluice::streamproto
