// SPDX-License-Identifier: Apache-2.0
// SegmentWriter: the .log file that grows and its .index. One write per chunk; the index follows behind in
// batches. Owned by SegmentLog; made by it (new segment) or by recovery (after the tail was checked).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/ports.h"
#include "storage/index_file.h"
#include "storage/segment_info.h"
#include "storage/sync_file.h"

namespace sluice::storage {

// Counts one more chunk into `info` and completes the record's flags, which depend on the chunks before it.
void account_chunk(SegmentInfo& info, IndexRecord& record);

class SegmentWriter {
 public:
  // New files for a segment that begins at `first_offset`; they must not exist.
  static base::Result<SegmentWriter> create(base::Disk& disk, const std::string& directory,
                                            base::Offset first_offset);
  // Files that end with what `info` says.
  SegmentWriter(std::shared_ptr<base::File> log, IndexWriter index, SegmentInfo info)
      : log_(std::move(log)),
        log_sync_(std::make_shared<SyncFile>(log_)),
        index_(std::move(index)),
        info_(info) {}

  // Writes the parts of one chunk at the end; `record` describes it, its position is filled in here. An error
  // means the chunk is not stored and the writer must not be used again.
  base::Result<> append(std::span<const base::ByteView> parts, IndexRecord record);
  base::Result<> flush_index();
  // The index could not be written: what is stored is safe, but nothing may be added.
  const std::optional<base::Error>& index_error() const { return index_error_; }

  const SegmentInfo& info() const { return info_; }
  const IndexWriter& index() const { return index_; }
  const std::shared_ptr<SyncFile>& log_sync() const { return log_sync_; }

 private:
  std::shared_ptr<base::File> log_;
  std::shared_ptr<SyncFile> log_sync_;  // the same file
  IndexWriter index_;
  SegmentInfo info_;
  std::optional<base::Error> index_error_;
};

}  // namespace sluice::storage
