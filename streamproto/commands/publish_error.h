// SPDX-License-Identifier: Apache-2.0
// The messages with these ids were refused, each with its code. The server writes it with write_publish_error
// (publish_entries.h).
#pragma once

#include "streamproto/command.h"
#include "streamproto/publish_entries.h"

namespace sluice::streamproto {

struct PublishError {
  std::uint8_t publisher_id = 0;
  WireArray<PublishFailure> failures;

  static constexpr CommandInfo info{.name = "PublishError",
                                    .key = Key::publish_error,
                                    .direction = Direction::server_to_client,
                                    .correlated = false,
                                    .doc = "messages were refused: 2, 16, 17, 18"};
  static constexpr std::array examples = {
      std::string_view("00000013 0004 0001 00 00000001 0000000000000001 0012")};
  static constexpr auto fields() {
    return std::tuple{base::field("publisher_id", &PublishError::publisher_id, "of DeclarePublisher"),
                      base::field("failures", &PublishError::failures, "refused")};
  }
};

}  // namespace sluice::streamproto
