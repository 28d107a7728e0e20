// SPDX-License-Identifier: Apache-2.0
// Walks the entries of a chunk's data section (or the messages in the uncompressed body of a sub-batch, which
// have the form of simple entries). Bounds-checked: the data may come from a damaged file. Pure, no
// allocation.
//
//   simple entry   0:1 size:31 | body
//   sub-batch      1:1 compression:3 reserved:4 | records u16 | uncompressed bytes u32 | size u32 | body
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace sluice::storage {

inline constexpr std::size_t simple_entry_header_bytes = 4;
inline constexpr std::size_t sub_batch_header_bytes = 11;

struct EntryView {
  std::uint32_t position = 0;  // where the entry's header begins in the data
  std::uint32_t bytes = 0;     // header and body
  bool is_sub_batch = false;
  std::uint8_t compression = 0;
  std::uint16_t records = 1;
  std::uint32_t uncompressed_bytes = 0;  // as the publisher says; sub-batches only
  base::ByteView body;
};

class EntryCursor {
 public:
  explicit EntryCursor(base::ByteView data, std::uint32_t from_position = 0)
      : data_(data), position_(from_position) {}

  // False at the end and at the first malformed entry; ok() tells which.
  bool next(EntryView& entry) {
    const std::size_t left = position_ <= data_.size() ? data_.size() - position_ : 0;
    if (left < simple_entry_header_bytes) return ok_ = left == 0 && position_ <= data_.size(), false;
    const std::uint8_t* at = data_.data() + position_;
    std::size_t header_bytes = simple_entry_header_bytes;
    std::size_t body_bytes;
    entry.is_sub_batch = (at[0] & 0x80) != 0;
    if (!entry.is_sub_batch) [[likely]] {
      entry.compression = 0;
      entry.records = 1;
      entry.uncompressed_bytes = 0;
      body_bytes = base::load_be<std::uint32_t>(at);
    } else {
      header_bytes = sub_batch_header_bytes;
      if (left < header_bytes) return ok_ = false;
      entry.compression = (at[0] >> 4) & 0x7;
      entry.records = base::load_be<std::uint16_t>(at + 1);
      entry.uncompressed_bytes = base::load_be<std::uint32_t>(at + 3);
      body_bytes = base::load_be<std::uint32_t>(at + 7);
    }
    if (left - header_bytes < body_bytes) return ok_ = false;
    entry.position = position_;
    entry.bytes = static_cast<std::uint32_t>(header_bytes + body_bytes);
    entry.body = data_.subspan(position_ + header_bytes, body_bytes);
    position_ += entry.bytes;
    return true;
  }
  bool ok() const { return ok_; }
  std::uint32_t position() const { return position_; }  // of the next entry

 private:
  base::ByteView data_;
  std::uint32_t position_;
  bool ok_ = true;
};

}  // namespace sluice::storage
