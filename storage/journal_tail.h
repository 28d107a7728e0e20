// SPDX-License-Identifier: Apache-2.0
// The newest records in memory: what this turn appends, and behind it what was written already, for consumers
// that keep up. Records are built in place in blocks of 256 KiB; a block's unwritten part is one batch. Owned
// by one journal. The oldest written blocks go when more than the bound is kept, and are used again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/ports.h"
#include "storage/journal_format.h"

namespace sluice::storage {

class JournalTail {
 public:
  explicit JournalTail(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // What comes next goes to another file. precondition: everything is written
  void begin_file(const JournalFileHeader& file);

  // Room for a record of `size` bytes at the end; `position` is where it will stand in the file.
  struct Room {
    std::uint8_t* at;
    std::uint64_t position;
  };
  Room append(std::size_t size);
  std::uint64_t end_position() const { return end_position_; }
  bool has_unwritten() const { return unwritten_blocks_ > 0; }

  // Writes the batches with one append to the file.
  base::Result<> write(base::File& file, std::uint64_t synced_point);

  // The bytes at the position of that file, as far as they are in memory; empty when they are not.
  base::ByteView find(std::uint64_t file_number, std::uint64_t position, std::size_t size) const;
  std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t block_bytes = 256 << 10;
  struct Block {
    std::unique_ptr<std::uint8_t[]> memory;
    std::size_t capacity = 0;
    std::uint64_t file_number = 0;
    std::uint64_t position = 0;         // of the first byte in the file
    std::size_t size = 0, written = 0;  // bytes
    std::uint32_t records = 0;          // unwritten
  };

  void add_block(std::size_t bytes_needed);
  void drop_oldest();

  std::size_t bytes_max_;
  std::deque<Block> blocks_;                            // by file and position
  std::vector<std::unique_ptr<std::uint8_t[]>> spare_;  // of block_bytes each, at most one
  std::size_t bytes_ = 0;                               // of all blocks' capacities
  std::size_t unwritten_blocks_ = 0;
  JournalFileHeader file_;
  std::uint64_t end_position_ = 0;
  std::vector<base::ByteView> parts_;  // reused
};

}  // namespace sluice::storage
