// SPDX-License-Identifier: Apache-2.0
// The highest publishing id stored for a publisher reference; 0 for a reference nobody knows, which cannot be
// told from "the last id is 0".
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct QueryPublisherSequence {
  std::string_view reference;
  std::string_view stream;

  static constexpr CommandInfo info{.name = "QueryPublisherSequence",
                                    .key = Key::query_publisher_sequence,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "asks for the last id of a publisher reference"};
  static constexpr std::array examples = {
      std::string_view("00000010 0005 0001 00000006 0003 726566 0001 73")};
  static constexpr auto fields() {
    return std::tuple{base::field("reference", &QueryPublisherSequence::reference, "of the publisher"),
                      base::field("stream", &QueryPublisherSequence::stream, "")};
  }
};

struct QueryPublisherSequenceResponse {
  ResponseCode code = ResponseCode::ok;
  std::uint64_t sequence = 0;

  static constexpr CommandInfo info{.name = "QueryPublisherSequenceResponse",
                                    .key = Key::query_publisher_sequence,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 16"};
  static constexpr std::array examples = {
      std::string_view("00000012 8005 0001 00000006 0001 000000000000002A")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &QueryPublisherSequenceResponse::code, "outcome"),
                      base::field("sequence", &QueryPublisherSequenceResponse::sequence, "0 with an error")};
  }
};

}  // namespace sluice::streamproto
