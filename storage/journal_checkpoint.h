// SPDX-License-Identifier: Apache-2.0
// A checkpoint: the state of every queue at the beginning of journal file <number>, so that recovery reads
// that file and those behind it only. Written on a Background worker by way of a .tmp file.
//
// Layout: file header (count: states; first: the journal point where the file begins; second: bytes of the
// states; third: check over them) | per state: queue u64, size u32, state.
#pragma once

#include <functional>
#include <string>

#include "base/ports.h"
#include "storage/journal_format.h"

namespace sluice::storage {

struct Checkpoint {
  std::uint64_t number = 0;
  std::uint64_t first_point = 0;
  std::uint32_t states = 0;
  base::ByteBuffer bytes;  // of all states
};
void add_state(Checkpoint& checkpoint, base::QueueId queue, base::ByteView state);
using StateVisit = std::function<void(base::QueueId queue, base::ByteView state)>;
// precondition: read_checkpoint accepted it
void for_each_state(const Checkpoint& checkpoint, const StateVisit& visit);

// Syncs the file, then renames it; not yet the directory. Any thread.
base::Result<> write_checkpoint_file(base::Disk& disk, const std::string& directory,
                                     const Checkpoint& checkpoint);
base::Result<Checkpoint> read_checkpoint(const base::File& file);

}  // namespace sluice::storage
