// SPDX-License-Identifier: Apache-2.0
// What the journal does beside its calls: rolls, group commits, checkpoints, removal of files.
#include <fmt/format.h>

#include <algorithm>

#include "storage/journal_store.h"

namespace sluice::storage {
namespace {

constexpr std::int64_t idle_reader_ms = 10'000;

}  // namespace

void CheckpointJob::run(base::Disk& disk, const std::string& directory) {
  for (const auto& file : files) {
    if (auto synced = file->sync_last(); !synced) {
      sync_error = synced.error();
      return;
    }
  }
  const auto write_all = [&]() -> base::Result<> {
    for (auto& index : indexes)
      TRY_VOID(write_journal_index(disk, directory, index.number, index.journal_bytes, index.inputs));
    // The indexes' names first: the checkpoint counts on them.
    TRY_VOID(disk.sync_directory(directory));
    TRY_VOID(write_checkpoint_file(disk, directory, checkpoint));
    return disk.sync_directory(directory);
  };
  if (auto written = write_all(); !written) error = written.error();
}

void JournalStore::roll(Over next) {
  if (is_over_spare_) {
    if (auto cut = file_->truncate(active_->bytes); !cut) return go_offline(cut.error());
  }
  map_.seal(*active_);
  const auto next_point = end().value;
  if (auto created = create_file(header_.number + 1, next_point, next); !created) go_offline(created.error());
}

CheckpointJob JournalStore::make_checkpoint_job() {
  CheckpointJob job;
  for (const auto& [number, file] : unsynced_)
    if (number != header_.number) job.files.push_back(file);
  for (const auto& [number, file] : map_.files()) {
    if (file.sealed && !file.indexed) job.indexes.push_back({number, file.bytes, map_.index_inputs(file)});
  }
  job.checkpoint.number = header_.number;
  job.checkpoint.first_point = header_.first_point;
  owner_.write_checkpoint(
      [&](base::QueueId queue, base::ByteView state) { add_state(job.checkpoint, queue, state); });
  return job;
}

// precondition: the active file has no records yet
void JournalStore::start_checkpoint() {
  checkpoint_wanted_ = false;
  checkpointing_ = true;
  auto job = std::make_shared<CheckpointJob>(make_checkpoint_job());
  shard_.background.run(
      [jobs = jobs_, job, directory = directory_, &disk = shard_.disk] {
        std::lock_guard lock(jobs->mutex);
        if (!jobs->closed) job->run(disk, directory);
      },
      [this, jobs = jobs_, job] {
        if (jobs->alive) on_checkpoint_done(*job);
      });
}

void JournalStore::on_checkpoint_done(CheckpointJob& job) {
  checkpointing_ = false;
  if (offline_) return;
  if (job.sync_error) return go_offline(*job.sync_error);
  if (job.error) {
    shard_.logger.write(base::LogLevel::error, "storage", "journal checkpoint failed",
                        {{"directory", directory_}, {"error", job.error->text}});
    return;
  }
  for (const auto& index : job.indexes) map_.set_indexed(map_.files().at(index.number), index.inputs);
  durable_checkpoint_ = job.checkpoint.number;
  metrics_.checkpoints.add();
  metrics_.checkpoint_bytes.add(job.checkpoint.bytes.size());
  std::vector<std::string> removed;
  for (const auto number : std::exchange(old_checkpoints_, {durable_checkpoint_}))
    if (number != durable_checkpoint_) removed.push_back(journal_path(directory_, number, checkpoint_suffix));
  shard_.background.run(
      [removed = std::move(removed), &disk = shard_.disk] {
        for (const auto& path : removed) (void)disk.remove(path);  // open() removes what is left
      },
      {});
}

void JournalStore::start_sync() {
  if (syncing_ || synced_ >= sync_wanted_) return;
  syncing_ = true;
  struct Job {
    std::vector<std::pair<std::shared_ptr<SyncFile>, bool>> files;  // is it sealed
    bool directory;
    std::optional<base::Error> error;
  };
  auto job = std::make_shared<Job>();
  for (const auto& [number, file] : unsynced_) job->files.emplace_back(file, number != header_.number);
  job->directory = std::exchange(directory_unsynced_, false);
  metrics_.syncs.add();
  shard_.background.run(
      [jobs = jobs_, job, directory = directory_, &disk = shard_.disk] {
        for (const auto& [file, sealed] : job->files) {
          if (auto synced = sealed ? file->sync_last() : file->sync(); !synced) {
            job->error = synced.error();
            return;
          }
        }
        if (!job->directory) return;
        if (auto synced = disk.sync_directory(directory); !synced) job->error = synced.error();
      },
      [this, jobs = jobs_, job, point = active_->bytes + header_.first_point - journal_header_bytes] {
        if (jobs->alive) on_sync_done(point, job->error);
      });
}

void JournalStore::on_sync_done(std::uint64_t point, const std::optional<base::Error>& error) {
  syncing_ = false;
  if (error) return go_offline(*error);
  if (offline_) return;
  std::erase_if(unsynced_, [](const UnsyncedFile& each) { return each.file->finished(); });
  synced_ = std::max(synced_, point);
  metrics_.pending_bytes.set(pending_bytes());
  owner_.on_synced(JournalPoint{synced_});
  start_sync();
}

void JournalStore::tick(std::int64_t monotonic_ms) {
  if (offline_) return;
  remove_dead_files(monotonic_ms);
  compactor_.run_slice(durable_checkpoint_, options_.live_part_min, options_.compaction_slice_bytes);
  compacted_at_ = end().value;
  write();
  if (offline_) return;
  sync_wanted_ = active_->bytes + header_.first_point - journal_header_bytes;
  start_sync();
  if (std::exchange(read_since_tick_, false)) {
    last_read_ms_ = monotonic_ms;
  } else if (last_read_ms_ != 0 && monotonic_ms - last_read_ms_ > idle_reader_ms) {
    last_read_ms_ = 0;
    reader_.release_memory();
  }
  update_gauges();
}

void JournalStore::compact_beside_appends() {
  // Twice what is appended is looked at, so compaction keeps up with any load once it has begun.
  const std::uint64_t slice = options_.compaction_slice_bytes;
  if (!compactor_.is_running() || end().value - compacted_at_ < slice / 2) return;
  compactor_.run_slice(durable_checkpoint_, options_.live_part_min, slice);
  compacted_at_ = end().value;
}

void JournalStore::remove_dead_files(std::int64_t monotonic_ms) {
  std::vector<std::string> removed = spares_.expired(monotonic_ms);
  for (auto at = map_.files().begin(); at != map_.files().end();) {
    JournalFile& file = at->second;
    if (!file.sealed || file.references > 0) {
      ++at;
      continue;
    }
    // What settled the last message was appended in the turn of its release, and flushed since the last tick.
    if (!std::exchange(file.seen_dead, true)) {
      ++at;
      continue;
    }
    if (!file.dead_at) file.dead_at = end();
    const bool is_being_indexed = checkpointing_ && !file.indexed;
    if (file.number >= durable_checkpoint_ || file.dead_at->value > synced_ || is_being_indexed) {
      ++at;
      continue;
    }
    // The index goes after the journal file was taken out: what is there without the other can be opened.
    const bool is_large = file.bytes >= options_.file_bytes_max / 2;
    if (!is_large || !spares_.keep(file.number, file.bytes))
      removed.push_back(journal_path(directory_, file.number, journal_suffix));
    removed.push_back(journal_path(directory_, file.number, journal_index_suffix));
    reader_.forget(file.number);
    metrics_.removed_files.add();
    at = map_.files().erase(at);
  }
  if (removed.empty()) return;
  shard_.background.run(
      [jobs = jobs_, removed = std::move(removed), &disk = shard_.disk] {
        std::lock_guard lock(jobs->mutex);
        if (jobs->closed) return;
        for (const auto& path : removed)
          (void)disk.remove(path);  // what is left is removed after the next open
      },
      {});
}

void JournalStore::update_gauges() {
  std::uint64_t live = 0;
  for (const auto& [number, file] : map_.files()) live += file.live_bytes;
  metrics_.files.set(map_.files().size());
  metrics_.disk_bytes.set(disk_bytes());
  metrics_.live_bytes.set(live);
  metrics_.pending_bytes.set(pending_bytes());
}

void JournalStore::close() {
  if (offline_) return;
  write();
  if (offline_) return;
  for (const auto& path : spares_.all()) (void)shard_.disk.remove(path);
  if (active_->bytes > journal_header_bytes)
    roll(Over::nothing);
  else if (is_over_spare_ && !file_->truncate(active_->bytes))
    return;  // open() cuts it
  if (offline_) return;
  std::lock_guard lock(jobs_->mutex);  // a checkpoint under way ends first
  jobs_->closed = true;
  offline_ = base::Error{base::Errc::io_failed, "the journal is closed"};
  if (header_.number == durable_checkpoint_) return;
  auto job = make_checkpoint_job();
  job.run(shard_.disk, directory_);
  const auto& failed = job.sync_error ? job.sync_error : job.error;
  if (failed) {
    shard_.logger.write(base::LogLevel::error, "storage", "journal checkpoint failed",
                        {{"directory", directory_}, {"error", failed->text}});
    return;
  }
  for (const auto number : old_checkpoints_)
    if (number != header_.number)
      (void)shard_.disk.remove(journal_path(directory_, number, checkpoint_suffix));
}

}  // namespace sluice::storage
