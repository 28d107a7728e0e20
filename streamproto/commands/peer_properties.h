// SPDX-License-Identifier: Apache-2.0
// The first exchange on a connection: who is talking. Clients parse the server's `version` and use newer
// commands only above the version that brought them.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct PeerProperties {
  Properties properties;

  static constexpr CommandInfo info{.name = "PeerProperties",
                                    .key = Key::peer_properties,
                                    .direction = Direction::client_to_server,
                                    .doc = "the client introduces itself"};
  static constexpr std::array examples = {
      std::string_view("0000000C 0011 0001 00000000 00000000"),
      std::string_view("00000018 0011 0001 00000000 00000001 0007 70726F64756374 0001 78")};
  static constexpr auto fields() {
    return std::tuple{base::field("properties", &PeerProperties::properties, "of the client", Trailing{})};
  }
};

struct PeerPropertiesResponse {
  ResponseCode code = ResponseCode::ok;
  Properties properties;

  static constexpr CommandInfo info{.name = "PeerPropertiesResponse",
                                    .key = Key::peer_properties,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1"};
  static constexpr std::array examples = {
      std::string_view("0000001E 8011 0001 00000000 0001 00000001 0007 76657273696F6E 0005 342E332E30")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("code", &PeerPropertiesResponse::code, "outcome"),
        base::field("properties", &PeerPropertiesResponse::properties, "of the server", Trailing{})};
  }
};

}  // namespace sluice::streamproto
