// SPDX-License-Identifier: Apache-2.0
// Each block has room for a batch header in front of its unwritten part, which write() fills in last:
// records, size and point are known only then.
#include "storage/journal_tail.h"

#include "base/check.h"

namespace sluice::storage {

void JournalTail::begin_file(const JournalFileHeader& file) {
  INVARIANT(unwritten_blocks_ == 0, "journal file {} begins with {} blocks unwritten", file.number,
            unwritten_blocks_);
  file_ = file;
  end_position_ = journal_header_bytes;
}

void JournalTail::add_block(std::size_t bytes_needed) {
  Block block;
  block.capacity = std::max(block_bytes, bytes_needed);
  if (block.capacity == block_bytes && !spare_.empty()) {
    block.memory = std::move(spare_.back());
    spare_.pop_back();
  } else {
    block.memory = std::make_unique_for_overwrite<std::uint8_t[]>(block.capacity);
  }
  block.file_number = file_.number;
  block.position = end_position_;
  bytes_ += block.capacity;
  blocks_.push_back(std::move(block));
}

void JournalTail::drop_oldest() {
  Block& oldest = blocks_.front();
  bytes_ -= oldest.capacity;
  if (oldest.capacity == block_bytes && spare_.empty()) spare_.push_back(std::move(oldest.memory));
  blocks_.pop_front();
}

JournalTail::Room JournalTail::append(std::size_t size) {
  const bool other_file = blocks_.empty() || blocks_.back().file_number != file_.number;
  if (other_file || blocks_.back().capacity - blocks_.back().size < size + batch_header_bytes)
    add_block(size + batch_header_bytes);
  Block& block = blocks_.back();
  if (block.size == block.written) {
    block.size += batch_header_bytes;
    end_position_ += batch_header_bytes;
    block.records = 0;
    ++unwritten_blocks_;
  }
  const Room room{block.memory.get() + block.size, end_position_};
  block.size += size;
  end_position_ += size;
  ++block.records;
  return room;
}

base::Result<> JournalTail::write(base::File& file, std::uint64_t synced_point) {
  parts_.clear();
  const std::size_t first = blocks_.size() - unwritten_blocks_;
  for (std::size_t i = first; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    const std::size_t batch_bytes = block.size - block.written;
    encode_batch_header({.payload_bytes = static_cast<std::uint32_t>(batch_bytes - batch_header_bytes),
                         .records = block.records,
                         .salt = file_.salt,
                         .point = file_.first_point + block.position + block.written - journal_header_bytes,
                         .synced_point = synced_point},
                        block.memory.get() + block.written);
    parts_.emplace_back(block.memory.get() + block.written, batch_bytes);
    block.written = block.size;
  }
  unwritten_blocks_ = 0;
  auto written = file.append(parts_);
  // One block stays for what comes next, unless a large record made it larger.
  while (bytes_ > bytes_max_ && (blocks_.size() > 1 || bytes_ > block_bytes)) drop_oldest();
  return written;
}

base::ByteView JournalTail::find(std::uint64_t file_number, std::uint64_t position, std::size_t size) const {
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
    if (block->file_number > file_number || (block->file_number == file_number && block->position > position))
      continue;
    const bool inside = block->file_number == file_number && position + size <= block->position + block->size;
    return inside ? base::ByteView(block->memory.get() + (position - block->position), size)
                  : base::ByteView{};
  }
  return {};
}

}  // namespace sluice::storage
