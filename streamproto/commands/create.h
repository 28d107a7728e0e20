// SPDX-License-Identifier: Apache-2.0
// Creates a stream. Arguments are text: max-length-bytes, max-age, stream-max-segment-size-bytes,
// initial-cluster- size, queue-leader-locator, stream-filter-size-bytes; others are ignored.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Create {
  std::string_view stream;
  Properties arguments;

  static constexpr CommandInfo info{.name = "Create",
                                    .key = Key::create,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "creates a stream"};
  static constexpr std::array examples = {
      std::string_view("0000001C 000D 0001 0000000A 0001 73 00000001 0007 6D61782D616765 0002 3668"),
      std::string_view("0000000F 000D 0001 0000000A 0001 73 00000000")};
  static constexpr auto fields() {
    return std::tuple{base::field("stream", &Create::stream, ""),
                      base::field("arguments", &Create::arguments, "", Trailing{})};
  }
};

struct CreateResponse : CodeResponse<Key::create> {
  static constexpr CommandInfo info{.name = "CreateResponse",
                                    .key = Key::create,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 5, 15, 16, 17"};
  static constexpr std::array examples = {std::string_view("0000000A 800D 0001 0000000A 0001")};
};

}  // namespace sluice::streamproto
