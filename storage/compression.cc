// SPDX-License-Identifier: Apache-2.0
// Each format is unpacked step by step into a buffer that doubles up to the declared size; one byte more than
// declared is an error.
#include "storage/compression.h"

#include <fmt/format.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "storage/crc32.h"

namespace sluice::storage {
namespace {

constexpr std::size_t first_step_bytes = 64 << 10;

std::unexpected<base::Error> malformed(std::string_view format, std::string_view why) {
  return base::fail(base::Errc::malformed, fmt::format("{} sub-batch: {}", format, why));
}

// Where output goes: room() is what may be written next, at least one byte, until `limit` is reached.
class Output {
 public:
  Output(base::ByteBuffer& out, std::size_t limit) : out_(out), limit_(limit) { out_.clear(); }

  base::MutableBytes room() {
    if (used_ == out_.size()) out_.resize(std::min(limit_, std::max(first_step_bytes, out_.size() * 2)));
    return base::MutableBytes(out_).subspan(used_);
  }
  void used(std::size_t bytes) { used_ += bytes; }
  bool full() const { return used_ == limit_; }

  base::Result<> finish(std::string_view format) {
    out_.resize(used_);
    if (!full()) return malformed(format, fmt::format("holds {} bytes, declared are {}", used_, limit_));
    return {};
  }

 private:
  base::ByteBuffer& out_;
  std::size_t limit_, used_ = 0;
};

base::Result<> unpack_gzip(base::ByteView body, std::size_t declared, base::ByteBuffer& out) {
  constexpr int gzip_window_bits = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, gzip_window_bits) != Z_OK)
    return base::fail(base::Errc::internal, "zlib does not start");
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  stream.next_in = const_cast<Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  Output output(out, declared);
  std::uint8_t beyond = 0;  // catches output that should not be there
  while (true) {
    base::MutableBytes room = output.full() ? base::MutableBytes(&beyond, 1) : output.room();
    stream.next_out = room.data();
    stream.avail_out = static_cast<uInt>(room.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    const std::size_t made = room.size() - stream.avail_out;
    if (output.full() && made > 0) return malformed("gzip", "holds more than it declares");
    if (!output.full()) output.used(made);
    if (status == Z_STREAM_END) {
      if (stream.avail_in == 0) return output.finish("gzip");
      if (inflateReset(&stream) != Z_OK) return malformed("gzip", "members do not follow one another");
    } else if (status != Z_OK || (made == 0 && stream.avail_in == 0)) {
      return malformed("gzip", stream.msg != nullptr ? stream.msg : "cut off");
    }
  }
}

// Framing format: chunks of type u8, length u24 little-endian; data chunks begin with a masked CRC-32C.
base::Result<> unpack_snappy(base::ByteView body, std::size_t declared, base::ByteBuffer& out) {
  constexpr std::uint8_t compressed = 0x00, plain = 0x01, first_skippable = 0x80, identifier = 0xff;
  constexpr std::size_t block_bytes_max = 65536;
  base::ByteReader in(body);
  out.clear();
  for (bool first = true; !in.at_end(); first = false) {
    const auto type = in.read<std::uint8_t>();
    const auto low = in.read<std::uint8_t>(), middle = in.read<std::uint8_t>(),
               high = in.read<std::uint8_t>();
    auto chunk = in.read_bytes(std::size_t{low} | std::size_t{middle} << 8 | std::size_t{high} << 16);
    if (!in.ok()) return malformed("snappy", "cut off");
    if (first && type != identifier) return malformed("snappy", "does not begin with a stream identifier");
    if (type == identifier && base::as_text(chunk) != "sNaPpY")
      return malformed("snappy", "unknown stream identifier");
    if (type >= first_skippable) continue;
    if (type > plain || chunk.size() < 4) return malformed("snappy", "unknown chunk");
    const std::uint32_t check = std::byteswap(base::load_be<std::uint32_t>(chunk.data()));
    chunk = chunk.subspan(4);
    const auto* from = reinterpret_cast<const char*>(chunk.data());
    std::size_t size = chunk.size();
    if (type == compressed && !snappy::GetUncompressedLength(from, chunk.size(), &size))
      return malformed("snappy", "block without a length");
    if (size > block_bytes_max || size > declared - out.size())
      return malformed("snappy", "holds more than it declares");
    const std::size_t at = out.size();
    out.resize(at + size);
    if (type == plain)
      std::copy(chunk.begin(), chunk.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
    else if (!snappy::RawUncompress(from, chunk.size(), reinterpret_cast<char*>(out.data() + at)))
      return malformed("snappy", "bad block");
    const std::uint32_t crc = crc32c(base::ByteView(out).subspan(at));
    if (((crc >> 15) | (crc << 17)) + 0xa282ead8u != check)
      return malformed("snappy", "block fails its check");
  }
  if (out.size() != declared)
    return malformed("snappy", fmt::format("holds {} bytes, declared are {}", out.size(), declared));
  return {};
}

base::Result<> unpack_lz4(base::ByteView body, std::size_t declared, base::ByteBuffer& out) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)))
    return base::fail(base::Errc::internal, "lz4 does not start");
  std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(raw, LZ4F_freeDecompressionContext);
  Output output(out, declared);
  std::uint8_t beyond = 0;
  for (std::size_t hint = 1; hint != 0 || !body.empty();) {
    const bool full = output.full();
    base::MutableBytes room = full ? base::MutableBytes(&beyond, 1) : output.room();
    std::size_t made = room.size(), taken = body.size();
    hint = LZ4F_decompress(context.get(), room.data(), &made, body.data(), &taken, nullptr);
    if (LZ4F_isError(hint)) return malformed("lz4", LZ4F_getErrorName(hint));
    if (full && made > 0) return malformed("lz4", "holds more than it declares");
    if (!full) output.used(made);
    body = body.subspan(taken);
    if (made == 0 && taken == 0) return malformed("lz4", "cut off");
  }
  return output.finish("lz4");
}

