// SPDX-License-Identifier: Apache-2.0
// Attaches to a stream at an offset spec with an initial credit of chunks. Properties may be missing
// altogether: name, single-active-consumer, super-stream, filter.*, match-unfiltered, and our own filter-mode
// and filter-expr.
#pragma once

#include "streamproto/command.h"
#include "streamproto/offset_spec.h"

namespace sluice::streamproto {

struct Subscribe {
  std::uint8_t subscription_id = 0;
  std::string_view stream;
  OffsetSpec offset_spec;
  std::uint16_t credit = 0;
  Properties properties;

  static constexpr CommandInfo info{.name = "Subscribe",
                                    .key = Key::subscribe,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "attaches to a stream"};
  static constexpr std::array examples = {
      std::string_view("00000010 0007 0001 00000004 00 0001 73 0001 000A"),
      std::string_view("00000027 0007 0001 00000004 01 0001 73 0004 0000000000000064 000A 00000001 0004 "
                       "6E616D65 0003 617070")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("subscription_id", &Subscribe::subscription_id, "chosen by the client"),
        base::field("stream", &Subscribe::stream, ""),
        base::field("offset_spec", &Subscribe::offset_spec, "where to start"),
        base::field("credit", &Subscribe::credit, "chunks the server may send at once"),
        base::field("properties", &Subscribe::properties, "may be absent", Trailing{}, Optional{})};
  }
};

struct SubscribeResponse : CodeResponse<Key::subscribe> {
  static constexpr CommandInfo info{.name = "SubscribeResponse",
                                    .key = Key::subscribe,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 3, 6, 16, 17"};
  static constexpr std::array examples = {std::string_view("0000000A 8007 0001 00000004 0001")};
};

}  // namespace sluice::streamproto
