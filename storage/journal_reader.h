// SPDX-License-Identifier: Apache-2.0
// Reads records and index slots of journal files. Whoever drains a backlog reads in order, so what is read
// grows while it goes on (4 to 256 KiB); many queues' reads share a few such windows. Memory is bounded:
// 16 windows, 256 index blocks, 64 open files. Owned by one journal; reads block.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/journal_extents.h"
#include "storage/journal_metrics.h"

namespace sluice::storage {

class JournalReader {
 public:
  JournalReader(base::Disk& disk, std::string directory, JournalMetrics& metrics)
      : disk_(disk), directory_(std::move(directory)), metrics_(metrics) {}

  // A slot as the file's index has it.
  base::Result<Slot> slot(std::uint64_t number, std::uint64_t slot);
  // The record, checked; valid until the next call. corrupt: with file and byte.
  base::Result<base::ByteView> record(std::uint64_t number, Slot slot);
  base::Result<std::shared_ptr<const base::File>> file(std::uint64_t number, std::string_view suffix);
  // The file with this number is being written and has so many bytes: what stands behind them may change.
  void ends_at(std::uint64_t number, std::uint64_t bytes) { growing_ = number, growing_bytes_ = bytes; }
  // The files with this number are removed, or get another index.
  void forget(std::uint64_t number);
  // Gives back the windows; what follows reads anew.
  void release_memory();

 private:
  static constexpr std::size_t window_count = 16, window_bytes_min = 4 << 10, window_bytes_max = 256 << 10;
  static constexpr std::size_t block_count = 256, open_files_max = 64;

  struct Window {
    std::uint64_t number = 0, position = 0, used_at = 0;
    base::ByteBuffer bytes;
    bool holds(std::uint64_t of, std::uint64_t at, std::size_t size) const {
      return number == of && at >= position && at + size <= position + bytes.size();
    }
  };
  struct Block {
    std::uint64_t number = UINT64_MAX, position = 0;
    base::ByteBuffer bytes;
  };
  struct OpenFile {
    std::uint64_t number = 0, used_at = 0;
    std::string_view suffix;
    std::shared_ptr<const base::File> file;
  };

  base::Result<base::ByteView> bytes(std::uint64_t number, std::uint64_t position, std::size_t size);
  Window& window_for(std::uint64_t number, std::uint64_t position, std::size_t size, std::size_t& read_bytes);

  base::Disk& disk_;
  std::string directory_;
  JournalMetrics& metrics_;
  std::uint64_t growing_ = 0, growing_bytes_ = 0;
  std::uint64_t uses_ = 0;  // a clock for least recently used
  std::array<Window, window_count> windows_;
  std::size_t last_window_ = 0;
  std::vector<Block> blocks_;  // block_count once one is needed; a block has one place it can be in
  std::vector<OpenFile> open_files_;
};

}  // namespace sluice::storage
