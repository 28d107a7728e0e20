// SPDX-License-Identifier: Apache-2.0
// The .index of a full journal file: per queue and span of offsets (a run), where each message stands. Made
// on a Background worker from what memory knew; read one 4 KiB block at a time afterwards.
//
// Layout: file header (count: runs; first: slots; second: bytes of the journal file; third: check over the
// runs) | slot blocks of 4 KiB: 511 slots of 8 bytes (position, size), 4 bytes 0, check | runs of 40 bytes,
// sorted by queue and first offset.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/journal_extents.h"
#include "storage/journal_format.h"

namespace sluice::storage {

inline constexpr std::size_t index_block_bytes = 4096, index_slots_per_block = 511, index_run_bytes = 40;

struct IndexRun {
  base::QueueId queue;
  base::Offset first;
  std::uint32_t count = 0;       // of slots
  std::uint32_t present = 0;     // of slots that are no holes
  std::uint32_t first_slot = 0;  // in the file
  std::uint64_t bytes = 0;       // of the records, each in its share of them
  friend bool operator==(const IndexRun&, const IndexRun&) = default;
};

// What is to be written of one extent.
struct IndexInput {
  IndexRun run;  // without first_slot and present
  std::shared_ptr<const Extent::Slots> slots;
  std::uint32_t first_slot = 0;  // in *slots
};

// Writes <number>.index by way of a .tmp file and syncs it; not yet the directory. Fills in
// the runs' first_slot. Any thread. precondition: sorted by queue and first offset
base::Result<> write_journal_index(base::Disk& disk, const std::string& directory, std::uint64_t number,
                                   std::uint64_t journal_bytes, std::vector<IndexInput>& inputs);

struct IndexContents {
  std::uint64_t number = 0, slots = 0, journal_bytes = 0;
  std::vector<IndexRun> runs;
};
// corrupt: does not hold together. Slot blocks are not read.
base::Result<IndexContents> read_journal_index(const base::File& file);

std::uint64_t index_block_position(std::uint64_t slot);
// corrupt: not a whole block.
base::Result<> check_index_block(base::ByteView block);
Slot slot_in_block(base::ByteView block, std::uint64_t slot);  // precondition: the block was checked

}  // namespace sluice::storage
