// SPDX-License-Identifier: Apache-2.0
// Numbers about a stream: first_chunk_id, last_chunk_id, committed_chunk_id, committed_offset; -1 where there
// is none.
#pragma once

#include "streamproto/command.h"

namespace sluice::streamproto {

struct StreamStats {
  std::string_view stream;

  static constexpr CommandInfo info{.name = "StreamStats",
                                    .key = Key::stream_stats,
                                    .direction = Direction::client_to_server,
                                    .exchanged = true,
                                    .doc = "asks for numbers about a stream"};
  static constexpr std::array examples = {std::string_view("0000000B 001C 0001 00000010 0001 73")};
  static constexpr auto fields() { return std::tuple{base::field("stream", &StreamStats::stream, "")}; }
};

struct Statistic {
  std::string_view key;
  std::int64_t value = 0;
  static constexpr auto fields() {
    return std::tuple{base::field("key", &Statistic::key, ""),
                      base::field("value", &Statistic::value, "-1: none")};
  }
  friend bool operator==(const Statistic&, const Statistic&) = default;
};

struct StreamStatsResponse {
  ResponseCode code = ResponseCode::ok;
  std::vector<Statistic> statistics;

  static constexpr CommandInfo info{.name = "StreamStatsResponse",
                                    .key = Key::stream_stats,
                                    .response = true,
                                    .direction = Direction::server_to_client,
                                    .doc = "1, 2, 6, 16"};
  static constexpr std::array examples = {std::string_view(
      "00000026 801C 0001 00000010 0001 00000001 000E 66697273745F6368756E6B5F6964 FFFFFFFFFFFFFFFF")};
  static constexpr auto fields() {
    return std::tuple{base::field("code", &StreamStatsResponse::code, "outcome"),
                      base::field("statistics", &StreamStatsResponse::statistics, "", Trailing{})};
  }
};

}  // namespace sluice::streamproto
