// SPDX-License-Identifier: Apache-2.0
// Walks the chunks of a .log file by their own headers, checking each: header and trailer checks, offsets
// without gaps, epochs that do not go back, and on request the CRC of the data. Memory is one window plus one
// trailer, whatever the file holds. Used by recovery, by the builder of filter summaries and by
// tools/inspect.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <optional>

#include "base/ports.h"
#include "storage/chunk.h"
#include "storage/format.h"
#include "storage/read_window.h"
#include "storage/trailer.h"

namespace sluice::storage {

struct ScannedChunk {
  ChunkHeader header;
  TrailerView trailer;  // views into the scanner, valid until its next call
  std::uint64_t position = 0;
};

class SegmentScanner {
 public:
  enum class Data : std::uint8_t { skip, verify };

  // Scans [position, end). `next_offset`: the chunk id expected at `position`.
  SegmentScanner(std::shared_ptr<const base::File> file, std::uint64_t position, std::uint64_t end,
                 base::Offset next_offset, Data data);

  // False at the end. Errc::corrupt: the chunk at position() is bad, and the text says how; anything else:
  // the disk failed. After an error position() and next_offset() stay where they are.
  base::Result<bool> next(ScannedChunk& chunk);

  std::uint64_t position() const { return position_; }  // of the next chunk
  base::Offset next_offset() const { return next_offset_; }

 private:
  base::Result<> read_chunk(ScannedChunk& chunk);
  base::Result<> verify_data(const ChunkHeader& header);

  ReadWindow window_;
  std::uint64_t position_;
  base::Offset next_offset_;
  base::Epoch epoch_;
  Data data_;
  std::array<std::uint8_t, chunk_header_bytes> header_bytes_{};
  base::ByteBuffer trailer_;
};

IndexRecord index_record_of(const ScannedChunk& chunk);

// Looks for a whole chunk (header and trailer checks hold, and what `search` asks) that begins in [from,
// end). Tells damage in the middle of a file from a torn tail.
struct ChunkSearch {
  base::Offset min_chunk_id;
  std::optional<base::Offset> chunk_id;  // exactly this one
  std::int64_t min_timestamp_ms = std::numeric_limits<std::int64_t>::min();
};
base::Result<std::optional<std::uint64_t>> find_chunk(const std::shared_ptr<const base::File>& file,
                                                      std::uint64_t from, std::uint64_t end,
                                                      const ChunkSearch& search);

}  // namespace sluice::storage
