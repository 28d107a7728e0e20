// SPDX-License-Identifier: Apache-2.0
// Creates a superstream: an exchange and one stream per partition, bound with the binding key of the same
// index.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct CreateSuperStream {
  std::string_view name;
  std::vector<std::string_view> partitions;
  std::vector<std::string_view> binding_keys;
  Properties arguments;

  static constexpr CommandInfo info{.name = "CreateSuperStream",
                                    .key = Key::create_super_stream,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "creates a superstream"};
  static constexpr std::array examples = {
      std::string_view("0000002E 001D 0001 00000011 0002 7373 00000001 0004 73732D30 00000001 0001 30 "
                       "00000001 0007 6D61782D616765 0002 3668")};
  static constexpr auto fields() {
    return std::tuple{base::field("name", &CreateSuperStream::name, ""),
                      base::field("partitions", &CreateSuperStream::partitions, "names of the streams"),
                      base::field("binding_keys", &CreateSuperStream::binding_keys, "one per partition"),
                      base::field("arguments", &CreateSuperStream::arguments, "of every stream", Trailing{})};
  }
};

struct CreateSuperStreamResponse : CodeResponse<Key::create_super_stream> {
  static constexpr CommandInfo info{.name = "CreateSuperStreamResponse",
                                    .key = Key::create_super_stream,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 5, 15, 16, 17"};
  static constexpr std::array examples = {std::string_view("0000000A 801D 0001 00000011 0001")};
};

}  // namespace sluice::streamproto
