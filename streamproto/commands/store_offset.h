// SPDX-License-Identifier: Apache-2.0
// Remembers an offset under a name, usually that of the last processed message. One way: no answer, not even
// an error.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct StoreOffset {
  std::string_view reference;
  std::string_view stream;
  std::uint64_t offset = 0;

  static constexpr CommandInfo info{.name = "StoreOffset",
                                    .key = Key::store_offset,
                                    .direction = Direction::client_to_server,
                                    .correlated = false,
                                    .exchanged = true,
                                    .doc = "stores an offset; no answer"};
  static constexpr std::array examples = {
      std::string_view("00000014 000A 0001 0003 617070 0001 73 0000000000000064")};
  static constexpr auto fields() {
    return std::tuple{base::field("reference", &StoreOffset::reference, "name, 255 bytes at most"),
                      base::field("stream", &StoreOffset::stream, ""),
                      base::field("offset", &StoreOffset::offset, "to remember")};
  }
};

}  // namespace sluice::streamproto
