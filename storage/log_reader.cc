// SPDX-License-Identifier: Apache-2.0
// LogReader: the cursor is (segment, chunk id, position, ordinal); everything else is found again from the
// view when needed, so a new view costs nothing.
#include "storage/log_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "storage/crc32.h"
#include "storage/format.h"
#include "storage/trailer.h"

namespace sluice::storage {

namespace {

// Read along with a chunk's header or trailer: usually holds the next header, too.
constexpr std::size_t small_read_bytes = 4096;

}  // namespace

LogReader::LogReader(base::Disk& disk, std::string directory, const LogView& view)
    : disk_(disk), directory_(std::move(directory)), view_(view) {
  seek_end();
}

void LogReader::set_view(const LogView& view) {
  view_ = view;
}

std::string LogReader::where() const {
  return fmt::format("{} segment {}, position {}", directory_, cursor_.segment.value, cursor_.position);
}

std::unexpected<base::Error> LogReader::damaged(std::string_view what) const {
  return base::fail(base::Errc::corrupt, fmt::format("{}: {}", where(), what));
}

// -- moving the cursor

void LogReader::close_files() {
  file_.reset();
  index_.reset();
  verified_.reset();
}

void LogReader::stand_at(const SegmentInfo& info) {
  if (cursor_.segment != info.first_offset) close_files();
  cursor_ = {info.first_offset, info.first_offset, file_header_bytes, 0};
  log_bytes_ = info.log_bytes;
  place_.reset();
}

void LogReader::stand_at(base::Offset segment, std::uint32_t ordinal, const IndexRecord& record) {
  cursor_ = {segment, record.chunk_id, record.position, ordinal};
  place_.reset();
}

void LogReader::seek_end() {
  if (cursor_.segment != view_.active.first_offset) close_files();
  index_.reset();
  cursor_ = {view_.active.first_offset, view_.next_offset, view_.active.log_bytes, view_.active.chunks};
  log_bytes_ = view_.active.log_bytes;
  place_.reset();
}

void LogReader::advance() {
  INVARIANT(place_, "advance without a current chunk");
  cursor_.chunk_id = place_->header.next_offset();
  cursor_.position = place_->end_position();
  ++cursor_.ordinal;
  place_.reset();
}

LogReader::Found LogReader::find_segment(base::Offset offset) const {
  const auto& sealed = *view_.sealed;
  if (sealed.empty() || offset >= view_.active.first_offset) return {&view_.active, false};
  auto above =
      std::upper_bound(sealed.begin(), sealed.end(), offset,
                       [](base::Offset at, const SegmentInfo& info) { return at < info.first_offset; });
  if (above != sealed.begin()) --above;
  return {&*above, true};
}

LogReader::Found LogReader::next_segment() const {
  const auto& sealed = *view_.sealed;
  auto next =
      std::upper_bound(sealed.begin(), sealed.end(), cursor_.segment,
                       [](base::Offset at, const SegmentInfo& info) { return at < info.first_offset; });
  if (next != sealed.end()) return {&*next, true};
  if (view_.active.first_offset > cursor_.segment) return {&view_.active, false};
  return {};
}

base::Result<std::optional<LogReader::Segment>> LogReader::segment(ReadAhead& window) {
  if (cursor_.chunk_id < view_.first_offset) TRY_VOID(seek_offset(view_.first_offset, window));
  if (cursor_.chunk_id >= view_.next_offset) return std::nullopt;
  const Found found = find_segment(cursor_.chunk_id);
  if (found.info->first_offset != cursor_.segment) {
    if (found.info->first_offset == cursor_.chunk_id)
      stand_at(*found.info);
    else
      TRY_VOID(seek_in_segment(found, cursor_.chunk_id, window));
  }
  log_bytes_ = found.info->log_bytes;
  if (cursor_.position >= log_bytes_)
    return damaged(fmt::format("the segment ends before offset {}", cursor_.chunk_id.value));
  return Segment{found.info, found.is_sealed, cursor_.ordinal};
}

void LogReader::skip_segment() {
  if (const Found next = next_segment(); next.info != nullptr)
    stand_at(*next.info);
  else
    seek_end();
}

base::Result<> LogReader::skip_to(std::uint32_t ordinal) {
  if (ordinal == cursor_.ordinal) return {};
  if (!index_ || index_->segment() != cursor_.segment) {
    const Found found = find_segment(cursor_.segment);
    TRY(index, IndexSearch::open(disk_, directory_, cursor_.segment, indexed_chunks(found)));
    index_ = std::move(index);
  }
  if (ordinal < cursor_.ordinal || ordinal >= index_->count())
    return damaged(fmt::format("no chunk number {} ahead", ordinal));
  TRY(record, index_->at(ordinal));
  if (record.chunk_id < cursor_.chunk_id || record.position < cursor_.position)
    return damaged(fmt::format("index record {} points back", ordinal));
  stand_at(cursor_.segment, ordinal, record);
  return {};
}

// -- seeking

std::uint32_t LogReader::indexed_chunks(const Found& found) const {
  return found.is_sealed ? found.info->chunks : std::min(found.info->chunks, view_.active_indexed_chunks);
}

base::Result<> LogReader::seek_offset(base::Offset offset, ReadAhead& window) {
  offset = std::max(offset, view_.first_offset);
  if (offset >= view_.next_offset) return seek_end(), base::Result<>{};
  return seek_in_segment(find_segment(offset), offset, window);
}

base::Result<> LogReader::seek_last(ReadAhead& window) {
  if (!view_.last_chunk_id) return seek_end(), base::Result<>{};
  return seek_offset(*view_.last_chunk_id, window);
}

base::Result<> LogReader::seek_timestamp(std::int64_t timestamp_ms, ReadAhead& window) {
  Found found;
  for (const SegmentInfo& info : *view_.sealed)
    if (info.chunks > 0 && info.last_timestamp_ms >= timestamp_ms) {
      found = {&info, true};
      break;
    }
  if (found.info == nullptr && view_.active.chunks > 0 && view_.active.last_timestamp_ms >= timestamp_ms)
    found = {&view_.active, false};
  if (found.info == nullptr) return seek_end(), base::Result<>{};
  TRY_VOID(seek_in_segment(found, timestamp_ms, window));
  if (cursor_.chunk_id < view_.first_offset) return seek_offset(view_.first_offset, window);
  return {};
}

// Headers are looked at one by one behind the last indexed chunk, or from the segment's start when its index
// cannot be read: an index is only a shortcut.
template <class Reached>
base::Result<> LogReader::scan_until(Reached reached, ReadAhead& window) {
  while (true) {
    TRY(place, current(window));
    if (place == nullptr || reached(place->header)) return {};
    advance();
  }
}

base::Result<> LogReader::seek_in_segment(const Found& found, base::Offset offset, ReadAhead& window) {
  stand_at(*found.info);
  if (offset <= found.info->first_offset) return {};
  if (const std::uint32_t count = indexed_chunks(found); count > 0) {
    auto index = IndexSearch::open(disk_, directory_, found.info->first_offset, count);
    if (index) {
      if (auto chunk = index->find_offset(offset)) stand_at(cursor_.segment, chunk->ordinal, chunk->record);
    }
  }
  return scan_until([&](const ChunkHeader& header) { return header.next_offset() > offset; }, window);
}

base::Result<> LogReader::seek_in_segment(const Found& found, std::int64_t timestamp_ms, ReadAhead& window) {
  stand_at(*found.info);
  if (const std::uint32_t count = indexed_chunks(found); count > 0) {
    auto index = IndexSearch::open(disk_, directory_, found.info->first_offset, count);
    if (index) {
      auto chunk = index->find_timestamp(timestamp_ms);
      if (chunk && chunk->ordinal == count) {
        // In the tail that is not indexed yet.
        auto last = index->at(count - 1);
        if (last) stand_at(cursor_.segment, count - 1, *last);
      } else if (chunk) {
        stand_at(cursor_.segment, chunk->ordinal, chunk->record);
      }
    }
  }
  return scan_until([&](const ChunkHeader& header) { return header.timestamp_ms >= timestamp_ms; }, window);
}

// -- looking at the chunk

bool LogReader::was_removed(base::Offset segment) const {
  return !disk_.exists(segment_path(directory_, segment, log_suffix));
}

base::Result<bool> LogReader::open_file() {
  if (file_) return true;
  auto file = disk_.open(segment_path(directory_, cursor_.segment, log_suffix), base::Disk::Mode::read);
  if (!file) {
    if (cursor_.segment < view_.active.first_offset && was_removed(cursor_.segment)) return false;
    return std::unexpected(std::move(file).error());
  }
  file_ = *std::move(file);
  return true;
}

// As much as the caller has use for, if chunks go on as they were; a header alone when they are large.
std::size_t LogReader::likely_bytes() const {
  if (last_chunk_bytes_ > small_chunk_bytes_max) return small_read_bytes;
  return std::clamp<std::size_t>(last_chunk_bytes_ * expected_chunks_, small_read_bytes,
                                 ReadAhead::bytes_kept);
}

base::Result<const ChunkPlace*> LogReader::current(ReadAhead& window) {
  if (place_) return &*place_;
  while (true) {
    TRY(at, segment(window));
    if (!at) return nullptr;
    TRY(opened, open_file());
    if (opened) break;
    skip_segment();
  }
  const std::uint64_t available = log_bytes_ - cursor_.position;
  if (available < chunk_header_bytes) return damaged("the segment ends within a chunk header");
  TRY(bytes, window.fetch(file_, cursor_.position, chunk_header_bytes, likely_bytes(),
                          std::min(available, std::uint64_t{ReadAhead::bytes_kept})));
  auto header = decode_chunk_header(bytes);
  if (!header) return damaged(header.error().text);
  if (header->chunk_id != cursor_.chunk_id)
    return damaged(
        fmt::format("chunk {} where {} is expected", header->chunk_id.value, cursor_.chunk_id.value));
  if (header->stored_bytes() > available || header->trailer_bytes < trailer_fixed_bytes)
    return damaged(fmt::format("impossible length {}", header->stored_bytes()));
  last_chunk_bytes_ = header->stored_bytes();
  place_.emplace();
  place_->header = *header;
  std::copy_n(bytes.begin(), chunk_header_bytes, place_->header_bytes.begin());
  place_->position = cursor_.position;
  place_->ordinal = cursor_.ordinal;
  return &*place_;
}

base::Result<base::ByteView> LogReader::chunk_bytes(ReadAhead& window) {
  const std::uint64_t size = place_->header.stored_bytes();
  const std::uint64_t most = std::min<std::uint64_t>(log_bytes_ - place_->position, ReadAhead::bytes_kept);
  TRY(bytes, window.fetch(file_, place_->position, size, likely_bytes(), most));
  const base::ByteView chunk = bytes.first(size);
  if (!header_check_holds(place_->header_bytes, chunk.subspan(place_->header.wire_bytes())))
    return damaged("the chunk header fails its check");
  if (place_->header.chunk_id < view_.verified_from &&
      crc32(chunk.subspan(chunk_header_bytes, place_->header.data_bytes)) != place_->header.data_crc)
    return damaged("the chunk's data fails its CRC");
  return chunk;
}

base::Result<> LogReader::check_header(ReadAhead& window) {
  const std::uint64_t available = log_bytes_ - place_->trailer_position();
  // Together with the next header, when the trailer between them is short.
  const std::uint64_t most =
      place_->header.trailer_bytes <= 2 * small_read_bytes
          ? std::min(available, place_->header.trailer_bytes + std::uint64_t{small_read_bytes})
          : header_check_bytes;
  TRY(bytes, window.fetch(file_, place_->trailer_position(), header_check_bytes, most, most));
  if (!header_check_holds(place_->header_bytes, bytes)) return damaged("the chunk header fails its check");
  return {};
}

base::Result<base::ByteView> LogReader::read_trailer(ReadAhead& window) {
  const std::uint64_t size = place_->header.trailer_bytes;
  // No large buffer by a length that nothing vouches for.
  if (size > ReadAhead::bytes_kept) TRY_VOID(check_header(window));
  // Large chunks lie far apart: only the next header is worth having along.
  const bool small = last_chunk_bytes_ <= small_chunk_bytes_max;
  const std::uint64_t most = std::min(log_bytes_ - place_->trailer_position(),
                                      small ? ReadAhead::bytes_kept : size + small_read_bytes);
  TRY(bytes, window.fetch(file_, place_->trailer_position(), size, size + likely_bytes(), most));
  if (!header_check_holds(place_->header_bytes, bytes)) return damaged("the chunk header fails its check");
  return bytes.first(size);
}

base::Result<> LogReader::check_data(VerifiedChunks& verified, base::MutableBytes scratch) {
  if (place_->header.chunk_id >= view_.verified_from) return {};
  if (!verified_) verified_ = verified.segment(directory_, cursor_.segment);
  if (verified_->contains(place_->ordinal)) return {};
  std::uint32_t crc = 0;
  for (std::uint32_t at = 0; at < place_->header.data_bytes;) {
    const auto part = scratch.first(std::min<std::size_t>(scratch.size(), place_->header.data_bytes - at));
    TRY_VOID(read_data(at, part));
    crc = crc32(part, crc);
    at += static_cast<std::uint32_t>(part.size());
  }
  if (crc != place_->header.data_crc) return damaged("the chunk's data fails its CRC");
  verified_->add(place_->ordinal);
  return {};
}

base::Result<> LogReader::read_data(std::uint32_t begin, base::MutableBytes into) {
  INVARIANT(place_ && begin + into.size() <= place_->header.data_bytes, "read beyond the data of a chunk");
  TRY(size, file_->read_at(place_->data_position() + begin, into));
  if (size < into.size()) return damaged("the file ends within the chunk");
  return {};
}

}  // namespace sluice::storage
