// SPDX-License-Identifier: Apache-2.0
// Entries of Publish and of chunks, their limits, and the frames the server writes by hand.
#include <catch2/catch.hpp>

#include "streamproto/commands.h"
#include "streamproto/hash_routing.h"
#include "streamproto/hex.h"

using namespace sluice;
using namespace sluice::streamproto;

TEST_CASE("publish frames are written and iterated") {
  for (const std::uint16_t version : {std::uint16_t{1}, std::uint16_t{2}}) {
    ByteBuffer bytes;
    PublishFrameWriter writer(bytes, 7, version);
    writer.add(1, base::as_bytes("hi"), "eu");
    writer.add(2, {});
    const ByteBuffer packed = from_hex("00000001 62 00000001 63");
    writer.add_sub_batch(5, Compression::none, 2, static_cast<std::uint32_t>(packed.size()), packed, "kr");
    writer.finish();
    const FrameRead read = read_frame(bytes, 0);
    REQUIRE(read.status == FrameStatus::complete);
    CHECK(read.size_bytes == bytes.size());
    CHECK(writer.size_bytes() == bytes.size() - 4);
    auto received = decode<Publish>(read.frame);
    REQUIRE(received.has_value());
    CHECK(received->message.publisher_id == 7);
    PublishEntries& entries = received->message.entries;
    CHECK(entries.claimed_count() == 3);
    PublishedEntry entry;
    REQUIRE(entries.next(entry));
    CHECK(entry.publishing_id == 1);
    CHECK(entry.filter_value == (version == 2 ? "eu" : ""));
    CHECK(base::as_text(entry.entry.data) == "hi");
    REQUIRE(entries.next(entry));
    CHECK(entry.publishing_id == 2);
    CHECK(entry.entry.data.empty());
    REQUIRE(entries.next(entry));
    CHECK(entry.publishing_id == 5);
    CHECK(entry.filter_value == (version == 2 ? "kr" : ""));
    CHECK(entry.entry.is_sub_batch);
    CHECK(entry.entry.record_count == 2);
    CHECK(is_valid(entry.entry, {}));
    Entries messages(entry.entry.data);
    EntryView message;
    REQUIRE(messages.next(message));
    CHECK(base::as_text(message.data) == "b");
    REQUIRE(messages.next(message));
    CHECK_FALSE(messages.next(message));
    CHECK(messages.ok());
    CHECK_FALSE(entries.next(entry));
    CHECK(entries.ok());
  }
}

TEST_CASE("publish entries that do not parse are found, whatever is cut") {
  ByteBuffer bytes;
  PublishFrameWriter writer(bytes, 7, 2);
  writer.add(1, base::as_bytes("hello"), "eu");
  writer.add_sub_batch(5, Compression::zstd, 2, 10, base::as_bytes("zzz"), "kr");
  writer.finish();
  const ByteView body = ByteView(bytes).subspan(13);
  const std::size_t first = 8 + 2 + 2 + 4 + 5;
  for (std::size_t size = 1; size < body.size(); ++size) {
    const ByteBuffer exact(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
    PublishEntries entries(2, 2, exact);
    PublishedEntry entry;
    while (entries.next(entry)) {
    }
    CHECK(entries.ok() == (size == first));
  }
}

TEST_CASE("sub-batches are held to their limits") {
  EntryView entry;
  entry.is_sub_batch = true;
  entry.record_count = 2;
  entry.uncompressed_bytes = 8;
  const ByteBuffer data(1);
  entry.data = data;
  entry.compression = Compression::zstd;
  CHECK(is_valid(entry, {}));
  entry.record_count = 3;
  CHECK_FALSE(is_valid(entry, {}));
  entry.record_count = 0;
  CHECK_FALSE(is_valid(entry, {}));
  entry.record_count = 1;
  entry.uncompressed_bytes = 67108864;
  CHECK(is_valid(entry, {}));
  CHECK_FALSE(is_valid(entry, {.uncompressed_bytes_max = 67108863}));
  entry.compression = static_cast<Compression>(5);
  CHECK_FALSE(is_valid(entry, {}));
  entry.compression = Compression::user;
  CHECK_FALSE(is_valid(entry, {}));
  entry.compression = Compression::gzip;
  entry.data = {};
  CHECK_FALSE(is_valid(entry, {}));
  entry.compression = Compression::none;
  CHECK(is_valid(entry, {}));
}

TEST_CASE("confirms and errors are written from spans") {
  const std::vector<std::uint64_t> ids{1, 2, 9};
  ByteBuffer bytes;
  write_publish_confirm(3, ids, bytes);
  const auto confirm = decode<PublishConfirm>(read_frame(bytes, 0).frame);
  REQUIRE(confirm.has_value());
  CHECK(confirm->message.publisher_id == 3);
  REQUIRE(confirm->message.publishing_ids.size() == 3);
  CHECK(confirm->message.publishing_ids[2].value == 9);

  bytes.clear();
  write_publish_error(3, ids, ResponseCode::precondition_failed, bytes);
  const auto error = decode<PublishError>(read_frame(bytes, 0).frame);
  REQUIRE(error.has_value());
  REQUIRE(error->message.failures.size() == 3);
  CHECK(error->message.failures[1].publishing_id == 2);
  CHECK(error->message.failures[1].code == ResponseCode::precondition_failed);
}

TEST_CASE("a deliver prefix and a chunk make a Deliver frame") {
  for (const std::uint16_t version : {std::uint16_t{1}, std::uint16_t{2}}) {
    const ByteBuffer example = from_hex(Deliver::examples[version - 1U]);
    const std::size_t prefix = version == 1 ? 9 : 17;
    ByteBuffer bytes;
    write_deliver_prefix(version, 0, 101, example.size() - prefix, bytes);
    REQUIRE(bytes.size() == prefix);
    bytes.insert(bytes.end(), example.begin() + static_cast<std::ptrdiff_t>(prefix), example.end());
    CHECK(bytes == example);
    const auto deliver = decode<Deliver>(read_frame(bytes, 0).frame);
    REQUIRE(deliver.has_value());
    CHECK(deliver->message.committed_chunk_id == (version == 1 ? 0 : 101));
    CHECK(deliver->message.chunk.header.chunk_id == 100);
    Entries entries = deliver->message.chunk.entries();
    EntryView entry;
    REQUIRE(entries.next(entry));
    CHECK(base::as_text(entry.data) == "hi");
    CHECK_FALSE(entries.next(entry));
    CHECK(entries.ok());
  }
}

TEST_CASE("murmur3 gives the published values") {
  const auto hash = [](std::string_view text, std::uint32_t seed) {
    return murmur3_x86_32(base::as_bytes(text), seed);
  };
  CHECK(hash("", 0) == 0);
  CHECK(hash("", 1) == 0x514E28B7);
  CHECK(hash("", 0xFFFFFFFF) == 0x81F16F39);
  CHECK(hash("test", 0) == 0xBA6BD213);
  CHECK(hash("test", 0x9747B28C) == 0x704B81DC);
  CHECK(hash("Hello, world!", 0) == 0xC0363E43);
  CHECK(hash("Hello, world!", 0x9747B28C) == 0x24884CBA);
  CHECK(hash("The quick brown fox jumps over the lazy dog", 0) == 0x2E4FF723);
  CHECK(hash("aaa", 0x9747B28C) == 0x283E0130);
  CHECK(hash("aa", 0x9747B28C) == 0x5D211726);
  CHECK(hash("a", 0x9747B28C) == 0x7FA09EA6);
}
