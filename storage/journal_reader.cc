// SPDX-License-Identifier: Apache-2.0
// Everything read is checked before it is handed out, and an error names file and byte. Which window or block
// a read takes is decided by what was used for longest and by who reads on in order.
#include "storage/journal_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/journal_index.h"

namespace sluice::storage {
namespace {

base::Error with_place(base::Error error, std::string_view directory, std::uint64_t number,
                       std::string_view suffix, std::uint64_t position) {
  error.text = fmt::format("{}, byte {}: {}", journal_path(directory, number, suffix), position, error.text);
  return error;
}

}  // namespace

base::Result<std::shared_ptr<const base::File>> JournalReader::file(std::uint64_t number,
                                                                    std::string_view suffix) {
  for (auto& open : open_files_) {
    if (open.number != number || open.suffix != suffix) continue;
    open.used_at = ++uses_;
    return open.file;
  }
  TRY(opened, disk_.open(journal_path(directory_, number, suffix), base::Disk::Mode::read));
  if (open_files_.size() >= open_files_max)
    open_files_.erase(std::ranges::min_element(open_files_, {}, &OpenFile::used_at));
  open_files_.push_back({number, ++uses_, suffix, std::move(opened)});
  return open_files_.back().file;
}

base::Result<Slot> JournalReader::slot(std::uint64_t number, std::uint64_t slot) {
  if (blocks_.empty()) blocks_.resize(block_count);
  const std::uint64_t position = index_block_position(slot);
  Block& block = blocks_[(number * 31 + slot / index_slots_per_block) % block_count];
  if (block.number != number || block.position != position) {
    TRY(index, file(number, journal_index_suffix));
    block.number = UINT64_MAX;
    block.bytes.resize(index_block_bytes);
    TRY(got, index->read_at(position, block.bytes));
    metrics_.disk_reads.add();
    metrics_.disk_read_bytes.add(got);
    if (auto checked = check_index_block(base::ByteView(block.bytes).first(got)); !checked)
      return std::unexpected(
          with_place(std::move(checked).error(), directory_, number, journal_index_suffix, position));
    block.number = number;
    block.position = position;
  }
  return slot_in_block(block.bytes, slot);
}

// Reads that go on where a window of the file ends, or not far behind, take that window and twice its size;
// others the one that was not used for longest.
JournalReader::Window& JournalReader::window_for(std::uint64_t number, std::uint64_t position,
                                                 std::size_t size, std::size_t& read_bytes) {
  read_bytes = std::max(size, window_bytes_min);
  Window* chosen = &windows_[0];
  for (Window& window : windows_) {
    const std::uint64_t end = window.position + window.bytes.size();
    const bool goes_on = window.number == number && !window.bytes.empty() && position >= window.position &&
                         position <= end + window.bytes.size();
    if (goes_on) {
      read_bytes = std::max(size, std::min(window.bytes.size() * 2, window_bytes_max));
      return window;
    }
    if (window.used_at < chosen->used_at) chosen = &window;
  }
  return *chosen;
}

base::Result<base::ByteView> JournalReader::bytes(std::uint64_t number, std::uint64_t position,
                                                  std::size_t size) {
  if (!windows_[last_window_].holds(number, position, size)) {
    const auto holding = std::ranges::find_if(
        windows_, [&](const Window& window) { return window.holds(number, position, size); });
    if (holding != windows_.end()) {
      last_window_ = static_cast<std::size_t>(holding - windows_.begin());
    } else {
      TRY(from, file(number, journal_suffix));
      std::size_t read_bytes = 0;
      Window& window = window_for(number, position, size, read_bytes);
      if (number == growing_ && position < growing_bytes_)
        read_bytes =
            std::max<std::size_t>(size, std::min<std::uint64_t>(read_bytes, growing_bytes_ - position));
      if (window.bytes.capacity() > window_bytes_max) window.bytes = {};
      window.bytes.resize(read_bytes);
      auto got = from->read_at(position, window.bytes);
      window.number = number;
      window.position = position;
      window.bytes.resize(got.value_or(0));
      if (!got) return std::unexpected(std::move(got).error());
      metrics_.disk_reads.add();
      metrics_.disk_read_bytes.add(*got);
      last_window_ = static_cast<std::size_t>(&window - windows_.data());
      if (*got < size) return base::fail(base::Errc::corrupt, "the file ends within the record");
    }
  }
  Window& window = windows_[last_window_];
  window.used_at = ++uses_;
  return base::ByteView(window.bytes).subspan(position - window.position, size);
}

base::Result<base::ByteView> JournalReader::record(std::uint64_t number, Slot slot) {
  const auto fail = [&](base::Error error) {
    return std::unexpected(with_place(std::move(error), directory_, number, journal_suffix, slot.position));
  };
  // No memory for a size that the file cannot have.
  if (slot.size > window_bytes_max) {
    TRY(from, file(number, journal_suffix));
    TRY(file_bytes, from->size());
    if (slot.position + std::uint64_t{slot.size} > file_bytes)
      return fail({base::Errc::corrupt, "the file ends within the record"});
  }
  auto got = bytes(number, slot.position, slot.size);
  if (!got) return fail(std::move(got).error());
  const auto size = record_size(*got);
  if (!size || *size != slot.size || !record_is_whole(*got))
    return fail({base::Errc::corrupt, "the record fails its check"});
  return *got;
}

void JournalReader::forget(std::uint64_t number) {
  std::erase_if(open_files_, [&](const OpenFile& open) { return open.number == number; });
  for (Window& window : windows_)
    if (window.number == number) window.bytes.clear();
  for (Block& block : blocks_)
    if (block.number == number) block.number = UINT64_MAX;
}

void JournalReader::release_memory() {
  for (Window& window : windows_) window = {};
  blocks_ = {};
}

}  // namespace sluice::storage
