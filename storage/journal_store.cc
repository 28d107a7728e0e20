// SPDX-License-Identifier: Apache-2.0
// The journal's calls; syncs, checkpoints and removal of files are in journal_upkeep.cc.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "storage/journal_store.h"

namespace sluice::storage {

base::Result<std::unique_ptr<Journal>> Journal::open(base::Shard& shard, std::string directory,
                                                     const JournalOptions& options, JournalOwner& owner,
                                                     JournalVisitor& visitor) {
  auto store = std::make_unique<JournalStore>(shard, std::move(directory), options, owner);
  TRY_VOID(store->recover(visitor));
  return store;
}

JournalStore::JournalStore(base::Shard& shard, std::string directory, const JournalOptions& options,
                           JournalOwner& owner)
    : shard_(shard),
      directory_(std::move(directory)),
      options_(options),
      owner_(owner),
      metrics_(options.metrics != nullptr ? *options.metrics : own_metrics_),
      reader_(shard.disk, directory_, metrics_),
      tail_(options.tail_bytes_max),
      compactor_(shard, directory_, map_, reader_, *this, metrics_),
      spares_(shard.disk, directory_, options_.spare_files_max) {}

JournalStore::~JournalStore() {
  std::lock_guard lock(jobs_->mutex);
  jobs_->closed = true;
  jobs_->alive = false;
}

base::Result<> JournalStore::recover(JournalVisitor& visitor) {
  const auto began_ms = shard_.clock.monotonic_ms();
  TRY(found, recover_journal(shard_, directory_, map_, reader_, visitor, metrics_));
  synced_ = sync_wanted_ = found.end_point;
  durable_checkpoint_ = found.checkpoint.value_or(0);
  old_checkpoints_ = found.checkpoints;
  checkpoint_wanted_ = found.has_replayed || std::ranges::any_of(map_.files(), [](const auto& each) {
                         return each.second.sealed && !each.second.indexed;
                       });
  if (found.empty_file)
    TRY_VOID(continue_file(*found.empty_file));
  else
    TRY_VOID(create_file(found.last_number + 1, found.end_point));
  metrics_.recovery_ms.set(static_cast<std::uint64_t>(shard_.clock.monotonic_ms() - began_ms));
  update_gauges();
  return {};
}

base::Result<> JournalStore::create_file(std::uint64_t number, std::uint64_t first_point, Over over) {
  const auto path = journal_path(directory_, number, journal_suffix);
  auto file = over == Over::spare ? spares_.take(path) : nullptr;
  is_over_spare_ = file != nullptr;
  if (is_over_spare_) {
    metrics_.reused_files.add();
  } else {
    TRY(made, shard_.disk.open(path, base::Disk::Mode::create));
    file = std::move(made);
  }
  header_ = {.number = number, .first_point = first_point, .salt = shard_.random.next()};
  std::array<std::uint8_t, journal_header_bytes> bytes;
  encode_journal_file_header(header_, bytes.data());
  const base::ByteView part = bytes;
  TRY_VOID(file->append({&part, 1}));
  directory_unsynced_ = true;
  file_ = file;
  active_ = &map_.add_file(header_, journal_header_bytes);
  reader_.ends_at(number, active_->bytes);
  unsynced_.push_back({number, std::make_shared<SyncFile>(std::move(file))});
  tail_.begin_file(header_);
  return {};
}

base::Result<> JournalStore::continue_file(const JournalFileHeader& header) {
  TRY(file,
      shard_.disk.open(journal_path(directory_, header.number, journal_suffix), base::Disk::Mode::write));
  header_ = header;
  file_ = file;
  active_ = &map_.add_file(header_, journal_header_bytes);
  active_->sealed = active_->was_scanned = false;
  unsynced_.push_back({header.number, std::make_shared<SyncFile>(std::move(file))});
  tail_.begin_file(header_);
  return {};
}

JournalPoint JournalStore::end() const {
  return JournalPoint{header_.first_point + tail_.end_position() - journal_header_bytes};
}

// Room for the record with its places written; the content goes behind them.
std::uint8_t* JournalStore::begin_message(std::span<const MessagePlace> places, std::size_t content_bytes,
                                          Slot& slot) {
  places_.resize(std::max(places_.size(), places_bytes_max(places.size())));
  const std::size_t places_bytes = encode_places(places, places_.data());
  const std::size_t size = message_header_bytes + places_bytes + content_bytes;
  INVARIANT(size <= record_bytes_max, "a message of {} bytes", content_bytes);
  const auto room = tail_.append(size);
  INVARIANT(room.position + size <= journal_file_bytes_limit, "a journal file of {} bytes", room.position);
  slot = {static_cast<std::uint32_t>(room.position), static_cast<std::uint32_t>(size)};
  std::copy_n(places_.data(), places_bytes, room.at + message_header_bytes);
  return room.at;
}

void JournalStore::append_message(const MessageMeta& meta, std::span<const base::ByteView> content,
                                  std::span<const MessagePlace> places) {
  if (offline_) return;
  std::size_t content_bytes = 0;
  for (const base::ByteView part : content) content_bytes += part.size();
  Slot slot;
  std::uint8_t* record = begin_message(places, content_bytes, slot);
  std::uint8_t* at = record + slot.size - content_bytes;
  const auto places_bytes = static_cast<std::size_t>(at - record) - message_header_bytes;
  for (const base::ByteView part : content) {
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  finish_message(meta, false, places_bytes, slot.size, record);
  map_.place(*active_, places, slot, false);
  metrics_.messages.add();
}

void JournalStore::append_copy(const MessageMeta& meta, base::ByteView content,
                               std::span<const MessagePlace> places) {
  Slot slot;
  std::uint8_t* record = begin_message(places, content.size(), slot);
  std::uint8_t* at = record + slot.size - content.size();
  if (!content.empty()) std::memcpy(at, content.data(), content.size());
  finish_message(meta, true, static_cast<std::size_t>(at - record) - message_header_bytes, slot.size, record);
  map_.place(*active_, places, slot, true);
}

void JournalStore::append_event(base::QueueId queue, base::ByteView event) {
  if (offline_) return;
  const std::size_t size = event_header_bytes + event.size();
  INVARIANT(size <= record_bytes_max, "an event of {} bytes", event.size());
  const auto room = tail_.append(size);
  if (!event.empty()) std::memcpy(room.at + event_header_bytes, event.data(), event.size());
  finish_event(queue, size, room.at);
  metrics_.events.add();
}

base::Result<StoredMessage> JournalStore::read(MessagePlace place) {
  const auto missing = [&] {
    return base::fail(base::Errc::no_offset, fmt::format("message {} of queue {} is not in {}",
                                                         place.offset.value, place.queue.value, directory_));
  };
  const auto found = map_.find(place);
  if (!found) return missing();
  const std::uint64_t number = found->extent->file()->number;
  Slot slot;
  if (found->extent->has_slots()) {
    slot = found->extent->slot(found->index);
  } else {
    TRY(stored, reader_.slot(number, found->extent->first_slot() + found->index));
    slot = stored;
  }
  if (slot.size == 0) return missing();
  const auto corrupt = [&](std::string_view what) {
    return base::fail(base::Errc::corrupt,
                      fmt::format("{}, byte {}: {}", journal_path(directory_, number, journal_suffix),
                                  slot.position, what));
  };
  base::ByteView record = tail_.find(number, slot.position, slot.size);
  const bool is_in_memory = !record.empty();
  if (is_in_memory) {
    metrics_.tail_reads.add();
  } else {
    TRY(bytes, reader_.record(number, slot));
    record = bytes;
    read_since_tick_ = true;
  }
  const auto message = decode_message(record);
  if (!message) return corrupt("not a message");
  // An index may lie with a good check only if something else is broken; long lists are not looked through.
  constexpr std::size_t looked_through_bytes = 256;
  if (!is_in_memory && message->places.size() <= looked_through_bytes && !has_place(message->places, place))
    return corrupt("another message");
  return StoredMessage{message->meta, message->content};
}

void JournalStore::write() {
  if (!tail_.has_unwritten()) return;
  const std::uint64_t before = active_->bytes;
  auto written = tail_.write(*file_, synced_);
  if (!written) return go_offline(written.error());
  active_->bytes = tail_.end_position();
  reader_.ends_at(header_.number, active_->bytes);
  metrics_.writes.add();
  metrics_.bytes.add(active_->bytes - before);
}

void JournalStore::flush(bool sync) {
  if (offline_) return;
  compact_beside_appends();
  write();
  if (offline_) return;
  if (sync) sync_wanted_ = end().value;
  const bool is_full = active_->bytes >= options_.file_bytes_max;
  if (is_full || (checkpoint_wanted_ && !checkpointing_)) {
    if (active_->bytes > journal_header_bytes) roll();
    if (!offline_ && !checkpointing_) start_checkpoint();
  }
  if (!offline_) start_sync();
  metrics_.pending_bytes.set(pending_bytes());
}

void JournalStore::go_offline(const base::Error& error) {
  if (offline_) return;
  offline_ = error;
  metrics_.failures.add();
  shard_.logger.write(base::LogLevel::error, "storage", "journal is offline",
                      {{"directory", directory_}, {"error", error.text}});
  owner_.on_offline(error);
}

std::uint64_t JournalStore::disk_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [number, file] : map_.files()) bytes += file.bytes;
  return bytes + spares_.bytes();
}

}  // namespace sluice::storage
