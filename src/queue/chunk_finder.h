// SPDX-License-Identifier: Apache-2.0
// Moves a log reader to the next chunk that a filter plan may want: first by segments (their `.filter` files;
// a segment that cannot match is not opened), then by the chunk ordinals the segment's filter names (through
// the index; the others are not read), then by the filter record in each chunk's trailer.
// Part of a stream view.
#pragma once

#include <optional>

#include "filters/plan.h"
#include "queue/metrics.h"
#include "queue/scratch.h"
#include "storage/log_reader.h"

namespace sluice::queue {

class ChunkFinder {
 public:
  enum class Outcome : std::uint8_t { found, end_of_log, budget_spent };

  ChunkFinder(base::Disk& disk, const std::string& directory, const filters::FilterPlan& plan,
              Metrics& metrics)
      : disk_(disk), directory_(directory), plan_(plan), metrics_(metrics) {}

  // When found: the reader stands before a chunk with a match, scratch.match says which entries, and
  // record() is its filter record. Asking again without moving the reader gives the same answer.
  base::Result<Outcome> find(storage::LogReader& reader, Scratch& scratch, Budget& budget);
  // Of the chunk found; none when the chunk has none, or none that can be trusted. Valid while
  // scratch.trailer is.
  const filters::ChunkFilterView* record() const { return record_ ? &*record_ : nullptr; }

  std::uint64_t chunks_skipped() const { return chunks_skipped_; }
  std::uint64_t segments_skipped() const { return segments_skipped_; }

 private:
  using Match = filters::SegmentMatch;

  void count_skipped(std::uint64_t chunks, std::uint64_t segments = 0);
  // True when the reader's chunk has to be looked at; false when it was moved on.
  base::Result<bool> stand_in_segment(storage::LogReader& reader, const storage::LogReader::Segment& segment,
                                      Budget& budget);
  Match match_segment(const storage::LogReader::Segment& segment) const;
  base::Result<> match_chunk(storage::LogReader& reader, const storage::ChunkPlace& place, Scratch& scratch,
                             Budget& budget);

  base::Disk& disk_;
  const std::string& directory_;
  const filters::FilterPlan& plan_;
  Metrics& metrics_;
  // The segment that segment_match_ is about, and whether it was sealed when asked.
  std::optional<base::Offset> planned_;
  bool planned_sealed_ = false;
  Match segment_match_;
  std::optional<filters::ChunkFilterView> record_;
  std::uint64_t chunks_skipped_ = 0, segments_skipped_ = 0;
};

}  // namespace sluice::queue
