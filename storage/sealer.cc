// SPDX-License-Identifier: Apache-2.0
// The file is written under a temporary name, synced and renamed, so a .filter file is always whole.
#include "storage/sealer.h"

#include "filters/segment_filter.h"
#include "storage/format.h"
#include "storage/index_file.h"
#include "storage/segment_scan.h"

namespace sluice::storage {
namespace {

base::Result<> write_file(base::Disk& disk, const std::string& path, base::ByteView bytes) {
  const auto temporary = path + std::string(temporary_suffix);
  TRY_VOID(disk.remove(temporary));
  TRY(file, disk.open(temporary, base::Disk::Mode::create));
  TRY_VOID(file->append({&bytes, 1}));
  TRY_VOID(file->sync());
  return disk.rename(temporary, path);
}

base::Result<> make_durable(const UnsealedSegment& segment, const std::atomic<bool>& cancelled) {
  if (!segment.log || cancelled) return {};
  TRY_VOID(segment.log->sync_last());
  return write_sealed_mark(*segment.index, segment.info);
}

}  // namespace

base::Result<> build_filter_file(base::Disk& disk, const std::string& directory, const SegmentInfo& info,
                                 const std::atomic<bool>& cancelled) {
  TRY(log, disk.open(segment_path(directory, info.first_offset, log_suffix), base::Disk::Mode::read));
  SegmentScanner scanner(log, file_header_bytes, info.log_bytes, info.first_offset,
                         SegmentScanner::Data::skip);
  filters::SegmentFilterBuilder builder;
  ScannedChunk chunk;
  while (true) {
    if (cancelled) return {};
    TRY(more, scanner.next(chunk));
    if (!more) break;
    if (chunk.trailer.filter_record().empty()) {
      builder.add_unfiltered_chunk();
    } else if (const auto record = filters::ChunkFilterView::parse(chunk.trailer.filter_record())) {
      builder.add_chunk(*record);
    } else {
      builder.add_unknown_chunk();
    }
  }
  base::ByteBuffer bytes;
  builder.finish(bytes);
  return write_file(disk, segment_path(directory, info.first_offset, filter_suffix), bytes);
}

Sealer::Sealer(base::Shard& shard, std::string directory)
    : shard_(shard),
      directory_(std::move(directory)),
      cancelled_(std::make_shared<std::atomic<bool>>(false)) {}

Sealer::~Sealer() {
  *cancelled_ = true;
}

void Sealer::add(UnsealedSegment segment) {
  waiting_.push_back(std::move(segment));
  if (!running_) run_next();
}

void Sealer::forget_before(base::Offset first_offset) {
  lowest_ = first_offset;
  std::erase_if(waiting_,
                [&](const UnsealedSegment& segment) { return segment.info.first_offset < first_offset; });
}

void Sealer::run_next() {
  if (waiting_.empty() || failure_) return;
  running_ = true;
  struct Job {
    UnsealedSegment segment;
    base::Result<> durable, filtered;
  };
  auto job = std::make_shared<Job>();
  job->segment = std::move(waiting_.front());
  waiting_.pop_front();
  auto work = [&disk = shard_.disk, directory = directory_, job, cancelled = cancelled_] {
    const auto& info = job->segment.info;
    job->durable = make_durable(job->segment, *cancelled);
    if (job->durable && info.has_filter_values && !*cancelled)
      job->filtered = build_filter_file(disk, directory, info, *cancelled);
  };
  // cancelled_ is set by the destructor on this shard, where `done` runs as well: not set, so `this` lives.
  auto done = [this, job, cancelled = cancelled_] {
    if (*cancelled) return;
    running_ = false;
    if (!job->durable) failure_ = job->durable.error();
    const auto first_offset = job->segment.info.first_offset;
    if (first_offset < lowest_) {
      (void)shard_.disk.remove(segment_path(directory_, first_offset, filter_suffix));
    } else if (!job->durable || !job->filtered) {
      shard_.logger.write(base::LogLevel::warning, "storage", "cannot finish a sealed segment",
                          {{"directory", directory_},
                           {"first_offset", std::to_string(first_offset.value)},
                           {"reason", (job->durable ? job->filtered : job->durable).error().text}});
    }
    run_next();
  };
  shard_.background.run(std::move(work), std::move(done));
}

}  // namespace sluice::storage
