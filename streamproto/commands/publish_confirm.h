// SPDX-License-Identifier: Apache-2.0
// The messages with these ids are stored. Ids need be neither contiguous nor sorted. The server writes it
// with write_publish_confirm (publish_entries.h).
#pragma once

#include "streamproto/command.h"
#include "streamproto/publish_entries.h"

namespace sluice::streamproto {

struct PublishConfirm {
  std::uint8_t publisher_id = 0;
  WireArray<PublishingId> publishing_ids;

  static constexpr CommandInfo info{.name = "PublishConfirm",
                                    .key = Key::publish_confirm,
                                    .direction = Direction::server_to_client,
                                    .correlated = false,
                                    .doc = "messages are stored"};
  static constexpr std::array examples = {
      std::string_view("00000011 0003 0001 00 00000001 0000000000000001")};
  static constexpr auto fields() {
    return std::tuple{base::field("publisher_id", &PublishConfirm::publisher_id, "of DeclarePublisher"),
                      base::field("publishing_ids", &PublishConfirm::publishing_ids, "stored")};
  }
};

}  // namespace sluice::streamproto
