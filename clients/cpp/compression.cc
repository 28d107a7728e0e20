// SPDX-License-Identifier: Apache-2.0
// Snappy's library has the block format only; the framing around it (stream identifier, chunks of at most 64
// KiB, each with a masked CRC-32C) is written out here: google/snappy framing_format.txt.
#include "client/compression.h"

#include <isa-l/crc.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

namespace sluice::client {
namespace {

using base::ByteBuffer;
using base::ByteView;
using base::Errc;
using base::fail;
using base::Result;

constexpr std::array<std::uint8_t, 10> snappy_identifier = {0xff, 0x06, 0x00, 0x00, 's',
                                                            'N',  'a',  'P',  'p',  'Y'};
constexpr std::size_t snappy_block_bytes = 65536;

enum SnappyChunk : std::uint8_t { compressed = 0x00, uncompressed = 0x01, identifier = 0xff };

std::uint32_t masked_crc32c(ByteView bytes) {
  const std::uint32_t crc = ~crc32_iscsi(const_cast<unsigned char*>(bytes.data()),
                                         static_cast<int>(bytes.size()), ~std::uint32_t{0});
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

template <int bytes>
void append_little_endian(std::uint32_t value, ByteBuffer& to) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
std::uint32_t little_endian(ByteView bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= static_cast<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

ByteBuffer compress_snappy(ByteView bytes) {
  ByteBuffer out(snappy_identifier.begin(), snappy_identifier.end());
  std::string block;
  for (std::size_t at = 0; at < bytes.size(); at += snappy_block_bytes) {
    const ByteView part = bytes.subspan(at, std::min(snappy_block_bytes, bytes.size() - at));
    snappy::Compress(reinterpret_cast<const char*>(part.data()), part.size(), &block);
    const bool smaller = block.size() < part.size();
    const ByteView chosen = smaller ? base::as_bytes(block) : part;
    out.push_back(smaller ? SnappyChunk::compressed : SnappyChunk::uncompressed);
    append_little_endian<3>(static_cast<std::uint32_t>(chosen.size() + 4), out);
    append_little_endian<4>(masked_crc32c(part), out);
    out.insert(out.end(), chosen.begin(), chosen.end());
  }
  return out;
}

Result<ByteBuffer> decompress_snappy(ByteView bytes, std::size_t expected) {
  const auto damaged = [] { return fail(Errc::corrupt, "snappy: damaged frame"); };
  ByteBuffer out(expected);
  std::size_t written = 0;
  base::ByteReader in(bytes);
  while (!in.at_end()) {
    const auto kind = in.read<std::uint8_t>();
    const ByteView chunk = in.read_bytes(little_endian(in.read_bytes(3)));
    if (!in.ok()) return damaged();
    if (kind >= 0x80) continue;  // stream identifier, padding, skippable
    if (kind > SnappyChunk::uncompressed || chunk.size() < 4) return damaged();
    const ByteView content = chunk.subspan(4);
    std::size_t size = content.size();
    const auto* source = reinterpret_cast<const char*>(content.data());
    if (kind == SnappyChunk::compressed && !snappy::GetUncompressedLength(source, content.size(), &size))
      return damaged();
    if (size > expected - written) return damaged();
    auto* target = out.data() + written;
    if (kind == SnappyChunk::uncompressed) {
      std::copy(content.begin(), content.end(), target);
    } else if (!snappy::RawUncompress(source, content.size(), reinterpret_cast<char*>(target))) {
      return damaged();
    }
    if (masked_crc32c({target, size}) != little_endian(chunk.first(4))) return damaged();
    written += size;
  }
  if (written != expected) return damaged();
  return out;
}

Result<ByteBuffer> compress_gzip(ByteView bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return fail(Errc::internal, "gzip: no memory");
  }
  ByteBuffer out(deflateBound(&stream, bytes.size()) + 32);
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) return fail(Errc::internal, "gzip: did not fit");
  return out;
}

Result<ByteBuffer> decompress_gzip(ByteView bytes, std::size_t expected) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return fail(Errc::internal, "gzip: no memory");
  ByteBuffer out(expected);
  Bytef nothing = 0;  // zlib refuses a null pointer, which an empty batch would give it
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = out.empty() ? &nothing : out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = inflate(&stream, Z_FINISH);
  const std::size_t written = stream.total_out;
  inflateEnd(&stream);
  if (status != Z_STREAM_END || written != expected) return fail(Errc::corrupt, "gzip: damaged batch");
  return out;
}

Result<ByteBuffer> compress_lz4(ByteView bytes) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  ByteBuffer out(LZ4F_compressFrameBound(bytes.size(), &preferences));
  const std::size_t size =
      LZ4F_compressFrame(out.data(), out.size(), bytes.data(), bytes.size(), &preferences);
  if (LZ4F_isError(size) != 0) return fail(Errc::internal, fmt::format("lz4: {}", LZ4F_getErrorName(size)));
  out.resize(size);
  return out;
}

