// SPDX-License-Identifier: Apache-2.0
// The streams of a superstream, in the order of their partition numbers.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Partitions {
  std::string_view super_stream;

  static constexpr CommandInfo info{.name = "Partitions",
                                    .key = Key::partitions,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "asks for the partitions of a superstream"};
  static constexpr std::array examples = {std::string_view("0000000C 0019 0001 0000000E 0002 7373")};
  static constexpr auto fields() {
    return std::tuple{base::field("super_stream", &Partitions::super_stream, "")};
  }
};

struct PartitionsResponse {
  ResponseCode code = ResponseCode::ok;
  std::vector<std::string_view> streams;

  static constexpr CommandInfo info{.name = "PartitionsResponse",
                                    .key = Key::partitions,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 16"};
  static constexpr std::array examples = {
      std::string_view("0000001A 8019 0001 0000000E 0001 00000002 0004 73732D30 0004 73732D31")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &PartitionsResponse::code, "outcome"),
                      base::field("streams", &PartitionsResponse::streams, "in order", Trailing{})};
  }
};

}  // namespace sluice::streamproto
