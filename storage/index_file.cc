// SPDX-License-Identifier: Apache-2.0
// Reading and writing index files; what the records mean is the business of format.h.
#include "storage/index_file.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace sluice::storage {

base::Result<IndexWriter> IndexWriter::create(base::Disk& disk, const std::string& path,
                                              base::Offset first_offset) {
  TRY(file, disk.open(path, base::Disk::Mode::create));
  std::array<std::uint8_t, file_header_bytes> header;
  encode_file_header({FileKind::index, format_version, first_offset}, header.data());
  const base::ByteView part = header;
  TRY_VOID(file->append({&part, 1}));
  return IndexWriter(std::move(file), 0);
}

base::Result<IndexWriter> IndexWriter::resume(base::Disk& disk, const std::string& path,
                                              std::uint32_t records) {
  TRY(file, disk.open(path, base::Disk::Mode::write));
  TRY(size, file->size());
  INVARIANT(size >= index_position(records), "{} has {} bytes, too few for {} records", path, size, records);
  if (size > index_position(records)) TRY_VOID(file->truncate(index_position(records)));
  return IndexWriter(std::move(file), records);
}

base::Result<> IndexWriter::add(const IndexRecord& record) {
  const std::size_t at = buffer_.size();
  buffer_.resize(at + index_record_bytes);
  encode_index_record(record, buffer_.data() + at);
  if (buffer_.size() >= flush_bytes) return flush();
  return {};
}

base::Result<> IndexWriter::flush() {
  if (buffer_.empty()) return {};
  const base::ByteView part = buffer_;
  TRY_VOID(file_->append({&part, 1}));
  written_ = count();
  buffer_.clear();
  return {};
}

IndexRecord IndexWriter::buffered(std::uint32_t ordinal) const {
  INVARIANT(ordinal >= written_ && ordinal < count(), "index record {} is not among {}..{}", ordinal,
            written_, count());
  return decode_index_record(base::ByteView(buffer_).subspan((ordinal - written_) * index_record_bytes))
      .value();
}

base::Result<> write_sealed_mark(base::File& index, const SegmentInfo& info) {
  IndexRecord mark;
  mark.chunk_id = info.next_offset;
  mark.timestamp_ms = info.last_timestamp_ms;
  mark.position = info.log_bytes;
  mark.records = info.chunks;
  mark.type = IndexRecord::sealed_mark;
  if (info.has_filter_values) mark.flags = IndexRecord::segment_has_filter_values;
  std::array<std::uint8_t, index_record_bytes> bytes;
  encode_index_record(mark, bytes.data());
  const base::ByteView part = bytes;
  TRY_VOID(index.append({&part, 1}));
  return index.sync();
}

IndexReader::IndexReader(std::shared_ptr<base::File> file, base::Offset first_offset, std::uint64_t size)
    : first_offset_(first_offset),
      count_(static_cast<std::uint32_t>(
          std::min<std::uint64_t>((size - file_header_bytes) / index_record_bytes, UINT32_MAX))),
      window_(std::move(file), size) {}

base::Result<IndexReader> IndexReader::open(base::Disk& disk, const std::string& path) {
  TRY(file, disk.open(path, base::Disk::Mode::read));
  std::array<std::uint8_t, file_header_bytes> bytes;
  TRY(got, file->read_at(0, bytes));
  TRY(header, decode_file_header(FileKind::index, base::ByteView(bytes).first(got)));
  TRY(size, file->size());
  IndexReader reader(std::move(file), header.first_offset, size);
  TRY_VOID(reader.read_sealed_mark());
  return reader;
}

base::Result<> IndexReader::read_sealed_mark() {
  if (count_ == 0) return {};
  const auto last = record(count_ - 1);
  if (!last && last.error().code != base::Errc::corrupt) return std::unexpected(last.error());
  if (!last || last->type != IndexRecord::sealed_mark) return {};
  sealed_mark_ = *last;
  --count_;
  return {};
}

base::Result<IndexRecord> IndexReader::record(std::uint32_t ordinal) {
  INVARIANT(ordinal < count_, "index record {} of {}", ordinal, count_);
  TRY(bytes, window_.get(index_position(ordinal), index_record_bytes));
  return decode_index_record(bytes);
}

}  // namespace sluice::storage
