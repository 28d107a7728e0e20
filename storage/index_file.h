// SPDX-License-Identifier: Apache-2.0
// The .index file of one segment: IndexWriter appends records behind the chunks, in batches; IndexReader
// reads them by ordinal (the chunk's place in the segment, from 0). Layout: format.h. The writer belongs to
// the log's shard; every reader to whoever made it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/format.h"
#include "storage/read_window.h"
#include "storage/segment_info.h"

namespace sluice::storage {

constexpr std::uint64_t index_position(std::uint64_t ordinal) {
  return file_header_bytes + ordinal * index_record_bytes;
}

class IndexWriter {
 public:
  static constexpr std::size_t flush_bytes = 4096;

  // A new file with its header.
  static base::Result<IndexWriter> create(base::Disk& disk, const std::string& path,
                                          base::Offset first_offset);
  // An existing one, cut to its first `records` records; a sealed mark goes.
  static base::Result<IndexWriter> resume(base::Disk& disk, const std::string& path, std::uint32_t records);

  // Buffers the record; writes when flush_bytes have gathered. After an error the file is not written again.
  base::Result<> add(const IndexRecord& record);
  base::Result<> flush();

  std::uint32_t written() const { return written_; }  // records in the file
  std::uint32_t count() const {
    return written_ + static_cast<std::uint32_t>(buffer_.size() / index_record_bytes);
  }
  // A record that is still buffered: written() <= ordinal < count().
  IndexRecord buffered(std::uint32_t ordinal) const;
  const std::shared_ptr<base::File>& file() const { return file_; }

 private:
  IndexWriter(std::shared_ptr<base::File> file, std::uint32_t written)
      : file_(std::move(file)), written_(written) {}

  std::shared_ptr<base::File> file_;
  std::uint32_t written_;
  base::ByteBuffer buffer_;
};

// Puts the sealed mark behind the records of a complete index and makes the file durable; blocks. Only after
// the log file was made durable: the mark is the evidence for that.
base::Result<> write_sealed_mark(base::File& index, const SegmentInfo& info);

class IndexReader {
 public:
  // Errors as decode_file_header; io_failed when it cannot be read. A last record that is cut off does not
  // count.
  static base::Result<IndexReader> open(base::Disk& disk, const std::string& path);

  base::Offset first_offset() const { return first_offset_; }
  std::uint32_t count() const { return count_; }  // without the mark
  const std::optional<IndexRecord>& sealed_mark() const { return sealed_mark_; }
  // corrupt when its checksum is wrong. Neighbouring ordinals share a read.
  base::Result<IndexRecord> record(std::uint32_t ordinal);

 private:
  IndexReader(std::shared_ptr<base::File> file, base::Offset first_offset, std::uint64_t size);

  base::Result<> read_sealed_mark();

  base::Offset first_offset_;
  std::uint32_t count_;
  std::optional<IndexRecord> sealed_mark_;
  ReadWindow window_;
};

}  // namespace sluice::storage
