// SPDX-License-Identifier: Apache-2.0
// A stream view: a cursor over a log's committed bytes with an offset spec and a filter plan.
// Non-destructive, any number per log, on any shard: it reads the files itself and learns of growth by
// set_view(). Used by broker::Consumer.
//
// Dense matches go out as whole chunks, by file range (large) or from one read that serves many chunks
// (small). Sparse matches go out as runs: each maximal row of matching entries as a chunk of its own, with
// its own header and CRC, offsets preserved. Segments and chunks that the index rules out are not opened and
// not read.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/ports.h"
#include "filters/plan.h"
#include "storage/segment_log.h"

namespace sluice::queue {

struct Seek {
  enum class Kind : std::uint8_t { first, last, next, offset, timestamp };
  Kind kind = Kind::next;
  base::Offset offset;
  std::int64_t timestamp_ms = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                          std::uint32_t records) = 0;
  virtual void memory_chunk(std::span<const base::ByteView> parts, std::uint32_t records) = 0;
  virtual bool full() const = 0;
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
  virtual ~StreamView() = default;
  static std::unique_ptr<StreamView> open(base::Shard& shard, std::string directory,
                                          const storage::LogView& view, filters::FilterPlan plan);

  virtual void set_view(const storage::LogView& view) = 0;
  virtual base::Result<> seek(const Seek& to) = 0;
  // Id of the chunk that deliver would look at next (for ResolveOffsetSpec): filters applied.
  virtual base::Result<base::Offset> resolve() = 0;
  virtual base::Result<Delivered> deliver(std::uint32_t credits, Sink& sink) = 0;

  virtual base::Offset next_offset() const = 0;
  virtual std::uint64_t chunks_skipped() const = 0;
  virtual std::uint64_t segments_skipped() const = 0;
};

}  // namespace sluice::queue