Result<ByteBuffer> decompress_lz4(ByteView bytes, std::size_t expected) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)) != 0)
    return fail(Errc::internal, "lz4: no memory");
  const std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> context(
      raw, LZ4F_freeDecompressionContext);
  ByteBuffer out(expected);
  std::size_t written = 0;
  while (!bytes.empty()) {
    std::size_t consumed = bytes.size();
    std::size_t produced = expected - written;
    const std::size_t status =
        LZ4F_decompress(context.get(), out.data() + written, &produced, bytes.data(), &consumed, nullptr);
    if (LZ4F_isError(status) != 0 || (consumed == 0 && produced == 0))
      return fail(Errc::corrupt, "lz4: damaged batch");
    bytes = bytes.subspan(consumed);
    written += produced;
  }
  if (written != expected) return fail(Errc::corrupt, "lz4: batch of another size than it says");
  return out;
}

Result<ByteBuffer> compress_zstd(ByteView bytes) {
  ByteBuffer out(ZSTD_compressBound(bytes.size()));
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0) return fail(Errc::internal, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  out.resize(size);
  return out;
}

Result<ByteBuffer> decompress_zstd(ByteView bytes, std::size_t expected) {
  ByteBuffer out(expected);
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size) != 0 || size != expected) return fail(Errc::corrupt, "zstd: damaged batch");
  return out;
}

}  // namespace

Result<ByteBuffer> compress(streamproto::Compression compression, ByteView bytes) {
  if (bytes.size() > uncompressed_bytes_max) return fail(Errc::too_large, "a sub-entry batch above 64 MiB");
  switch (compression) {
    case streamproto::Compression::none:
      return ByteBuffer(bytes.begin(), bytes.end());
    case streamproto::Compression::gzip:
      return compress_gzip(bytes);
    case streamproto::Compression::snappy:
      return compress_snappy(bytes);
    case streamproto::Compression::lz4:
      return compress_lz4(bytes);
    case streamproto::Compression::zstd:
      return compress_zstd(bytes);
    case streamproto::Compression::user:
      break;
  }
  return fail(Errc::precondition_failed, "no such compression");
}

Result<ByteBuffer> decompress(streamproto::Compression compression, ByteView bytes,
                              std::size_t uncompressed_bytes) {
  if (uncompressed_bytes > uncompressed_bytes_max)
    return fail(Errc::too_large, "a sub-entry batch above 64 MiB");
  switch (compression) {
    case streamproto::Compression::none:
      if (bytes.size() != uncompressed_bytes)
        return fail(Errc::corrupt, "batch of another size than it says");
      return ByteBuffer(bytes.begin(), bytes.end());
    case streamproto::Compression::gzip:
      return decompress_gzip(bytes, uncompressed_bytes);
    case streamproto::Compression::snappy:
      return decompress_snappy(bytes, uncompressed_bytes);
    case streamproto::Compression::lz4:
      return decompress_lz4(bytes, uncompressed_bytes);
    case streamproto::Compression::zstd:
      return decompress_zstd(bytes, uncompressed_bytes);
    case streamproto::Compression::user:
      break;
  }
  return fail(Errc::precondition_failed, "sub-entry batch of unknown compression");
}

std::uint32_t crc32(ByteView bytes) {
  return crc32_gzip_refl(0, bytes.data(), bytes.size());
}

}  // namespace sluice::client
