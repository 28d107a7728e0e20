// SPDX-License-Identifier: Apache-2.0
#include "client/compression.h"

#include <catch2/catch.hpp>
#include <string>

using namespace sluice;
using streamproto::Compression;

namespace {

base::ByteBuffer sample(std::size_t size) {
  base::ByteBuffer bytes(size);
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < size; ++i) {
    state = state * 1664525 + 1013904223;
    bytes[i] = static_cast<std::uint8_t>(i % 7 == 0 ? state >> 24 : 'a' + i % 5);
  }
  return bytes;
}

}  // namespace

TEST_CASE("every compression gives back what it was given") {
  for (const Compression compression :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{65536}, std::size_t{300'000}}) {
      const base::ByteBuffer plain = sample(size);
      const auto packed = client::compress(compression, plain);
      REQUIRE(packed);
      const auto unpacked = client::decompress(compression, *packed, plain.size());
      REQUIRE(unpacked);
      CHECK(*unpacked == plain);
      CHECK_FALSE(client::decompress(compression, *packed, plain.size() + 1));
      CHECK_FALSE(client::decompress(compression, *packed, plain.size() - 1));
    }
  }
}

TEST_CASE("damaged batches are refused, not believed") {
  for (const Compression compression :
       {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    const base::ByteBuffer plain = sample(5000);
    auto packed = client::compress(compression, plain);
    REQUIRE(packed);
    CHECK_FALSE(
        client::decompress(compression, base::ByteView(*packed).first(packed->size() / 2), plain.size()));
    CHECK_FALSE(client::decompress(compression, {}, plain.size()));
    CHECK_FALSE(client::decompress(compression, *packed, client::uncompressed_bytes_max + 1));
  }
}

TEST_CASE("snappy framing starts with its identifier and carries masked CRC-32C") {
  const std::string text = "123456789";  // CRC-32C e3069283
  const auto packed = client::compress(Compression::snappy, base::as_bytes(text));
  REQUIRE(packed);
  CHECK(base::as_text(base::ByteView(*packed).subspan(4, 6)) == "sNaPpY");
  const std::uint32_t crc = 0xe3069283;
  const std::uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
  std::uint32_t stored = 0;
  for (int i = 3; i >= 0; --i) stored = (stored << 8) | (*packed)[14 + static_cast<std::size_t>(i)];
  CHECK(stored == masked);
}

TEST_CASE("CRC-32 is the one of zlib") {
  CHECK(client::crc32(base::as_bytes("123456789")) == 0xcbf43926);
}
