// SPDX-License-Identifier: Apache-2.0
#include "base/outbox.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/bytes.h"

using namespace sluice::base;

TEST_CASE("neighbouring bytes become one piece and partial sends keep the rest") {
  Outbox outbox;
  outbox.write(as_bytes("hello "));
  outbox.write(as_bytes("world"));
  REQUIRE(outbox.pieces().size() == 1);
  outbox.consume(6);
  const Outbox::Piece& piece = outbox.pieces().front();
  CHECK(as_text({outbox.data(piece), piece.size}) == "world");
  outbox.consume(5);
  CHECK(outbox.empty());
  CHECK(outbox.pieces().empty());
}

TEST_CASE("an outbox that is never drained does not keep what it has sent") {
  Outbox outbox;
  const std::string block(10'000, 'x');
  outbox.write(as_bytes("0"));
  for (int i = 0; i < 1000; ++i) {
    outbox.write(as_bytes(block));
    outbox.consume(10'000);
    REQUIRE(outbox.pieces().size() == 1);
    REQUIRE(outbox.pieces().front().begin < 200'000);
  }
  CHECK(outbox.pending_bytes() == 1);
}

TEST_CASE("many small pieces are forgotten as they are sent, and a resting outbox holds nothing") {
  class NoFile final : public File {
   public:
    Result<> append(std::span<const ByteView>) override { return {}; }
    Result<std::size_t> read_at(std::uint64_t, MutableBytes) const override { return 0; }
    Result<> truncate(std::uint64_t) override { return {}; }
    Result<> sync() override { return {}; }
    Result<std::uint64_t> size() const override { return 0; }
    int descriptor() const override { return -1; }
  };
  const auto file = std::make_shared<NoFile>();
  Outbox outbox;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    outbox.write(as_bytes("header"));
    outbox.write_file(file, i * 100, 100);
    if (i != 0) outbox.consume(106);
    REQUIRE(outbox.pieces().size() == 2);
    REQUIRE(outbox.pieces()[1].position == i * 100);
    REQUIRE(outbox.pending_bytes() == 106);
    REQUIRE(file.use_count() <= 2);
  }
  outbox.rest();
  CHECK(outbox.pieces().size() == 2);
  outbox.consume(106);
  outbox.rest();
  CHECK(outbox.pieces().empty());
  CHECK(file.use_count() == 1);
  outbox.write(as_bytes("again"));
  CHECK(outbox.pieces().size() == 1);
}
