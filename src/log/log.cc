// SPDX-License-Identifier: Apache-2.0
// Log: the path of an entry. append() copies it into the open chunk; write_chunk() hands the chunk to the
// files (offsets_.appended); commit() makes it visible and answers its publishers (offsets_.committed), at
// once when the promise is `written`, after a group commit when it is `synced`. One sync is in flight at a
// time; whatever was written meanwhile goes with the next.
#include "log/log.h"

#include <utility>

namespace sluice::log {

namespace {

constexpr base::Epoch unreplicated_epoch{1};
constexpr std::int64_t idle_ms = 2000;            // then the chunk buffer is given back
constexpr std::int64_t retention_every_ms = 500;  // ages are in seconds
constexpr std::size_t cached_sequences_max = 1024;

Metrics& uncounted() {
  static Metrics metrics;
  return metrics;
}

}  // namespace

base::Result<std::unique_ptr<Log>> Log::open(base::Shard& shard, std::string directory,
                                             const Options& options, Listener& listener,
                                             storage::OpenReport& report) {
  TRY(storage, storage::SegmentLog::open(shard, std::move(directory), options.storage, report));
  if (options.durability == Durability::synced) {
    // What a dead process left in the page cache is promised from now on.
    storage::SegmentLog::Sync sync = storage->prepare_sync();
    sync.work();
    if (*sync.error) return std::unexpected(**sync.error);
  }
  return std::unique_ptr<Log>(new Log(shard, options, listener, std::move(storage)));
}

Log::Log(base::Shard& shard, const Options& options, Listener& listener,
         std::unique_ptr<storage::SegmentLog> storage)
    : shard_(shard),
      options_(options),
      listener_(listener),
      metrics_(options.metrics != nullptr ? *options.metrics : uncounted()),
      storage_(std::move(storage)),
      committed_(storage_->view()) {
  const std::uint64_t next = committed_.next_offset.value;
  offsets_.advance(AppendedOffset{next}, PersistedOffset{next}, CommittedOffset{next});
}

Log::~Log() {
  *alive_ = false;
}

storage::ChunkBuilder& Log::builder() {
  if (!builder_)
    builder_ =
        std::make_unique<storage::ChunkBuilder>(options_.chunk_bytes_max, options_.storage.bloom_bytes);
  return *builder_;
}

std::size_t Log::pending_bytes() const {
  const std::size_t ids = open_.size() + written_.size() + syncing_.confirms.size();
  return (chunk_is_open() ? builder_->data_bytes() : 0) + written_bytes_ + syncing_.bytes +
         ids * Confirms::bytes_per_id;
}

std::optional<std::uint64_t> Log::known_sequence(std::string_view reference) const {
  if (auto found = sequences_.find(reference); found != sequences_.end()) return found->second;
  return storage_->sequence(reference);
}

void Log::remember_sequence(std::string_view reference, std::uint64_t publishing_id) {
  if (auto found = sequences_.find(reference); found != sequences_.end())
    found->second = publishing_id;
  else
    sequences_.emplace(reference, publishing_id);
}

std::uint64_t Log::sequence(std::string_view reference) const {
  return known_sequence(reference).value_or(0);
}

void Log::append(Origin origin, std::string_view reference, std::span<const Entry> entries) {
  open_.begin(origin);
  const bool deduplicates = !reference.empty();
  std::optional<std::uint64_t> last;
  if (deduplicates) last = known_sequence(reference);
  bool in_open_chunk = false;  // the open chunk holds entries of this call
  storage::ChunkBuilder& chunk = builder();

  for (const Entry& entry : entries) {
    if (failure_) {
      open_.add(entry.publishing_id);
      continue;
    }
    if (deduplicates && last && entry.publishing_id <= *last) {
      open_.add(entry.publishing_id);
      metrics_.duplicates.add();
      continue;
    }
    if (!chunk.has_room(entry.body.size())) {
      if (in_open_chunk && deduplicates) chunk.set_sequence(reference, *last);
      in_open_chunk = false;
      write_chunk(shard_.clock.wall_ms());
      open_.begin(origin);  // the list went with the chunk
      if (failure_) {
        open_.add(entry.publishing_id);
        continue;
      }
    }
    open_.add(entry.publishing_id);
    if (entry.is_sub_batch)
      chunk.add_sub_batch({entry.compression, entry.records, entry.uncompressed_bytes, entry.body},
                          entry.filter_value);
    else
      chunk.add_message(entry.body, entry.filter_value);
    last = entry.publishing_id;
    in_open_chunk = true;
  }
  if (deduplicates && in_open_chunk) chunk.set_sequence(reference, *last);
  if (deduplicates && last && !failure_) remember_sequence(reference, *last);
}

void Log::write_chunk(std::int64_t wall_ms) {
  const AppendedOffset at = offsets_.appended();
  const auto chunk = builder_->finish(base::Offset{at.value}, unreplicated_epoch, wall_ms);
  auto appended = storage_->append(chunk);
  lingering_since_ms_.reset();
  if (!appended) {
    go_offline(std::move(appended).error());
    return;
  }
  metrics_.chunks.add();
  metrics_.messages.add(chunk.header.records);
  metrics_.bytes.add(chunk.bytes.size());
  metrics_.pending_bytes.add(chunk.bytes.size());
  offsets_.advance(AppendedOffset{at.value + chunk.header.records}, offsets_.persisted(),
                   offsets_.committed());
  written_bytes_ += chunk.bytes.size();
  written_.take(open_);
  builder_->clear();
  index_flushed_ = false;
}

bool Log::has_pending() const {
  if (chunk_is_open() || !open_.empty()) return true;
  if (failure_) return !failure_reported_ || !written_.empty();
  return offsets_.appended().value > offsets_.committed().value && !syncing_.active;
}

bool Log::linger_is_over(std::int64_t monotonic_ms) {
  if (options_.linger_ms == 0) return true;
  if (!lingering_since_ms_) lingering_since_ms_ = monotonic_ms;
  return monotonic_ms - *lingering_since_ms_ >= options_.linger_ms;
}

void Log::flush(std::int64_t wall_ms, std::int64_t monotonic_ms) {
  if (!failure_ && chunk_is_open() && linger_is_over(monotonic_ms)) write_chunk(wall_ms);
  if (!failure_ && !chunk_is_open()) settle_duplicates();
  last_write_ms_ = monotonic_ms;
  commit_written();
  report_failure();
  if (sequences_.size() > cached_sequences_max && !chunk_is_open()) sequences_.clear();
}

// Without an open chunk, open_ holds duplicates alone: they wait for whatever their originals wait for, which
// is at worst the newest thing in the file.
void Log::settle_duplicates() {
  if (open_.empty()) return;
  const std::uint64_t in_flight =
      syncing_.active ? syncing_.view.next_offset.value : offsets_.committed().value;
  if (offsets_.appended().value > in_flight) {
    written_.take(open_);
  } else if (syncing_.active) {
    syncing_.confirms.take(open_);
  } else {
    Confirms now;
    now.take(open_);
    now.for_each([&](Origin origin, auto ids) { listener_.on_committed(origin, ids); });
  }
}

void Log::commit_written() {
  if (offsets_.appended().value == offsets_.committed().value) return;
  if (options_.durability == Durability::synced) {
    if (!syncing_.active && !failure_) start_sync();
    return;
  }
  Confirms confirms;
  std::swap(confirms, written_);
  metrics_.pending_bytes.sub(std::exchange(written_bytes_, 0));
  commit(storage_->view(), confirms);
  if (written_.empty()) std::swap(confirms, written_);  // keeps the buffers
}

void Log::start_sync() {
  syncing_.active = true;
  std::swap(syncing_.confirms, written_);
  syncing_.view = storage_->view();
  syncing_.bytes = std::exchange(written_bytes_, 0);
  metrics_.syncs.add();
  storage::SegmentLog::Sync sync = storage_->prepare_sync();
  shard_.background.run(std::move(sync.work), [this, alive = alive_, error = sync.error] {
    if (*alive) finish_sync(*error);
  });
}

void Log::finish_sync(const std::optional<base::Error>& error) {
  if (!syncing_.active) return;
  syncing_.active = false;
  metrics_.pending_bytes.sub(std::exchange(syncing_.bytes, 0));
  if (error) {
    if (!failure_) go_offline(*error);
    refuse(syncing_.confirms);
    report_failure();
    return;
  }
  Confirms confirms;
  std::swap(confirms, syncing_.confirms);
  commit(std::move(syncing_.view), confirms);
  syncing_.view = {};
  commit_written();
}

void Log::commit(storage::LogView view, Confirms& confirms) {
  const std::uint64_t to = view.next_offset.value;
  committed_ = std::move(view);
  offsets_.advance(offsets_.appended(), PersistedOffset{to}, CommittedOffset{to});
  listener_.on_view_changed(committed_);
  confirms.for_each([&](Origin origin, auto ids) { listener_.on_committed(origin, ids); });
  confirms.clear();
}

// The files changed without new messages (retention, index). While something waits for a sync the storage's
// view shows too much; then the next commit brings the change along.
void Log::publish_view() {
  if (offsets_.appended().value != offsets_.committed().value) return;
  committed_ = storage_->view();
  listener_.on_view_changed(committed_);
}

void Log::refuse(Confirms& confirms) {
  Confirms refused;
  refused.take(confirms);
  metrics_.refused.add(refused.size());
  refused.for_each(
      [&](Origin origin, auto ids) { listener_.on_refused(origin, ids, base::Errc::stream_unavailable); });
}

void Log::go_offline(base::Error error) {
  failure_ = std::move(error);
  builder_.reset();
  sequences_.clear();
  lingering_since_ms_.reset();
  metrics_.failures.add();
}

void Log::report_failure() {
  if (!failure_) return;
  metrics_.pending_bytes.sub(std::exchange(written_bytes_, 0));
  refuse(written_);
  refuse(open_);
  if (!std::exchange(failure_reported_, true)) listener_.on_offline(*failure_);
}

void Log::tick(std::int64_t wall_ms, std::int64_t monotonic_ms) {
  if (has_pending()) flush(wall_ms, monotonic_ms);
  if (failure_) return;
  release_idle(monotonic_ms);
  if (monotonic_ms - last_retention_ms_ >= retention_every_ms) {
    last_retention_ms_ = monotonic_ms;
    if (storage_->apply_retention(wall_ms)) publish_view();
  }
}

void Log::release_idle(std::int64_t monotonic_ms) {
  if (monotonic_ms - last_write_ms_ < idle_ms || chunk_is_open()) return;
  builder_.reset();
  if (index_flushed_) return;
  index_flushed_ = true;
  if (auto flushed = storage_->flush_index(); !flushed) {
    go_offline(std::move(flushed).error());
    report_failure();
  } else if (offsets_.appended().value == offsets_.committed().value) {
    committed_ = storage_->view();
  }
}

void Log::set_retention(const storage::Retention& retention) {
  storage_->set_retention(retention);
  if (!failure_ && storage_->apply_retention(shard_.clock.wall_ms())) publish_view();
}

void Log::close() {
  if (!failure_ && chunk_is_open()) write_chunk(shard_.clock.wall_ms());
  if (!failure_) {
    if (auto flushed = storage_->flush_index(); !flushed) go_offline(std::move(flushed).error());
  }
  if (!failure_) {
    storage::SegmentLog::Sync sync = storage_->prepare_sync();
    sync.work();
    if (*sync.error) go_offline(**sync.error);
  }
  // The sync above covers the one in flight: what waited for that is answered here.
  *alive_ = false;
  syncing_.active = false;
  syncing_.confirms.take(written_);
  syncing_.confirms.take(open_);
  metrics_.pending_bytes.sub(std::exchange(written_bytes_, 0) + std::exchange(syncing_.bytes, 0));
  if (failure_) {
    refuse(syncing_.confirms);
    report_failure();
  } else {
    commit(storage_->view(), syncing_.confirms);
  }
  if (auto closed = storage_->close(); !closed && !failure_)
    shard_.logger.write(base::LogLevel::warning, "storage", "closing a log",
                        {{"error", closed.error().text}});
  storage_.reset();
}

void Log::discard() {
  *alive_ = false;
  syncing_.active = false;
  metrics_.pending_bytes.sub(std::exchange(written_bytes_, 0) + std::exchange(syncing_.bytes, 0));
  refuse(syncing_.confirms);
  refuse(written_);
  refuse(open_);
  builder_.reset();
  storage_.reset();
}

}  // namespace sluice::log
