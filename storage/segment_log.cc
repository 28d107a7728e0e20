// SPDX-License-Identifier: Apache-2.0
// Appending, rolling, retention. A chunk that begins a segment, and every 1024th after it, gets a snapshot of
// all publisher sequences in its trailer, so that recovery reads back at most that far.
#include "storage/segment_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "storage/format.h"
#include "storage/segment_scan.h"

namespace sluice::storage {
namespace {

constexpr std::uint32_t snapshot_every_chunks = 1024;

}  // namespace

base::Result<std::unique_ptr<SegmentLog>> SegmentLog::open(base::Shard& shard, std::string directory,
                                                           const LogOptions& options, OpenReport& report) {
  TRY(recovered, recover_log(shard, directory, report));
  return std::unique_ptr<SegmentLog>(
      new SegmentLog(shard, std::move(directory), options, std::move(recovered)));
}

SegmentLog::SegmentLog(base::Shard& shard, std::string directory, const LogOptions& options,
                       RecoveredLog recovered)
    : shard_(shard),
      directory_(std::move(directory)),
      options_(options),
      sealed_(std::make_shared<const Segments>(std::move(recovered.sealed))),
      writer_(std::move(recovered.active)),
      sequences_(std::move(recovered.sequences)),
      sealer_(std::make_unique<Sealer>(shard, directory_)),
      remover_(std::make_unique<FileRemover>(shard, directory_)) {
  options_.segment_bytes_max = std::min(options_.segment_bytes_max, segment_bytes_limit);
  first_offset_ = oldest().first_offset;
  opened_at_ = writer_.info().next_offset;
  unsynced_directories_ = {directory_};
  if (const auto slash = directory_.rfind('/'); slash != std::string::npos && slash > 0)
    unsynced_directories_.push_back(directory_.substr(0, slash));
  for (const auto& info : *sealed_) sealed_bytes_ += info.log_bytes;
  for (auto& segment : recovered.unfinished) seal(std::move(segment));
  apply_retention(shard_.clock.wall_ms());
}

base::Result<> SegmentLog::append(const ChunkBuilder::Finished& chunk) {
  if (dead_) return std::unexpected(*dead_);
  auto appended = append_or_fail(chunk);
  if (!appended) {
    dead_ = appended.error();
    shard_.logger.write(base::LogLevel::error, "storage", "the log takes no more writes",
                        {{"directory", directory_}, {"reason", dead_->text}});
  }
  return appended;
}

base::Result<> SegmentLog::append_or_fail(const ChunkBuilder::Finished& chunk) {
  INVARIANT(chunk.header.chunk_id == writer_.info().next_offset, "chunk {} appended to {} which expects {}",
            chunk.header.chunk_id.value, directory_, writer_.info().next_offset.value);
  if (writer_.index_error()) return std::unexpected(*writer_.index_error());
  if (sealer_->failure()) return std::unexpected(*sealer_->failure());
  if (!is_full_for(chunk.bytes.size())) return write(chunk);
  TRY_VOID(roll());
  TRY_VOID(write(chunk));
  apply_retention(shard_.clock.wall_ms());
  return {};
}

bool SegmentLog::is_full_for(std::uint64_t more_bytes) const {
  const auto& active = writer_.info();
  return active.chunks > 0 && (active.chunks >= options_.segment_chunks_max ||
                               active.log_bytes + more_bytes > options_.segment_bytes_max);
}

base::Result<> SegmentLog::write(const ChunkBuilder::Finished& chunk) {
  const auto header_bytes = chunk.bytes.first(chunk_header_bytes);
  const auto data = chunk.bytes.subspan(chunk_header_bytes, chunk.header.data_bytes);
  const auto trailer =
      TrailerView::parse(header_bytes, chunk.bytes.subspan(chunk_header_bytes + data.size()));
  INVARIANT(trailer, "chunk {} comes with a bad trailer: {}", chunk.header.chunk_id.value,
            trailer.error().text);
  sequences_.apply(*trailer);
  ScannedChunk described{chunk.header, *trailer, 0};
  if (writer_.info().chunks % snapshot_every_chunks != 0)
    return writer_.append({&chunk.bytes, 1}, index_record_of(described));

  build_trailer(sequences_.list(), true, trailer->filter_record(), trailer_);
  described.header.trailer_bytes = static_cast<std::uint32_t>(trailer_.size());
  std::array<std::uint8_t, chunk_header_bytes> new_header;
  encode_chunk_header(described.header, new_header.data());
  seal_trailer(new_header, trailer_);
  described.trailer = TrailerView::parse(new_header, trailer_).value();
  const std::array<base::ByteView, 3> parts{new_header, data, trailer_};
  return writer_.append(parts, index_record_of(described));
}

base::Result<> SegmentLog::roll() {
  TRY_VOID(writer_.flush_index());
  TRY(next, SegmentWriter::create(shard_.disk, directory_, writer_.info().next_offset));
  seal_active();
  writer_ = std::move(next);
  unsynced_directories_ = {directory_};
  return {};
}

void SegmentLog::seal_active() {
  const auto& info = writer_.info();
  auto sealed = std::make_shared<Segments>(*sealed_);
  sealed->push_back(info);
  sealed_ = std::move(sealed);
  sealed_bytes_ += info.log_bytes;
  seal({info, writer_.log_sync(), writer_.index().file()});
}

// The sealer syncs it soon; only what it has not done is left to a sync that somebody waits for.
void SegmentLog::seal(UnsealedSegment segment) {
  forget_synced();
  if (segment.log) unsynced_.push_back({segment.info.first_offset, segment.log});
  sealer_->add(std::move(segment));
}

LogView SegmentLog::view() const {
  const auto& active = writer_.info();
  LogView view{sealed_,      active,    writer_.index().written(), first_offset_, active.next_offset,
               std::nullopt, opened_at_};
  if (first_offset_ < active.next_offset)
    view.last_chunk_id = active.chunks > 0 ? active.last_chunk_id : sealed_->back().last_chunk_id;
  return view;
}

SegmentLog::Sync SegmentLog::prepare_sync() {
  forget_synced();
  auto error = std::make_shared<std::optional<base::Error>>();
  auto work = [&disk = shard_.disk, sealed = unsynced_, active = writer_.log_sync(), error,
               directories = std::exchange(unsynced_directories_, {})] {
    for (const auto& each : sealed)
      if (auto synced = each.file->sync_last(); !synced) return void(*error = std::move(synced).error());
    if (auto synced = active->sync(); !synced) return void(*error = std::move(synced).error());
    for (const auto& directory : directories)
      if (auto synced = disk.sync_directory(directory); !synced)
        return void(*error = std::move(synced).error());
  };
  return {std::move(work), std::move(error)};
}

void SegmentLog::forget_synced() {
  std::erase_if(unsynced_, [](const auto& each) { return each.file->finished(); });
}

bool SegmentLog::apply_retention(std::int64_t wall_ms) {
  bool changed = options_.retention.bytes_max && drop_by_size();
  if (options_.retention.age_max_ms) changed |= drop_by_age(wall_ms - *options_.retention.age_max_ms);
  return changed;
}

std::size_t SegmentLog::removable_segments() const {
  return writer_.info().chunks > 0 || sealed_->empty() ? sealed_->size() : sealed_->size() - 1;
}

bool SegmentLog::drop_by_size() {
  std::uint64_t left = bytes();
  std::size_t count = 0;
  while (count < removable_segments() && left > *options_.retention.bytes_max)
    left -= (*sealed_)[count++].log_bytes;
  drop_oldest(count);
  return count > 0;
}

bool SegmentLog::drop_by_age(std::int64_t cutoff_ms) {
  const auto before = first_offset_;
  std::size_t count = 0;
  while (count < removable_segments() && (*sealed_)[count].last_timestamp_ms < cutoff_ms) ++count;
  drop_oldest(count);
  const auto* active = sealed_->empty() ? &writer_.index() : nullptr;
  first_offset_ =
      std::max(first_offset_, hidden_.advance(shard_.disk, directory_, oldest(), active, cutoff_ms));
  return first_offset_ != before;
}

void SegmentLog::drop_oldest(std::size_t count) {
  if (count == 0) return;
  std::vector<std::string> paths;
  const auto drop_end = sealed_->begin() + static_cast<std::ptrdiff_t>(count);
  for (auto segment = sealed_->begin(); segment != drop_end; ++segment) {
    sealed_bytes_ -= segment->log_bytes;
    for (auto suffix : {log_suffix, index_suffix, filter_suffix})
      paths.push_back(segment_path(directory_, segment->first_offset, suffix));
  }
  sealed_ = std::make_shared<const Segments>(drop_end, sealed_->end());
  hidden_.reset();
  first_offset_ = std::max(first_offset_, oldest().first_offset);
  std::erase_if(unsynced_, [&](const auto& each) { return each.first_offset < oldest().first_offset; });
  sealer_->forget_before(oldest().first_offset);
  remover_->remove(std::move(paths), writer_.log_sync());
}

base::Result<> SegmentLog::flush_index() {
  if (dead_) return std::unexpected(*dead_);
  return writer_.flush_index();
}

base::Result<> SegmentLog::close() {
  if (dead_) return {};
  auto flushed = writer_.flush_index();
  dead_ = base::Error{base::Errc::stream_unavailable, fmt::format("the log in {} is closed", directory_)};
  sealer_.reset();
  remover_.reset();
  return flushed;
}

}  // namespace sluice::storage
