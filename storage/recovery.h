// SPDX-License-Identifier: Apache-2.0
// What open() does to a log's directory before anything is appended: removes leftovers, checks the end of the
// log and cuts what is torn, checks that the sealed segments are whole and without gaps, rebuilds indexes
// that are missing or wrong, and reads the publisher sequences.
//
// The tail are the segments behind the last one with a sealed mark: the newest, and those that a crash kept
// from being made durable. A torn tail is a bad chunk there with no good chunk behind it in its file: it is
// cut, and segments behind it are dropped, as a power cut may take the end of one file and leave the next. A
// bad chunk with good ones behind it, or before the tail, is damage: the files are left as they are and
// recovery fails with Errc::corrupt, so that log stays offline until an operator decides; nothing is served
// with a hole in it. Chunks before the last few of a tail segment are not read here: readers check what they
// serve.
#pragma once

#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/sealer.h"
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
  std::vector<UnsealedSegment> unfinished;  // sealed segments without mark or filter file, oldest first
};

// How much of the tail has its data checked at open beyond what the index does not cover: the chunks of the
// last 8 MiB, at least four, at most 256.
inline constexpr std::uint64_t verify_tail_bytes = 8 << 20;
inline constexpr std::uint32_t verify_tail_chunks_min = 4, verify_tail_chunks = 256;

base::Result<RecoveredLog> recover_log(base::Shard& shard, const std::string& directory, OpenReport& report);

// ---- the two halves, in tail_recovery.cc and sealed_recovery.cc

// A segment of the tail, cut behind its last good chunk; its index complete up to there (some of it
// buffered).
base::Result<SegmentWriter> recover_tail(base::Shard& shard, const std::string& directory,
                                         base::Offset first_offset, OpenReport& report);
// How many of the segments (ascending) lie before the tail.
std::size_t count_before_tail(base::Disk& disk, const std::string& directory,
                              const std::vector<base::Offset>& logs);
base::Result<SegmentInfo> check_sealed(base::Shard& shard, const std::string& directory,
                                       base::Offset first_offset, OpenReport& report);
// Records the damage and makes the error that says where it is.
std::unexpected<base::Error> damaged(OpenReport& report, const std::string& path, std::uint64_t position,
                                     const std::string& what);

}  // namespace sluice::storage
