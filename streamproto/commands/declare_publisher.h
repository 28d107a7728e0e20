// SPDX-License-Identifier: Apache-2.0
// Opens a publisher: the id that Publish frames will carry, the stream it writes to and, for deduplication, a
// reference. Ids are chosen by the client, unique on the connection, 256 at most.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct DeclarePublisher {
  std::uint8_t publisher_id = 0;
  std::string_view reference;
  std::string_view stream;

  static constexpr CommandInfo info{.name = "DeclarePublisher",
                                    .key = Key::declare_publisher,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "opens a publisher"};
  static constexpr std::array examples = {
      std::string_view("00000011 0001 0001 00000005 03 0003 726566 0001 73")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("publisher_id", &DeclarePublisher::publisher_id, "chosen by the client"),
        base::field("reference", &DeclarePublisher::reference, "name for deduplication; empty: none"),
        base::field("stream", &DeclarePublisher::stream, "")};
  }
};

struct DeclarePublisherResponse : CodeResponse<Key::declare_publisher> {
  static constexpr CommandInfo info{.name = "DeclarePublisherResponse",
                                    .key = Key::declare_publisher,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 6, 16, 17"};
  static constexpr std::array examples = {std::string_view("0000000A 8001 0001 00000005 0001")};
};

}  // namespace sluice::streamproto
