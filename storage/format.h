// SPDX-License-Identifier: Apache-2.0
// The files of a log as bytes: names, file headers, index records. Used by the segment writer, recovery,
// readers on any shard and tools/inspect; pure. FORMAT.md describes the same bytes with examples;
// tests/golden/storage holds them.
//
//   <directory>/<first offset, 20 digits>.log      file header | chunk | chunk ...
//   <directory>/<first offset, 20 digits>.index    file header | record | record ...   (one per chunk)
//   <directory>/<first offset, 20 digits>.filter   filters/segment_filter.h; only of sealed segments
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/chunk.h"

namespace sluice::storage {

inline constexpr std::string_view log_suffix = ".log";
inline constexpr std::string_view index_suffix = ".index";
inline constexpr std::string_view filter_suffix = ".filter";
inline constexpr std::string_view temporary_suffix = ".tmp";  // being written; removed at open

inline constexpr std::size_t file_header_bytes = 32;
inline constexpr std::size_t index_record_bytes = 48;
inline constexpr std::uint32_t format_version = 1;
// Positions fit 32 bits with room for a last chunk of any allowed size.
inline constexpr std::uint64_t segment_bytes_limit = 3'000'000'000;
inline constexpr std::size_t chunk_bytes_limit = 1'000'000'000;

// "00000000000000000042.log"
std::string segment_file_name(base::Offset first_offset, std::string_view suffix);
std::string segment_path(std::string_view directory, base::Offset first_offset, std::string_view suffix);
struct SegmentFileName {
  base::Offset first_offset;
  std::string_view suffix;  // one of the constants above, log, index or filter
};
std::optional<SegmentFileName> parse_segment_file_name(std::string_view name);

enum class FileKind : std::uint8_t { log, index };

struct FileHeader {
  FileKind kind = FileKind::log;
  std::uint32_t version = format_version;
  base::Offset first_offset;
};

void encode_file_header(const FileHeader& header, std::uint8_t* to);  // writes file_header_bytes
// corrupt when magic or checksum are wrong; precondition_failed when the version is not ours: the text says
// which version the file has.
base::Result<FileHeader> decode_file_header(FileKind kind, base::ByteView bytes);

struct IndexRecord {
  // Type of the sealed mark, the record behind a sealed segment's last one: that segment's files are durable.
  // Its chunk_id is the segment's next offset, position the end of the log, records the number of chunks.
  static constexpr std::uint8_t sealed_mark = 0xff;
  // Some message of this chunk has a filter value; the same of this or an earlier chunk of the segment.
  static constexpr std::uint8_t has_filter_values = 1, segment_has_filter_values = 2;
  // The trailer carries publisher sequences; a snapshot of all of them.
  static constexpr std::uint8_t has_sequences = 4, has_snapshot = 8;

  base::Offset chunk_id;
  std::int64_t timestamp_ms = 0;
  base::Epoch epoch;
  std::uint64_t position = 0;    // of the chunk in the .log file; below 2^32
  std::uint32_t wire_bytes = 0;  // header and data
  std::uint32_t trailer_bytes = 0;
  std::uint32_t records = 0;
  std::uint16_t entries = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;

  std::uint64_t end_position() const { return position + wire_bytes + trailer_bytes; }
  base::Offset next_offset() const { return chunk_id + records; }
  friend bool operator==(const IndexRecord&, const IndexRecord&) = default;
};

void encode_index_record(const IndexRecord& record, std::uint8_t* to);  // writes index_record_bytes
base::Result<IndexRecord> decode_index_record(base::ByteView bytes);    // corrupt: too short or bad checksum

}  // namespace sluice::storage
