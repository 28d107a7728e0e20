// SPDX-License-Identifier: Apache-2.0
// LogFiles: the files of a log as storage/FORMAT.md says, made chunk by chunk without the segment writer,
// with a record of every message in them: tests of the reading side compare what they get with messages().
//
//   LogFiles files(disk, "log");  files.add_chunk({{"kr", {"body"}}}, 1000);  files.seal();  files.view()
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "filters/segment_filter.h"
#include "storage/chunk.h"
#include "storage/format.h"
#include "storage/segment_log.h"
#include "storage/trailer.h"

namespace sluice::test {

struct TestEntry {
  std::string filter_value;
  std::vector<std::string> bodies;  // more than one: an uncompressed sub-batch
};

class LogFiles {
 public:
  struct Message {
    std::uint64_t offset = 0;
    std::string filter_value, body;
    std::size_t chunk = 0;                         // place in chunks()
    std::uint64_t batch_begin = 0, batch_end = 0;  // offsets of its entry
  };
  struct Chunk {
    base::Offset segment;
    storage::IndexRecord record;
  };

  LogFiles(base::Disk& disk, std::string directory)
      : disk_(disk), directory_(std::move(directory)), builder_(8 << 20, 16) {
    disk_.create_directories(directory_).value();
    begin_segment();
  }

  void add_chunk(const std::vector<TestEntry>& entries, std::int64_t timestamp_ms) {
    const std::uint64_t id = next_offset();
    std::uint64_t offset = id;
    for (const TestEntry& entry : entries) {
      add_entry(entry);
      const std::uint64_t end = offset + entry.bodies.size();
      for (const std::string& body : entry.bodies)
        messages_.push_back({messages_.size(), entry.filter_value, body, chunks_.size(), offset, end});
      offset = end;
    }
    write(builder_.finish(base::Offset{id}, base::Epoch{1}, timestamp_ms));
    builder_.clear();
  }

  // A chunk of sub-batches that are compressed already: (body, uncompressed bytes) each, `records` in each.
  // messages() knows their offsets and no bodies.
  void add_sub_batch_chunk(const std::vector<std::pair<base::ByteBuffer, std::uint32_t>>& batches,
                           std::uint16_t records, std::uint8_t compression, std::int64_t timestamp_ms) {
    const std::uint64_t id = next_offset();
    for (const auto& [body, uncompressed_bytes] : batches) {
      builder_.add_sub_batch({compression, records, uncompressed_bytes, body}, "");
      const std::uint64_t begin = next_offset();
      for (unsigned i = 0; i < records; ++i)
        messages_.push_back({messages_.size(), "", "", chunks_.size(), begin, begin + records});
    }
    write(builder_.finish(base::Offset{id}, base::Epoch{1}, timestamp_ms));
    builder_.clear();
  }

  void seal(bool with_filter_file = true) {
    if (active_.chunks == 0) return;
    base::ByteBuffer bytes;
    filter_.finish(bytes);
    if (with_filter_file && active_.has_filter_values) {
      auto file =
          disk_.open(path(active_.first_offset, storage::filter_suffix), base::Disk::Mode::create).value();
      const base::ByteView parts[] = {bytes};
      file->append(parts).value();
    }
    sealed_.push_back(active_);
    begin_segment();
  }

  // The newest `unindexed` chunks of the active segment are said to be missing in its index.
  storage::LogView view(std::uint32_t unindexed = 0) const {
    storage::LogView view;
    view.sealed = std::make_shared<const std::vector<storage::SegmentInfo>>(sealed_);
    view.active = active_;
    view.active_indexed_chunks = active_.chunks - std::min(unindexed, active_.chunks);
    view.first_offset = first_offset_;
    view.verified_from = verified_from_;
    view.next_offset = base::Offset{next_offset()};
    if (!chunks_.empty()) view.last_chunk_id = chunks_.back().record.chunk_id;
    return view;
  }

  // As if the log had been opened anew: nothing before is trusted.
  void reopen() { verified_from_ = base::Offset{next_offset()}; }
  void set_first_offset(base::Offset first) { first_offset_ = first; }
  void remove_oldest_segment() {
    for (auto suffix : {storage::log_suffix, storage::index_suffix, storage::filter_suffix})
      disk_.remove(path(sealed_.front().first_offset, suffix)).value();
    sealed_.erase(sealed_.begin());
    first_offset_ = std::max(first_offset_, sealed_.empty() ? active_.first_offset : sealed_[0].first_offset);
  }

