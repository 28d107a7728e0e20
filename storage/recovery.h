// SPDX-License-Identifier: Apache-2.0
// What open() does to a log's directory before anything is appended: removes leftovers, checks the newest
// segment and cuts its torn tail, checks that the sealed ones are whole and without gaps, rebuilds indexes
// that are missing or wrong, and reads the publisher sequences.
//
// A torn tail is a bad chunk with no good chunk behind it. A bad chunk with good ones behind it is damage:
// the file is left as it is and recovery fails with Errc::corrupt, so that log stays offline until an
// operator decides; nothing is served with a hole in it. Chunks before the last few of the newest segment are
// not read here: readers check what they serve.
#pragma once

#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/segment_writer.h"
#include "storage/sequences.h"

namespace sluice::storage {

struct OpenReport {
  std::uint64_t bytes_cut = 0;        // torn tail removed
  std::uint32_t indexes_rebuilt = 0;  // of sealed segments
  std::vector<std::string> damage;    // one sentence per damaged place that was found
};

struct RecoveredLog {
  std::vector<SegmentInfo> sealed;  // oldest first
  SegmentWriter active;
  SequenceMap sequences;
  std::vector<base::Offset> filters_missing;  // sealed segments whose .filter file must still be built
};

// How much of the tail has its data checked at open beyond what the index does not cover: the chunks of the
// last 8 MiB, at least four, at most 256.
inline constexpr std::uint64_t verify_tail_bytes = 8 << 20;
inline constexpr std::uint32_t verify_tail_chunks_min = 4, verify_tail_chunks = 256;

base::Result<RecoveredLog> recover_log(base::Shard& shard, const std::string& directory, OpenReport& report);

// ---- the two halves, in tail_recovery.cc and sealed_recovery.cc

// The newest segment, cut behind its last good chunk; its index complete up to there (some of it buffered).
base::Result<SegmentWriter> recover_newest(base::Shard& shard, const std::string& directory,
                                           base::Offset first_offset, OpenReport& report);
base::Result<SegmentInfo> check_sealed(base::Shard& shard, const std::string& directory,
                                       base::Offset first_offset, OpenReport& report);
// Records the damage and makes the error that says where it is.
std::unexpected<base::Error> damaged(OpenReport& report, const std::string& path, std::uint64_t position,
                                     const std::string& what);

}  // namespace sluice::storage
