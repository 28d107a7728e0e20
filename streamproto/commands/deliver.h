// SPDX-License-Identifier: Apache-2.0
// One chunk for a subscription. Version 2, used after the client has said so in ExchangeCommandVersions, adds
// the id of the last committed chunk. The server writes only the prefix (write_deliver_prefix) and sends the
// chunk from its file; this struct is how a client reads it. Frames are not limited by frame_max.
#pragma once

#include "streamproto/chunk.h"
#include "streamproto/command.h"

namespace sluice::streamproto {

struct Deliver {
  std::uint8_t subscription_id = 0;
  std::uint64_t committed_chunk_id = 0;
  ChunkView chunk;

  static constexpr CommandInfo info{.name = "Deliver",
                                    .key = Key::deliver,
                                    .direction = Direction::server_to_client,
                                    .correlated = false,
                                    .max_version = 2,
                                    .doc = "one chunk"};
  static constexpr std::array examples = {
      std::string_view("0000003B 0008 0001 00 50 00 0001 00000001 000000000000000A 0000000000000001 "
                       "0000000000000064 00000000 00000006 00000000 00 000000 00000002 6869"),
      std::string_view(
          "00000043 0008 0002 00 0000000000000065 50 00 0001 00000001 000000000000000A 0000000000000001 "
          "0000000000000064 00000000 00000006 00000000 00 000000 00000002 6869")};
  static constexpr auto fields() {
    return std::tuple{base::field("subscription_id", &Deliver::subscription_id, "of Subscribe"),
                      base::field("committed_chunk_id", &Deliver::committed_chunk_id, "last committed chunk",
                                  SinceVersion{2}),
                      base::field("chunk", &Deliver::chunk, "48-byte header and entries")};
  }
};

// Of a frame that carries a chunk of `chunk_bytes` (header and data). `version` is 1 or 2.
inline void write_deliver_prefix(std::uint16_t version, std::uint8_t subscription_id,
                                 std::uint64_t committed_chunk_id, std::size_t chunk_bytes, ByteBuffer& to) {
  ByteWriter writer(to);
  const std::size_t prefix_bytes = version >= 2 ? 4 + 1 + 8 : 4 + 1;
  writer.write(static_cast<std::uint32_t>(prefix_bytes + chunk_bytes));
  writer.write(static_cast<std::uint16_t>(Key::deliver));
  writer.write(version);
  writer.write(subscription_id);
  if (version >= 2) writer.write(committed_chunk_id);
}

}  // namespace sluice::streamproto