  const std::vector<Message>& messages() const { return messages_; }
  const std::vector<Chunk>& chunks() const { return chunks_; }
  const std::vector<storage::SegmentInfo>& sealed() const { return sealed_; }
  std::uint64_t next_offset() const { return messages_.size(); }
  std::string path(base::Offset segment, std::string_view suffix) const {
    return storage::segment_path(directory_, segment, suffix);
  }

 private:
  void begin_segment() {
    active_ = {};
    active_.first_offset = active_.next_offset = base::Offset{next_offset()};
    filter_ = filters::SegmentFilterBuilder();
    log_ = create(storage::FileKind::log, storage::log_suffix);
    index_ = create(storage::FileKind::index, storage::index_suffix);
    active_.log_bytes = storage::file_header_bytes;
  }

  std::shared_ptr<base::File> create(storage::FileKind kind, std::string_view suffix) {
    auto file = disk_.open(path(active_.first_offset, suffix), base::Disk::Mode::create).value();
    std::uint8_t header[storage::file_header_bytes];
    storage::encode_file_header({kind, storage::format_version, active_.first_offset}, header);
    const base::ByteView parts[] = {header};
    file->append(parts).value();
    return file;
  }

  void add_entry(const TestEntry& entry) {
    if (entry.bodies.size() == 1)
      return builder_.add_message(base::as_bytes(entry.bodies[0]), entry.filter_value);
    base::ByteBuffer batch;
    base::ByteWriter to(batch);
    for (const std::string& body : entry.bodies) {
      to.write(static_cast<std::uint32_t>(body.size()));
      to.write_bytes(base::as_bytes(body));
    }
    builder_.add_sub_batch(
        {0, static_cast<std::uint16_t>(entry.bodies.size()), static_cast<std::uint32_t>(batch.size()), batch},
        entry.filter_value);
  }

  void write(const storage::ChunkBuilder::Finished& chunk) {
    const storage::ChunkHeader& header = chunk.header;
    storage::IndexRecord record;
    record.chunk_id = header.chunk_id;
    record.timestamp_ms = header.timestamp_ms;
    record.epoch = header.epoch;
    record.position = active_.log_bytes;
    record.wire_bytes = static_cast<std::uint32_t>(header.wire_bytes());
    record.trailer_bytes = header.trailer_bytes;
    record.records = header.records;
    record.entries = header.entries;
    const auto trailer = storage::TrailerView::parse(chunk.bytes.first(storage::chunk_header_bytes),
                                                     chunk.bytes.subspan(header.wire_bytes()))
                             .value();
    if (trailer.filter_record().empty()) {
      filter_.add_unfiltered_chunk();
    } else {
      filter_.add_chunk(filters::ChunkFilterView::parse(trailer.filter_record()).value());
      active_.has_filter_values = true;
    }
    const base::ByteView log_parts[] = {chunk.bytes};
    log_->append(log_parts).value();
    std::uint8_t bytes[storage::index_record_bytes];
    storage::encode_index_record(record, bytes);
    const base::ByteView index_parts[] = {bytes};
    index_->append(index_parts).value();

    if (active_.chunks++ == 0) active_.first_timestamp_ms = header.timestamp_ms;
    active_.last_timestamp_ms = header.timestamp_ms;
    active_.last_chunk_id = header.chunk_id;
    active_.next_offset = header.next_offset();
    active_.log_bytes += chunk.bytes.size();
    chunks_.push_back({active_.first_offset, record});
  }

  base::Disk& disk_;
  std::string directory_;
  storage::ChunkBuilder builder_;
  std::shared_ptr<base::File> log_, index_;
  filters::SegmentFilterBuilder filter_;
  storage::SegmentInfo active_;
  std::vector<storage::SegmentInfo> sealed_;
  base::Offset first_offset_, verified_from_;
  std::vector<Message> messages_;
  std::vector<Chunk> chunks_;
};

}  // namespace sluice::test