base::Result<> unpack_zstd(base::ByteView body, std::size_t declared, base::ByteBuffer& out) {
  constexpr int window_log_max = 26;  // 64 MiB, as uncompressed_bytes_max
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_log_max)))
    return base::fail(base::Errc::internal, "zstd does not start");
  Output output(out, declared);
  std::uint8_t beyond = 0;
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  for (std::size_t left = 1; left != 0 || in.pos < in.size;) {
    const bool full = output.full();
    base::MutableBytes room = full ? base::MutableBytes(&beyond, 1) : output.room();
    const std::size_t taken_before = in.pos;
    ZSTD_outBuffer to{room.data(), room.size(), 0};
    left = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(left)) return malformed("zstd", ZSTD_getErrorName(left));
    if (full && to.pos > 0) return malformed("zstd", "holds more than it declares");
    if (!full) output.used(to.pos);
    if (to.pos == 0 && in.pos == taken_before) return malformed("zstd", "cut off");
  }
  return output.finish("zstd");
}

}  // namespace

base::Result<base::ByteView> uncompress(std::uint8_t compression, base::ByteView body,
                                        std::uint32_t uncompressed_bytes, base::ByteBuffer& into) {
  if (uncompressed_bytes > uncompressed_bytes_max)
    return base::fail(base::Errc::too_large,
                      fmt::format("sub-batch declares {} bytes uncompressed, {} are allowed",
                                  uncompressed_bytes, uncompressed_bytes_max));
  base::Result<> unpacked;
  switch (static_cast<Compression>(compression)) {
    case Compression::none:
      if (body.size() == uncompressed_bytes) return body;
      return malformed("plain",
                       fmt::format("holds {} bytes, declared are {}", body.size(), uncompressed_bytes));
    case Compression::gzip:
      unpacked = unpack_gzip(body, uncompressed_bytes, into);
      break;
    case Compression::snappy:
      unpacked = unpack_snappy(body, uncompressed_bytes, into);
      break;
    case Compression::lz4:
      unpacked = unpack_lz4(body, uncompressed_bytes, into);
      break;
    case Compression::zstd:
      unpacked = unpack_zstd(body, uncompressed_bytes, into);
      break;
    default:
      return base::fail(base::Errc::precondition_failed,
                        fmt::format("unknown compression code {}", compression));
  }
  if (!unpacked) return std::unexpected(std::move(unpacked).error());
  return base::ByteView(into);
}

}  // namespace sluice::storage
