// SPDX-License-Identifier: Apache-2.0
// Runs of matching messages that were found but had no credit: the next call sends them without looking at
// the chunk again. Credit often comes ten at a time, and a chunk may hold hundreds of runs. Part of a stream
// view; bounded, and empty unless the view waits for credit inside a chunk.
#pragma once

#include <vector>

#include "queue/sink.h"
#include "storage/chunk.h"

namespace sluice::queue {

struct Run {
  base::Offset first;  // offset of its first message
  std::uint32_t entries = 0;
  std::uint32_t records = 0;
};

// Sends the entries in `data`, cut out of the chunk with header `of`, as a chunk of their own.
void send_run(const storage::ChunkHeader& of, const Run& run, base::ByteView data, Sink& sink);

class PreparedRuns {
 public:
  static constexpr std::size_t bytes_max = 32 << 10;

  bool empty() const { return next_ == runs_.size(); }
  // Of the first message that waits; only when not empty.
  base::Offset first() const { return runs_[next_].run.first; }
  // Copies the run; false when there is no room. All runs until the next clear() are from one chunk.
  bool add(const storage::ChunkHeader& of, const Run& run, base::ByteView data);
  void send_next(Sink& sink);
  void clear() { *this = {}; }

 private:
  struct Waiting {
    Run run;
    std::uint32_t begin = 0, bytes = 0;  // in bytes_
  };
  storage::ChunkHeader of_;
  std::vector<Waiting> runs_;
  base::ByteBuffer bytes_;
  std::size_t next_ = 0;
};

}  // namespace sluice::queue
