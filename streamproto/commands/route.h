// SPDX-License-Identifier: Apache-2.0
// The streams of a superstream that a routing key leads to: the exchange's own routing. No match is an empty
// list.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Route {
  std::string_view routing_key;
  std::string_view super_stream;

  static constexpr CommandInfo info{.name = "Route",
                                    .key = Key::route,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "asks where a routing key leads"};
  static constexpr std::array examples = {std::string_view("0000000F 0018 0001 0000000D 0001 6B 0002 7373")};
  static constexpr auto fields() {
    return std::tuple{base::field("routing_key", &Route::routing_key, ""),
                      base::field("super_stream", &Route::super_stream, "")};
  }
};

struct RouteResponse {
  ResponseCode code = ResponseCode::ok;
  std::vector<std::string_view> streams;

  static constexpr CommandInfo info{.name = "RouteResponse",
                                    .key = Key::route,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 16"};
  static constexpr std::array examples = {
      std::string_view("00000014 8018 0001 0000000D 0001 00000001 0004 73732D30")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &RouteResponse::code, "outcome"),
                      base::field("streams", &RouteResponse::streams, "", Trailing{})};
  }
};

}  // namespace sluice::streamproto
