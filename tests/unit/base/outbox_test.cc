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
