// SPDX-License-Identifier: Apache-2.0
// Closes a publisher. Confirms that come later are not sent.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct DeletePublisher {
  std::uint8_t publisher_id = 0;

  static constexpr CommandInfo info{.name = "DeletePublisher",
                                    .key = Key::delete_publisher,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "closes a publisher"};
  static constexpr std::array examples = {std::string_view("00000009 0006 0001 00000007 03")};
  static constexpr auto fields() {
    return std::tuple{base::field("publisher_id", &DeletePublisher::publisher_id, "of DeclarePublisher")};
  }
};

struct DeletePublisherResponse : CodeResponse<Key::delete_publisher> {
  static constexpr CommandInfo info{.name = "DeletePublisherResponse",
                                    .key = Key::delete_publisher,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 18"};
  static constexpr std::array examples = {std::string_view("0000000A 8006 0001 00000007 0001")};
};

}  // namespace sluice::streamproto
