// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_messages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "storage/compression.h"

namespace sluice::broker {
namespace {

constexpr std::size_t window_bytes_min = 4 << 10;
constexpr std::size_t window_bytes_max = 256 << 10;
constexpr std::size_t kept_bytes_max = 1 << 20;  // of each of the desk's buffers

std::unexpected<base::Error> damaged(std::string_view what) {
  return base::fail(base::Errc::corrupt, fmt::format("a chunk with {}", what));
}

}  // namespace

void StreamMessages::Desk::trim() {
  if (window.capacity() <= kept_bytes_max && unpacked.capacity() <= kept_bytes_max) return;
  window_of = batch_of = 0;
  window = {};
  unpacked = {};
}

void StreamMessages::file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                                std::uint32_t records) {
  static_cast<void>(records);
  INVARIANT(empty() && size >= storage::chunk_header_bytes, "a chunk too many");
  file_ = std::move(file);
  data_at_ = position + storage::chunk_header_bytes;
  data_bytes_ = static_cast<std::uint32_t>(size - storage::chunk_header_bytes);
  position_ = 0;
  opened_ = false;
}

void StreamMessages::memory_chunk(std::span<const base::ByteView> parts, std::uint32_t records) {
  static_cast<void>(records);
  INVARIANT(empty(), "a chunk too many");
  file_.reset();
  data_.clear();
  for (const auto& part : parts) data_.insert(data_.end(), part.begin(), part.end());
  const auto header = storage::decode_chunk_header(data_);
  INVARIANT(header && data_.size() == header->wire_bytes(), "a view delivered what is no chunk");
  data_.erase(data_.begin(), data_.begin() + storage::chunk_header_bytes);
  begin(*header);
}

void StreamMessages::begin(const storage::ChunkHeader& header) {
  data_bytes_ = header.data_bytes;
  position_ = 0;
  next_offset_ = header.chunk_id;
  opened_ = true;
}

// Reads the header of a chunk in a file.
base::Result<> StreamMessages::open() {
  std::array<std::uint8_t, storage::chunk_header_bytes> bytes;
  TRY(size, file_->read_at(data_at_ - bytes.size(), bytes));
  if (size < bytes.size()) return damaged("no header");
  TRY(header, storage::decode_chunk_header(bytes));
  if (header.data_bytes != data_bytes_) return damaged("another size than its place");
  begin(header);
  return {};
}

// Nothing of the chunk is needed any more.
void StreamMessages::put_away() {
  file_.reset();
  data_ = {};
  data_bytes_ = position_ = 0;
}

base::Result<base::ByteView> StreamMessages::bytes(std::uint32_t position, std::size_t size,
                                                   std::uint32_t wanted) {
  if (position > data_bytes_ || size > data_bytes_ - position) return damaged("an entry beyond its end");
  if (!file_) return base::ByteView(data_).subspan(position, size);
  const bool there = desk_.window_of == number_ && position >= desk_.window_begin &&
                     position - desk_.window_begin + size <= desk_.window_bytes;
  if (!there) {
    const std::size_t likely = std::clamp<std::size_t>(std::size_t{wanted} * last_entry_bytes_ * 5 / 4,
                                                       window_bytes_min, window_bytes_max);
    const std::size_t much = std::min<std::size_t>(std::max(size, likely), data_bytes_ - position);
    if (desk_.batch_of == desk_.window_of) desk_.batch_of = 0;  // may lie in the window
    desk_.window_of = 0;
    if (desk_.window.size() < much) desk_.window.resize(much);
    TRY(got, file_->read_at(data_at_ + position, base::MutableBytes(desk_.window).first(much)));
    if (got < much) return damaged("fewer bytes in the file than it has");
    desk_.window_of = number_;
    desk_.window_begin = position;
    desk_.window_bytes = much;
  }
  return base::ByteView(desk_.window).subspan(position - desk_.window_begin, size);
}

// The entry at position_.
base::Result<storage::EntryView> StreamMessages::entry(std::uint32_t wanted) {
  std::size_t known = std::min<std::size_t>(storage::sub_batch_header_bytes, data_bytes_ - position_);
  TRY(head, bytes(position_, known, wanted));
  const bool is_sub_batch = (head[0] & 0x80) != 0;
  if (known < (is_sub_batch ? storage::sub_batch_header_bytes : storage::simple_entry_header_bytes))
    return damaged("half an entry");
  known = is_sub_batch
              ? storage::sub_batch_header_bytes + std::size_t{base::load_be<std::uint32_t>(&head[7])}
              : storage::simple_entry_header_bytes + std::size_t{base::load_be<std::uint32_t>(&head[0])};
  TRY(whole, bytes(position_, known, wanted));
  storage::EntryCursor cursor(whole);
  storage::EntryView found;
  if (!cursor.next(found)) return damaged("a malformed entry");
  last_entry_bytes_ = std::max<std::uint32_t>(1, found.bytes / std::max<std::uint16_t>(1, found.records));
  return found;
}

base::Result<> StreamMessages::unpack(const storage::EntryView& from) {
  desk_.batch_of = 0;
  auto body = storage::uncompress(from.compression, from.body, from.uncompressed_bytes, desk_.unpacked);
  if (!body) return std::unexpected(std::move(body).error());
  desk_.batch = *body;
  desk_.batch_of = number_;
  desk_.batch_at = position_;
  return {};
}

base::Result<base::ByteView> StreamMessages::batch(std::uint32_t wanted) {
  if (desk_.batch_of == number_ && desk_.batch_at == position_) return desk_.batch;
  TRY(found, entry(wanted));
  TRY_VOID(unpack(found));
  return desk_.batch;
}

base::Result<bool> StreamMessages::next_of_batch(Message& message, std::uint32_t wanted) {
  TRY(unpacked, batch(wanted));
  storage::EntryCursor cursor(unpacked, batch_position_);
  storage::EntryView inner;
  if (!cursor.next(inner) || inner.is_sub_batch) return damaged("a malformed sub-batch");
  message = {next_offset_, inner.body};
  batch_position_ = cursor.position();
  next_offset_ = next_offset_ + 1;
  if (--batch_left_ == 0) position_ += batch_bytes_;
  return true;
}

base::Result<bool> StreamMessages::next(Message& message, std::uint32_t wanted) {
  for (;;) {
    if (!opened_) TRY_VOID(open());
    if (empty()) {
      put_away();
      return false;
    }
    if (in_batch()) {
      TRY(found, next_of_batch(message, wanted));
      static_cast<void>(found);
    } else {
      TRY(one, entry(wanted));
      if (one.is_sub_batch) {
        batch_left_ = one.records;
        batch_position_ = 0;
        batch_bytes_ = one.bytes;
        if (one.records == 0) position_ += one.bytes;
        continue;
      }
      message = {next_offset_, one.body};
      position_ += one.bytes;
      next_offset_ = next_offset_ + 1;
    }
    if (message.offset >= from_) return true;
  }
}

}  // namespace sluice::broker
