// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_messages.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace sluice;
using namespace sluice::broker;

namespace {

// A file that is a string, and counts what is read of it.
class TextFile final : public base::File {
 public:
  explicit TextFile(base::ByteBuffer bytes) : bytes_(std::move(bytes)) {}
  base::Result<> append(std::span<const base::ByteView>) override { return {}; }
  base::Result<std::size_t> read_at(std::uint64_t position, base::MutableBytes into) const override {
    const std::size_t size = std::min<std::size_t>(into.size(), bytes_.size() - position);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(position), size, into.begin());
    ++reads;
    return size;
  }
  base::Result<> truncate(std::uint64_t) override { return {}; }
  base::Result<std::uint64_t> size() const override { return bytes_.size(); }
  base::Result<> sync() override { return {}; }
  int descriptor() const override { return -1; }
  mutable int reads = 0;

 private:
  base::ByteBuffer bytes_;
};

struct Chunk {
  // Simple entries; every `batched`-th entry is a sub-batch of three messages, not compressed.
  Chunk(std::uint64_t first, std::size_t entries, std::size_t batched, std::size_t body_bytes)
      : builder(8 << 20, 16), next(first) {
    for (std::size_t i = 0; i < entries; ++i) {
      if (batched == 0 || i % batched != batched - 1) {
        const std::string body = text(body_bytes);
        builder.add_message(base::as_bytes(body), {});
        continue;
      }
      base::ByteBuffer bodies;
      base::ByteWriter writer(bodies);
      for (int k = 0; k < 3; ++k) {
        const std::string body = text(body_bytes);
        writer.write(static_cast<std::uint32_t>(body.size()));
        writer.write_bytes(base::as_bytes(body));
      }
      builder.add_sub_batch({0, 3, static_cast<std::uint32_t>(bodies.size()), bodies}, {});
    }
    const auto finished = builder.finish(base::Offset{first}, base::Epoch{1}, 1000);
    bytes.assign(finished.bytes.begin(), finished.bytes.end());
    wire_bytes = finished.header.wire_bytes();
    records = finished.header.records;
  }
  std::string text(std::size_t body_bytes) {
    std::string body = fmt::format("{}", next++);
    body.resize(body_bytes, '.');
    return body;
  }
  storage::ChunkBuilder builder;
  std::uint64_t next;
  base::ByteBuffer bytes;
  std::size_t wire_bytes = 0;
  std::uint32_t records = 0;
};

// Reads all, `wanted` being what the caller says it will take.
std::vector<std::uint64_t> read_all(StreamMessages& messages, std::uint32_t wanted) {
  std::vector<std::uint64_t> offsets;
  StreamMessages::Message message;
  for (;;) {
    const auto more = messages.next(message, wanted);
    REQUIRE(more);
    if (!*more) return offsets;
    offsets.push_back(message.offset.value);
    REQUIRE(base::as_text(message.amqp10).starts_with(fmt::format("{}.", message.offset.value)));
  }
}

}  // namespace

TEST_CASE("messages of chunks in memory and in files come one by one, sub-batches unpacked") {
  StreamMessages::Desk desk;
  const std::size_t batched = GENERATE(0U, 2U);
  const Chunk chunk(100, 1000, batched, 60);
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 0; i < chunk.records; ++i) expected.push_back(100 + i);

  StreamMessages messages(desk, base::Offset{0});
  CHECK(messages.empty());
  SECTION("memory, in parts") {
    const auto wire = base::ByteView(chunk.bytes).first(chunk.wire_bytes);
    const std::vector<base::ByteView> parts{wire.first(48), wire.subspan(48, 100), wire.subspan(148)};
    messages.memory_chunk(parts, chunk.records);
    CHECK(read_all(messages, 100) == expected);
  }
  SECTION("a file, with windows of many sizes") {
    for (const std::uint32_t wanted : {1U, 7U, 100U, 100'000U}) {
      auto file = std::make_shared<TextFile>(chunk.bytes);
      messages.file_chunk(file, 0, chunk.wire_bytes, chunk.records);
      CHECK(read_all(messages, wanted) == expected);
      CHECK(messages.empty());
      if (wanted > 1000) CHECK(file->reads <= 3);
    }
  }
}

TEST_CASE("messages below the wanted offset are stepped over") {
  StreamMessages::Desk desk;
  const Chunk chunk(0, 20, 3, 60);
  StreamMessages messages(desk, base::Offset{chunk.records - 4});
  messages.file_chunk(std::make_shared<TextFile>(chunk.bytes), 0, chunk.wire_bytes, chunk.records);
  CHECK(read_all(messages, 10).size() == 4);
}

TEST_CASE("readers that share a desk do not disturb each other") {
  StreamMessages::Desk desk;
  const Chunk one(0, 50, 2, 60);
  const Chunk two(1000, 50, 3, 600);
  StreamMessages first(desk, base::Offset{0});
  StreamMessages second(desk, base::Offset{0});
  first.file_chunk(std::make_shared<TextFile>(one.bytes), 0, one.wire_bytes, one.records);
  second.file_chunk(std::make_shared<TextFile>(two.bytes), 0, two.wire_bytes, two.records);
  StreamMessages::Message message;
  for (std::uint64_t i = 0; i < one.records; ++i) {
    for (const auto& [reader, base] : {std::pair{&first, 0U}, {&second, 1000U}}) {
      const auto more = reader->next(message, 3);
      REQUIRE(more);
      if (!*more) continue;
      REQUIRE(message.offset.value == base + i);
      REQUIRE(base::as_text(message.amqp10).starts_with(fmt::format("{}.", base + i)));
    }
  }
}

TEST_CASE("damage is an error each time, never a crash") {
  StreamMessages::Desk desk;
  const Chunk chunk(0, 20, 2, 60);
  for (std::size_t cut = 48; cut < chunk.wire_bytes; cut += 7) {
    auto bytes = chunk.bytes;
    bytes[cut] ^= 0xFF;
    StreamMessages messages(desk, base::Offset{0});
    messages.file_chunk(std::make_shared<TextFile>(bytes), 0, chunk.wire_bytes, chunk.records);
    StreamMessages::Message message;
    for (int i = 0; i < 100'000; ++i) {
      const auto more = messages.next(message, 10);
      if (!more || !*more) break;
    }
  }
}
