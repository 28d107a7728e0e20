// SPDX-License-Identifier: Apache-2.0
// The reading side of a log, on any shard: a cursor that stands before one chunk of what a LogView shows, and
// the means to look at that chunk in parts. Used by stream views and tools.
//
// Order of use: seek, then again and again segment() (which segment the cursor is in; steps over exhausted
// ones), current() (the chunk's header), whichever of chunk_bytes/check_header/read_trailer/read_data is
// needed, and advance() or a skip. At most the segment's `.log` is kept open, and its `.index` while skipping
// inside a sealed segment. Segments that retention removed are stepped over; damage is an error that names
// segment and position and is found again at every further try: nothing damaged is handed out or skipped.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "base/ports.h"
#include "storage/chunk.h"
#include "storage/index_search.h"
#include "storage/read_ahead.h"
#include "storage/segment_log.h"
#include "storage/verified_chunks.h"

namespace sluice::storage {

struct ChunkPlace {
  ChunkHeader header;
  std::array<std::uint8_t, chunk_header_bytes> header_bytes{};
  std::uint64_t position = 0;  // of the header in the segment's .log
  std::uint32_t ordinal = 0;   // in the segment

  std::uint64_t data_position() const { return position + chunk_header_bytes; }
  std::uint64_t trailer_position() const { return position + header.wire_bytes(); }
  std::uint64_t end_position() const { return position + header.stored_bytes(); }
};

class LogReader {
 public:
  // Chunks up to this size are read into memory, many at a time; larger ones are better sent from the file
  // (where sendfile overtakes copying to a loopback socket, measured).
  static constexpr std::size_t small_chunk_bytes_max = 16 << 10;

  // Stands at the end. Opens no file.
  LogReader(base::Disk& disk, std::string directory, const LogView& view);

  void set_view(const LogView& view);
  const LogView& view() const { return view_; }

  // To the chunk that holds `offset`; below the first: to the first; at or above the end: to the end.
  base::Result<> seek_offset(base::Offset offset, ReadAhead& window);
  // To the first chunk whose timestamp is not below; the end when there is none.
  base::Result<> seek_timestamp(std::int64_t timestamp_ms, ReadAhead& window);
  base::Result<> seek_last(ReadAhead& window);  // the last chunk; the end of an empty log
  void seek_end();

  // How many chunks the caller is going to take, as far as it knows: small ones are read together.
  void expect_chunks(std::size_t chunks) { expected_chunks_ = chunks; }

  // The id of the chunk the cursor stands before, whether it is written already or not.
  base::Offset next_chunk_id() const { return cursor_.chunk_id; }

  struct Segment {
    const SegmentInfo* info;  // valid until set_view
    bool is_sealed;
    std::uint32_t ordinal;  // of the cursor's chunk
  };
  // Nothing at the end of the view.
  base::Result<std::optional<Segment>> segment(ReadAhead& window);
  // Only after segment() answered with one:
  void skip_segment();
  // Forward to the chunk with this ordinal of a sealed segment, through its index.
  base::Result<> skip_to(std::uint32_t ordinal);

  // The chunk at the cursor: its header is well formed and continues the log. Nothing at the end.
  // The place stays until the cursor moves.
  base::Result<const ChunkPlace*> current(ReadAhead& window);
  void advance();

  // All only after current() answered with a chunk. Views are valid until the window is used again.
  base::Result<base::ByteView> chunk_bytes(ReadAhead& window);   // header | data | trailer, header checked
  base::Result<> check_header(ReadAhead& window);                // against our own check in the trailer
  base::Result<base::ByteView> read_trailer(ReadAhead& window);  // and check_header
  // Whether the data is what was written, for a chunk that is sent without being looked at. Reads it all the
  // first time, unless this process wrote it.
  base::Result<> check_data(VerifiedChunks& verified, base::MutableBytes scratch);
  // Bytes [begin, begin + into.size()) of the data section.
  base::Result<> read_data(std::uint32_t begin, base::MutableBytes into);
  const std::shared_ptr<base::File>& file() const { return file_; }
  // "segment 42, position 4096": for messages about the chunk at the cursor.
  std::string where() const;

 private:
  struct Cursor {
    base::Offset segment;   // first offset of the segment
    base::Offset chunk_id;  // of the next chunk
    std::uint64_t position = 0;
    std::uint32_t ordinal = 0;
  };
  struct Found {
    const SegmentInfo* info = nullptr;
    bool is_sealed = false;
  };

  Found find_segment(base::Offset offset) const;  // the one that may hold it
  Found next_segment() const;                     // the first behind the cursor's
  std::uint32_t indexed_chunks(const Found& found) const;
  void stand_at(const SegmentInfo& info);
  void stand_at(base::Offset segment, std::uint32_t ordinal, const IndexRecord& record);
  void close_files();
  base::Result<bool> open_file();  // false: retention has removed it
  std::size_t likely_bytes() const;
  bool was_removed(base::Offset segment) const;
  base::Result<> seek_in_segment(const Found& found, base::Offset offset, ReadAhead& window);
  base::Result<> seek_in_segment(const Found& found, std::int64_t timestamp_ms, ReadAhead& window);
  template <class Reached>
  base::Result<> scan_until(Reached reached, ReadAhead& window);
  std::unexpected<base::Error> damaged(std::string_view what) const;

  base::Disk& disk_;
  std::string directory_;
  LogView view_;
  Cursor cursor_;
  std::uint64_t log_bytes_ = 0;                // of the cursor's segment, as segment() found it
  std::shared_ptr<base::File> file_;           // of the cursor's segment, once a chunk of it was looked at
  std::optional<IndexSearch> index_;           // of the cursor's segment, while skipping
  std::shared_ptr<VerifiedSegment> verified_;  // of the cursor's segment, once asked for
  std::optional<ChunkPlace> place_;
  std::size_t last_chunk_bytes_ = 0;
  std::size_t expected_chunks_ = 1;
};

}  // namespace sluice::storage
