// SPDX-License-Identifier: Apache-2.0
// What versions of which commands each side knows. A client that names Deliver up to 2 gets Deliver version 2
// from then on. The server's list is made from the commands marked `exchanged`.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct CommandVersions {
  Key key{};
  std::uint16_t min_version = 1;
  std::uint16_t max_version = 1;
  static constexpr auto fields() {
    return std::tuple{base::field("key", &CommandVersions::key, ""),
                      base::field("min_version", &CommandVersions::min_version, ""),
                      base::field("max_version", &CommandVersions::max_version, "")};
  }
  friend bool operator==(const CommandVersions&, const CommandVersions&) = default;
};

struct ExchangeCommandVersions {
  std::vector<CommandVersions> commands;

  static constexpr CommandInfo info{.name = "ExchangeCommandVersions",
                                    .key = Key::exchange_command_versions,
                                    .direction = Direction::client_to_server,
                                    .doc = "what the client knows"};
  static constexpr std::array examples = {
      std::string_view("00000012 001B 0001 0000000F 00000001 0008 0001 0002")};
  static constexpr auto fields() {
    return std::tuple{base::field("commands", &ExchangeCommandVersions::commands,
                                  "the client can receive and send", Trailing{})};
  }
};

struct ExchangeCommandVersionsResponse {
  ResponseCode code = ResponseCode::ok;
  std::vector<CommandVersions> commands;

  static constexpr CommandInfo info{.name = "ExchangeCommandVersionsResponse",
                                    .key = Key::exchange_command_versions,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1"};
  static constexpr std::array examples = {
      std::string_view("0000001A 801B 0001 0000000F 0001 00000002 0001 0001 0001 0002 0001 0002")};
  static constexpr auto fields() {
    return std::tuple{
        base::field("code", &ExchangeCommandVersionsResponse::code, "outcome"),
        base::field("commands", &ExchangeCommandVersionsResponse::commands, "the server knows", Trailing{})};
  }
};

}  // namespace sluice::streamproto
