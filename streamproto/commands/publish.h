// SPDX-License-Identifier: Apache-2.0
// Messages for a stream; answered by PublishConfirm and PublishError, never by a response. Version 2 carries
// a filter value per entry. The entries are iterated in place (publish_entries.h); decoding a frame looks at
// none of them.
#pragma once

#include "streamproto/command.h"
#include "streamproto/publish_entries.h"

namespace sluice::streamproto {

struct Publish {
  std::uint8_t publisher_id = 0;
  PublishEntries entries;

  static constexpr CommandInfo info{.name = "Publish",
                                    .key = Key::publish,
                                    .direction = Direction::client_to_server,
                                    .correlated = false,
                                    .max_version = 2,
                                    .exchanged = true,
                                    .doc = "messages to store"};
  static constexpr std::array examples = {
      std::string_view("00000017 0002 0001 00 00000001 0000000000000001 00000002 6869"),
      std::string_view("0000001B 0002 0002 00 00000001 0000000000000001 0002 6575 00000002 6869"),
      std::string_view("00000033 0002 0001 07 00000002 0000000000000001 00000001 61 0000000000000002 80 0002 "
                       "0000000A 0000000A 00000001 62 00000001 63"),
      std::string_view("00000017 0002 0002 07 00000001 0000000000000009 FFFF 00000000")};
  static constexpr auto fields() {
    return std::tuple{base::field("publisher_id", &Publish::publisher_id, "of DeclarePublisher"),
                      base::field("entries", &Publish::entries, "to the end of the frame")};
  }
};

}  // namespace sluice::streamproto
