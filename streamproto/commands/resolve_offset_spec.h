// SPDX-License-Identifier: Apache-2.0
// The offset that an offset spec stands for now, without subscribing.
#pragma once

#include "streamproto/command.h"
#include "streamproto/offset_spec.h"

namespace sluice::streamproto {

struct ResolveOffsetSpec {
  std::string_view stream;
  OffsetSpec offset_spec;
  Properties properties;

  static constexpr CommandInfo info{.name = "ResolveOffsetSpec",
                                    .key = Key::resolve_offset_spec,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "resolves an offset spec"};
  static constexpr std::array examples = {
      std::string_view("00000015 001F 0001 00000013 0001 73 0005 0000018BCFE56800")};
  static constexpr auto fields() {
    return std::tuple{base::field("stream", &ResolveOffsetSpec::stream, ""),
                      base::field("offset_spec", &ResolveOffsetSpec::offset_spec, "to resolve"),
                      base::field("properties", &ResolveOffsetSpec::properties,
                                  "as in Subscribe; may be absent", Trailing{}, Optional{})};
  }
};

struct ResolveOffsetSpecResponse {
  ResponseCode code = ResponseCode::ok;
  OffsetSpec offset_spec = {OffsetType::offset, 0};

  static constexpr CommandInfo info{.name = "ResolveOffsetSpecResponse",
                                    .key = Key::resolve_offset_spec,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 6, 16, 19"};
  static constexpr std::array examples = {
      std::string_view("00000014 801F 0001 00000013 0001 0004 0000000000000064")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &ResolveOffsetSpecResponse::code, "outcome"),
                      base::field("offset_spec", &ResolveOffsetSpecResponse::offset_spec,
                                  "always an offset; 0 with an error")};
  }
};

}  // namespace sluice::streamproto
