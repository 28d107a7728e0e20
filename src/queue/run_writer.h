// SPDX-License-Identifier: Apache-2.0
// Sends only the matching messages of one chunk: each row of consecutive matching entries as a chunk of its
// own (header and CRC recomputed, offsets as they are in the log). Reads only the stretches of data that hold
// a match, merging those that are near; evaluates messages when the plan asks for it; takes sub-batches apart
// when only some of their messages match. Part of a stream view; one object per chunk.
//
// Rows longer than a read (256 KiB) go out in several pieces.
#pragma once

#include "filters/plan.h"
#include "queue/prepared_runs.h"
#include "queue/scratch.h"
#include "queue/sink.h"
#include "storage/entries.h"
#include "storage/log_reader.h"

namespace sluice::queue {

class RunWriter {
 public:
  // The reader stands at the chunk; scratch.match is the answer about it and `record` its filter record, if
  // there is one. Messages below `from` are not wanted.
  RunWriter(storage::LogReader& reader, const storage::ChunkPlace& place, const filters::FilterPlan& plan,
            const filters::ChunkFilterView* record, Scratch& scratch, base::Offset from);

  // Whether sending runs costs less than sending the whole chunk; without looking at messages.
  bool is_sparse() const;

  struct Result {
    std::uint32_t sent = 0;  // runs
    bool finished = true;    // false: the chunk has more; go on at `next`
    base::Offset next;       // behind the last message sent or prepared; meaningless without any
  };
  // Sends while there are credits and room in the sink, then prepares what comes next as far as it fits.
  // `prepared` is empty at first.
  base::Result<Result> write(std::uint32_t credits, Sink& sink, PreparedRuns& prepared, Budget& budget);

 private:
  enum class Verdict : std::uint8_t { no, yes, part };
  // A stretch of the data section, at entry boundaries, and which entries and records it begins with.
  struct Extent {
    std::uint32_t begin = 0, end = 0;
    std::uint32_t entry = 0, record = 0;
    // CRC-32 of the data before it and up to its end, if the filter record has them.
    std::optional<std::uint32_t> check_before, check_after;
  };
  base::Result<> walk_chunk(Budget& budget);
  Extent next_extent();
  Extent whole_data() const;
  std::uint32_t end_of(const filters::SampleGroup& group) const;
  base::Result<base::ByteView> read(const Extent& extent, Budget& budget);
  base::Result<> verify(const Extent& extent, base::ByteView bytes) const;
  std::unexpected<base::Error> damaged(std::string_view what) const;
  base::Result<> walk(const Extent& extent, base::ByteView bytes);
  Verdict judge(std::uint32_t entry, const storage::EntryView& view);
  Verdict judge_sub_batch(std::uint32_t entry, const storage::EntryView& view);
  void add_messages(std::uint32_t entry, base::Offset first);
  // False: stop, the run before it found no room.
  bool add(const std::uint8_t* bytes, std::size_t size, base::Offset first, std::uint32_t records);
  void send();

  storage::LogReader& reader_;
  const storage::ChunkPlace& place_;
  const filters::FilterPlan& plan_;
  Scratch& scratch_;
  base::Offset from_;
  const filters::ChunkFilterView* samples_ = nullptr;  // the record, if there is one
  std::size_t group_hint_ = 0;                         // the group looked at last
  bool has_checks_ = false;
  std::span<const std::uint32_t> wanted_;  // entry indexes, sorted
  std::size_t next_wanted_ = 0;
  bool check_messages_;
  base::ByteView small_chunk_data_;  // the whole data section, when it lies in the window
  base::ByteView messages_;          // of the sub-batch that judge found to match in part

  Sink* sink_ = nullptr;
  PreparedRuns* prepared_ = nullptr;
  std::uint32_t credits_ = 0;
  Run run_;  // being gathered; no entries: none
  const std::uint8_t* run_begin_ = nullptr;
  std::size_t run_bytes_ = 0;
  Result result_;
};

}  // namespace sluice::queue
