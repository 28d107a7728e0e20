// SPDX-License-Identifier: Apache-2.0
// Deletes a superstream with all its partitions.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct DeleteSuperStream {
  std::string_view name;

  static constexpr CommandInfo info{.name = "DeleteSuperStream",
                                    .key = Key::delete_super_stream,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "deletes a superstream"};
  static constexpr std::array examples = {std::string_view("0000000C 001E 0001 00000012 0002 7373")};
  static constexpr auto fields() { return std::tuple{base::field("name", &DeleteSuperStream::name, "")}; }
};

struct DeleteSuperStreamResponse : CodeResponse<Key::delete_super_stream> {
  static constexpr CommandInfo info{.name = "DeleteSuperStreamResponse",
                                    .key = Key::delete_super_stream,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 16"};
  static constexpr std::array examples = {std::string_view("0000000A 801E 0001 00000012 0001")};
};

}  // namespace sluice::streamproto
