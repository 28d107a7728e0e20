// SPDX-License-Identifier: Apache-2.0
// The window moves forward only. A batch counts when header, point and every record check; searching for one
// that stands somewhere tries each byte, which is for files with damage only.
#include "storage/journal_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sluice::storage {
namespace {

constexpr std::size_t window_bytes = 1 << 20;

// How many bytes at `position` are the beginning of a batch header of which the rest was not written. A whole
// one, of whatever file, is none.
base::Result<std::uint64_t> torn_header_bytes(const base::File& file, std::uint64_t position,
                                              std::uint64_t size) {
  std::array<std::uint8_t, batch_header_bytes> bytes;
  const auto here = base::MutableBytes(bytes).first(std::min<std::uint64_t>(bytes.size(), size - position));
  TRY(got, file.read_at(position, here));
  const base::ByteView head = here.first(got);
  return is_torn_batch_header(head) ? head.size() : 0;
}

}  // namespace

bool RecordCursor::next() {
  if (next_ == payload_.size() || !ok_) return false;
  const auto rest = payload_.subspan(next_);
  const auto size = record_size(rest);
  if (!size || !record_is_whole(rest.first(*size)) || !record_kind(rest.first(*size))) {
    ok_ = false;
    return false;
  }
  record_ = rest.first(*size);
  next_ += *size;
  return true;
}

base::Result<base::ByteView> JournalScanner::window(std::uint64_t position, std::size_t size) {
  if (position < window_position_ || position + size > window_position_ + window_.size()) {
    window_.resize(std::min<std::uint64_t>(std::max(size, window_bytes), end_ - position));
    window_position_ = position;
    auto got = file_->read_at(position, window_);
    if (!got) {
      window_.clear();
      return std::unexpected(std::move(got).error());
    }
    window_.resize(*got);
    if (window_.size() < size)
      return base::fail(base::Errc::corrupt,
                        fmt::format("the file ends within a batch at byte {}", position));
  }
  return base::ByteView(window_).subspan(position - window_position_, size);
}

base::Result<bool> JournalScanner::next() {
  if (next_ >= end_) return false;
  const auto bad = [&](std::string_view what) {
    return base::fail(base::Errc::corrupt, fmt::format("{} at byte {}", what, next_));
  };
  if (end_ - next_ < batch_header_bytes) return bad("torn batch");
  TRY(head, window(next_, batch_header_bytes));
  const auto header = decode_batch_header(head, header_.salt);
  if (!header || header->point != point_of(next_)) return bad("no batch");
  const std::uint64_t payload_at = next_ + batch_header_bytes;
  if (header->payload_bytes > end_ - payload_at) return bad("torn batch");
  TRY(payload, window(payload_at, header->payload_bytes));
  RecordCursor cursor(payload);
  std::uint32_t records = 0;
  while (cursor.next()) ++records;
  if (!cursor.ok() || records != header->records) return bad("damaged batch");
  batch_ = *header;
  payload_ = payload;
  next_ = payload_at + payload.size();
  return true;
}

base::Result<std::optional<BatchPlace>> find_batch(const base::File& file, std::uint64_t salt,
                                                   std::uint64_t position, std::uint64_t end) {
  base::ByteBuffer window;
  while (position + batch_header_bytes <= end) {
    window.resize(std::min<std::uint64_t>(window_bytes, end - position));
    TRY(got, file.read_at(position, window));
    if (got < batch_header_bytes) break;
    window.resize(got);
    const std::size_t last = got - batch_header_bytes;
    for (std::size_t at = 0; at <= last; ++at) {
      if (auto header = decode_batch_header(base::ByteView(window).subspan(at), salt))
        return BatchPlace{position + at, *header};
    }
    position += last + 1;
  }
  return std::nullopt;
}

base::Result<JournalFileHeader> read_journal_header(const base::File& file, std::uint64_t number) {
  std::array<std::uint8_t, journal_header_bytes> bytes;
  TRY(got, file.read_at(0, bytes));
  TRY(header, decode_journal_file_header(base::ByteView(bytes).first(got)));
  if (header.number != number)
    return base::fail(base::Errc::corrupt, fmt::format("the file header says number {}", header.number));
  return header;
}

base::Result<Remains> find_remains(const base::File& file, std::uint64_t number, std::uint64_t position) {
  TRY(size, file.size());
  std::array<std::uint8_t, journal_header_bytes> bytes;
  TRY(got, file.read_at(0, bytes));
  const auto header = decode_journal_file_header(base::ByteView(bytes).first(got));
  Remains remains;
  // A good header with a lower number is a spare's, which has its new name but no new header yet.
  if (!header || header->number > number) remains.torn_bytes = size - std::min(size, position);
  if (!header || header->number != number) return remains;
  TRY(torn_header, torn_header_bytes(file, position, size));
  std::uint64_t end = position + torn_header;
  for (auto at = position;;) {
    TRY(batch, find_batch(file, header->salt, at, size));
    if (!batch) break;
    remains.synced_point = std::max(remains.synced_point, batch->header.synced_point);
    // What looks like a header within a batch is found as well; that does no harm.
    at = batch->position + batch_header_bytes;
    end = std::max(end, std::min(size, at + batch->header.payload_bytes));
  }
  remains.torn_bytes = end - position;
  return remains;
}

}  // namespace sluice::storage
