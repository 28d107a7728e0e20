// SPDX-License-Identifier: Apache-2.0
// Every compression code: what the libraries pack is unpacked; wrong sizes, cuts and bit flips are errors,
// never more output than declared.
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>
#include <catch2/catch.hpp>

#include <random>

#include "storage/compression.h"
#include "storage/crc32.h"

namespace sluice {
namespace {

using base::ByteBuffer;

ByteBuffer pack_gzip(const ByteBuffer& plain) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  ByteBuffer out(deflateBound(&stream, plain.size()) + 64);
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

ByteBuffer pack_snappy(const ByteBuffer& plain) {
  ByteBuffer out{0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};
  for (std::size_t at = 0; at < plain.size(); at += 65536) {
    const auto block = base::ByteView(plain).subspan(at, std::min<std::size_t>(65536, plain.size() - at));
    std::string packed;
    snappy::Compress(reinterpret_cast<const char*>(block.data()), block.size(), &packed);
    const bool smaller = packed.size() < block.size();
    const auto body = smaller ? base::as_bytes(packed) : block;
    const std::uint32_t crc = storage::crc32c(block), masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
    const std::size_t size = body.size() + 4;
    for (std::size_t byte : {std::size_t{smaller ? 0u : 1u}, size & 255, size >> 8 & 255, size >> 16})
      out.push_back(static_cast<std::uint8_t>(byte));
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(masked >> (8 * i)));
    out.insert(out.end(), body.begin(), body.end());
  }
  return out;
}

ByteBuffer pack_lz4(const ByteBuffer& plain) {
  ByteBuffer out(LZ4F_compressFrameBound(plain.size(), nullptr));
  out.resize(LZ4F_compressFrame(out.data(), out.size(), plain.data(), plain.size(), nullptr));
  return out;
}

ByteBuffer pack_zstd(const ByteBuffer& plain) {
  ByteBuffer out(ZSTD_compressBound(plain.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

ByteBuffer pack(std::uint8_t code, const ByteBuffer& plain) {
  switch (code) {
    case 1:
      return pack_gzip(plain);
    case 2:
      return pack_snappy(plain);
    case 3:
      return pack_lz4(plain);
    case 4:
      return pack_zstd(plain);
    default:
      return plain;
  }
}

ByteBuffer sample(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  ByteBuffer bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(seed % 2 ? random() : 'a' + random() % 3);
  return bytes;
}

TEST_CASE("CRC-32 and CRC-32C of the usual check text") {
  CHECK(storage::crc32(base::as_bytes("123456789")) == 0xcbf43926);
  CHECK(storage::crc32(base::as_bytes("6789"), storage::crc32(base::as_bytes("12345"))) == 0xcbf43926);
  CHECK(storage::crc32({}) == 0);
  CHECK(storage::crc32c(base::as_bytes("123456789")) == 0xe3069283);
}

TEST_CASE("Every compression code unpacks what its library packed") {
  const auto code = GENERATE(as<std::uint8_t>(), 0, 1, 2, 3, 4);
  ByteBuffer out;
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 100, 65536, 65537, 300'000})
    for (const unsigned seed : {1u, 2u}) {
      const auto plain = sample(size, seed);
      const auto packed = pack(code, plain);
      const auto result = storage::uncompress(code, packed, static_cast<std::uint32_t>(size), out);
      INFO("code " << int{code} << ", " << size << " bytes: " << (result ? "" : result.error().text));
      REQUIRE(result);
      CHECK(std::equal(result->begin(), result->end(), plain.begin(), plain.end()));
      CHECK_FALSE(storage::uncompress(code, packed, static_cast<std::uint32_t>(size - 1), out));
      CHECK_FALSE(storage::uncompress(code, packed, static_cast<std::uint32_t>(size + 1), out));
      CHECK(out.size() <= size + 1);
    }
}

TEST_CASE("Cut and damaged bodies are errors or the original, never more than declared") {
  const auto code = GENERATE(as<std::uint8_t>(), 1, 2, 3, 4);
  const auto plain = sample(3000, 2);
  const auto packed = pack(code, plain);
  ByteBuffer out;
  for (std::size_t size = 0; size < packed.size(); ++size)
    CHECK_FALSE(storage::uncompress(code, base::ByteView(packed).first(size), 3000, out));
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    auto bad = packed;
    bad[random() % bad.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
    (void)storage::uncompress(code, bad, 3000, out);
    CHECK(out.size() <= 65536);
  }
}

TEST_CASE("Codes that nobody knows and sizes above the limit are refused") {
  ByteBuffer out;
  for (const std::uint8_t code : std::initializer_list<std::uint8_t>{5, 6, 7, 255}) {
    const auto result = storage::uncompress(code, base::as_bytes("x"), 1, out);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == base::Errc::precondition_failed);
  }
  const auto result = storage::uncompress(1, base::as_bytes("x"), storage::uncompressed_bytes_max + 1, out);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == base::Errc::too_large);
}

TEST_CASE("A small body that unpacks to gigabytes costs what was declared") {
  const auto packed = pack(4, ByteBuffer(50 << 20, 0));
  CHECK(packed.size() < 10'000);
  ByteBuffer out;
  CHECK_FALSE(storage::uncompress(4, packed, 1000, out));
  CHECK(out.capacity() <= 65536);
}

}  // namespace
}  // namespace sluice
