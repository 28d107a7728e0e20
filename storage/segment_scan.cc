// SPDX-License-Identifier: Apache-2.0
// A chunk's header check stands at the first bytes of its trailer, so a length is only trusted - and a
// trailer only read into memory - after four bytes at the place it points to have confirmed it.
#include "storage/segment_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "storage/crc32.h"

namespace sluice::storage {
namespace {

constexpr std::size_t verify_step_bytes = 256 << 10;
// A chunk up to this size is read at once when its data is wanted.
constexpr std::size_t whole_chunk_bytes = 4 << 20;
// Behind a large chunk whose data is not wanted, a trailer and the next header are all that is worth reading.
constexpr std::size_t large_chunk_bytes = 16 << 10, sparse_window_bytes = 4 << 10;
constexpr std::uint8_t first_byte_of_chunk = 0x50;

}  // namespace

SegmentScanner::SegmentScanner(std::shared_ptr<const base::File> file, std::uint64_t position,
                               std::uint64_t end, base::Offset next_offset, Data data)
    : window_(std::move(file), end,
              data == Data::verify ? verify_step_bytes : ReadWindow::window_bytes_default),
      position_(position),
      next_offset_(next_offset),
      data_(data) {}

base::Result<bool> SegmentScanner::next(ScannedChunk& chunk) {
  if (position_ >= window_.end()) return false;
  TRY_VOID(read_chunk(chunk));
  position_ += chunk.header.stored_bytes();
  next_offset_ = chunk.header.next_offset();
  epoch_ = chunk.header.epoch;
  return true;
}

base::Result<> SegmentScanner::read_chunk(ScannedChunk& chunk) {
  TRY(header_bytes, window_.get(position_, chunk_header_bytes));
  if (header_bytes.size() < chunk_header_bytes)
    return corrupt(fmt::format("chunk header is cut off after {} bytes", header_bytes.size()));
  auto header = decode_chunk_header(header_bytes);
  if (!header) return corrupt(std::move(header).error().text);
  std::copy(header_bytes.begin(), header_bytes.end(), header_bytes_.begin());
  const std::uint64_t left = window_.end() - position_;
  if (header->stored_bytes() > left)
    return corrupt(fmt::format("chunk of {} bytes is cut off after {}", header->stored_bytes(), left));

  if (data_ == Data::skip)
    window_.set_window_bytes(header->data_bytes > large_chunk_bytes ? sparse_window_bytes
                                                                    : ReadWindow::window_bytes_default);
  else if (header->stored_bytes() <= whole_chunk_bytes)
    TRY_VOID(window_.get(position_, static_cast<std::size_t>(header->stored_bytes())));
  const std::uint64_t trailer_at = position_ + header->wire_bytes();
  TRY(check, window_.get(trailer_at, header_check_bytes));
  if (!header_check_holds(header_bytes_, check)) return corrupt("chunk header fails its check");
  if (header->chunk_id != next_offset_)
    return corrupt(fmt::format("chunk id is {}, expected {}", header->chunk_id.value, next_offset_.value));
  if (header->epoch < epoch_)
    return corrupt(fmt::format("epoch {} after epoch {}", header->epoch.value, epoch_.value));
  if (data_ == Data::verify) TRY_VOID(verify_data(*header));
  TRY(trailer, window_.get(trailer_at, header->trailer_bytes));
  trailer_.assign(trailer.begin(), trailer.end());
  TRY(view, TrailerView::parse(header_bytes_, trailer_));
  chunk = {*header, view, position_};
  return {};
}

base::Result<> SegmentScanner::verify_data(const ChunkHeader& header) {
  std::uint32_t crc = 0;
  std::uint64_t at = position_ + chunk_header_bytes;
  for (std::uint64_t left = header.data_bytes; left > 0;) {
    TRY(part, window_.get(at, static_cast<std::size_t>(std::min<std::uint64_t>(left, verify_step_bytes))));
    if (part.empty()) return corrupt("chunk data is cut off");
    crc = crc32(part, crc);
    at += part.size();
    left -= part.size();
  }
  if (crc != header.data_crc)
    return corrupt(fmt::format("chunk data has CRC {:08x}, its header says {:08x}", crc, header.data_crc));
  return {};
}

IndexRecord index_record_of(const ScannedChunk& chunk) {
  IndexRecord record;
  record.chunk_id = chunk.header.chunk_id;
  record.timestamp_ms = chunk.header.timestamp_ms;
  record.epoch = chunk.header.epoch;
  record.position = chunk.position;
  record.wire_bytes = static_cast<std::uint32_t>(chunk.header.wire_bytes());
  record.trailer_bytes = chunk.header.trailer_bytes;
  record.records = chunk.header.records;
  record.entries = chunk.header.entries;
  record.type = chunk.header.type;
  if (!chunk.trailer.filter_record().empty()) record.flags |= IndexRecord::has_filter_values;
  if (chunk.trailer.sequence_count() > 0) record.flags |= IndexRecord::has_sequences;
  if (chunk.trailer.is_snapshot()) record.flags |= IndexRecord::has_snapshot;
  return record;
}

base::Result<std::optional<std::uint64_t>> find_chunk(const std::shared_ptr<const base::File>& file,
                                                      std::uint64_t from, std::uint64_t end,
                                                      const ChunkSearch& search) {
  ReadWindow window(file, end, verify_step_bytes);
  for (std::uint64_t at = from; at + chunk_header_bytes <= end;) {
    TRY(enough, window.get(at, chunk_header_bytes));
    if (enough.size() < chunk_header_bytes) break;
    const auto ahead = window.buffered(at);
    const auto* hit =
        static_cast<const std::uint8_t*>(std::memchr(ahead.data(), first_byte_of_chunk, ahead.size()));
    if (hit != ahead.data()) {
      at += hit == nullptr ? ahead.size() : static_cast<std::uint64_t>(hit - ahead.data());
      continue;
    }
    const auto header = decode_chunk_header(ahead);
    if (header && header->chunk_id >= search.min_chunk_id && at + header->stored_bytes() <= end &&
        header->timestamp_ms >= search.min_timestamp_ms &&
        (!search.chunk_id || header->chunk_id == *search.chunk_id)) {
      SegmentScanner scanner(file, at, at + header->stored_bytes(), header->chunk_id,
                             SegmentScanner::Data::skip);
      ScannedChunk chunk;
      const auto whole = scanner.next(chunk);
      if (whole) return at;
      if (whole.error().code != base::Errc::corrupt) return std::unexpected(whole.error());
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace sluice::storage
