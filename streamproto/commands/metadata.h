// SPDX-License-Identifier: Apache-2.0
// Where streams live. The response has no overall code: brokers first, then for every stream its own code,
// the index of its leader among the brokers and those of its other replicas.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct Metadata {
  std::vector<std::string_view> streams;

  static constexpr CommandInfo info{.name = "Metadata",
                                    .key = Key::metadata,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "asks where streams live"};
  static constexpr std::array examples = {
      std::string_view("00000012 000F 0001 0000000C 00000002 0001 73 0001 74")};
  static constexpr auto fields() {
    return std::tuple{base::field("streams", &Metadata::streams, "asked for", Trailing{})};
  }
};

inline constexpr std::uint16_t no_broker = 0xFFFF;

struct BrokerAddress {
  std::uint16_t reference = 0;
  std::string_view host;
  std::uint32_t port = 0;
  static constexpr auto fields() {
    return std::tuple{base::field("reference", &BrokerAddress::reference, ""),
                      base::field("host", &BrokerAddress::host, "advertised"),
                      base::field("port", &BrokerAddress::port, "advertised")};
  }
};

struct StreamPlacement {
  std::string_view stream;
  ResponseCode code = ResponseCode::ok;
  std::uint16_t leader = no_broker;
  std::vector<std::uint16_t> replicas;
  static constexpr auto fields() {
    return std::tuple{base::field("stream", &StreamPlacement::stream, ""),
                      base::field("code", &StreamPlacement::code, "1, 2, 6, 16"),
                      base::field("leader", &StreamPlacement::leader, "0xFFFF: none"),
                      base::field("replicas", &StreamPlacement::replicas, "without the leader")};
  }
};

struct MetadataResponse {
  std::vector<BrokerAddress> brokers;
  std::vector<StreamPlacement> streams;

  static constexpr CommandInfo info{.name = "MetadataResponse",
                                    .key = Key::metadata,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "per stream: 1, 2, 6, 16"};
  static constexpr std::array examples = {
      std::string_view("00000037 800F 0001 0000000C 00000001 0000 0009 6C6F63616C686F7374 000015B0 00000002 "
                       "0001 73 0001 0000 00000000 0001 74 0002 FFFF 00000000")};
  static constexpr auto fields() {
    return std::tuple{base::field("brokers", &MetadataResponse::brokers, "those named below"),
                      base::field("streams", &MetadataResponse::streams, "in any order", Trailing{})};
  }
};

}  // namespace sluice::streamproto
