// SPDX-License-Identifier: Apache-2.0
#include "streamproto/publish_entries.h"

#include "streamproto/frame.h"

namespace sluice::streamproto {
namespace {

// Room for a frame of `count` records after key, version and publisher id; returns where the first record
// goes.
std::uint8_t* begin_records(Key key, std::uint8_t publisher_id, std::size_t count, std::size_t record_bytes,
                            base::ByteBuffer& to) {
  const std::size_t begin = to.size();
  const std::size_t size = 4 + 1 + 4 + count * record_bytes;
  to.resize(begin + frame_size_bytes + size);
  std::uint8_t* at = to.data() + begin;
  base::store_be(at, static_cast<std::uint32_t>(size));
  base::store_be(at + 4, static_cast<std::uint16_t>(key));
  base::store_be(at + 6, std::uint16_t{1});
  at[8] = publisher_id;
  base::store_be(at + 9, static_cast<std::uint32_t>(count));
  return at + 13;
}

}  // namespace

void write_publish_confirm(std::uint8_t publisher_id, std::span<const std::uint64_t> publishing_ids,
                           base::ByteBuffer& to) {
  std::uint8_t* at =
      begin_records(Key::publish_confirm, publisher_id, publishing_ids.size(), PublishingId::wire_bytes, to);
  for (const std::uint64_t id : publishing_ids) {
    base::store_be(at, id);
    at += PublishingId::wire_bytes;
  }
}

void write_publish_error(std::uint8_t publisher_id, std::span<const std::uint64_t> publishing_ids,
                         ResponseCode code, base::ByteBuffer& to) {
  std::uint8_t* at =
      begin_records(Key::publish_error, publisher_id, publishing_ids.size(), PublishFailure::wire_bytes, to);
  for (const std::uint64_t id : publishing_ids) {
    base::store_be(at, id);
    base::store_be(at + 8, static_cast<std::uint16_t>(code));
    at += PublishFailure::wire_bytes;
  }
}

}  // namespace sluice::streamproto
