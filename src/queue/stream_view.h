// SPDX-License-Identifier: Apache-2.0
// A stream view: a cursor over a log's committed bytes with an offset spec and a filter plan.
// Non-destructive, any number per log, on any shard: it reads the files itself and learns of growth by
// set_view(). Used by broker::Consumer.
//
// Dense matches go out as whole chunks, by file range (large) or from one read that serves many chunks
// (small). Sparse matches go out as runs: each row of matching entries as a chunk of its own, with its own
// header and CRC, offsets preserved. Segments and chunks that the index rules out are not opened and not
// read. An idle view holds one open file and a few hundred bytes; buffers belong to the thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ports.h"
#include "filters/plan.h"
#include "queue/chunk_finder.h"
#include "queue/metrics.h"
#include "queue/prepared_runs.h"
#include "queue/sink.h"
#include "storage/log_reader.h"
#include "storage/segment_log.h"

namespace sluice::queue {

struct Seek {
  enum class Kind : std::uint8_t { first, last, next, offset, timestamp };
  Kind kind = Kind::next;
  base::Offset offset;
  std::int64_t timestamp_ms = 0;
};

enum class Stop : std::uint8_t {
  end_of_log,  // wait for set_view
  credit_spent,
  sink_full,
  budget_spent,  // looked at enough non-matching data for one turn: call again next turn
};

struct Delivered {
  std::uint32_t chunks = 0;  // credits used
  Stop stop = Stop::end_of_log;
};

class StreamView {
 public:
  // Stands at the end of `view` until seek(). Opens no file. `metrics`: the shard's, outlives the view.
  static std::unique_ptr<StreamView> open(base::Shard& shard, std::string directory,
                                          const storage::LogView& view, filters::FilterPlan plan,
                                          Metrics* metrics = nullptr);
  ~StreamView();

  void set_view(const storage::LogView& view) { reader_.set_view(view); }
  base::Result<> seek(const Seek& to);
  // Id of the chunk that deliver would deliver from next, filters applied (ResolveOffsetSpec); the end of the
  // log when there is none. Looks at a bounded amount of non-matching data, then answers where it got to.
  base::Result<base::Offset> resolve();
  base::Result<Delivered> deliver(std::uint32_t credits, Sink& sink);

  // Of the next message this view will look at.
  base::Offset next_offset() const {
    return prepared_.empty() ? std::max(reader_.next_chunk_id(), from_) : prepared_.first();
  }
  std::uint64_t chunks_skipped() const { return finder_.chunks_skipped(); }
  std::uint64_t segments_skipped() const { return finder_.segments_skipped(); }

 private:
  StreamView(base::Shard& shard, std::string directory, const storage::LogView& view,
             filters::FilterPlan plan, Metrics* metrics);
  base::Result<bool> stand_at_chunk(Scratch& scratch, Budget& budget, Stop& stop);
  base::Result<bool> deliver_next(std::uint32_t credits, Sink& sink, Scratch& scratch, Budget& budget,
                                  Delivered& delivered);
  base::Result<> deliver_chunk(std::uint32_t credits, Sink& sink, Scratch& scratch, Budget& budget,
                               Delivered& delivered);
  base::Result<> deliver_whole(const storage::ChunkPlace& place, Sink& sink, Scratch& scratch,
                               Delivered& delivered);

  const std::string directory_;
  const filters::FilterPlan plan_;
  Metrics& metrics_;
  storage::LogReader reader_;
  ChunkFinder finder_;
  PreparedRuns prepared_;  // from the chunk before the reader's, or its beginning
  base::Offset from_;      // messages below are not wanted: asked so, or delivered already
};

}  // namespace sluice::queue
