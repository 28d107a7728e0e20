// SPDX-License-Identifier: Apache-2.0
// Chosen is the file with the smallest part alive. Of a message's places those that are still alive go into
// one copy; a file in which a record is damaged or missing is never chosen again.
#include "storage/journal_compactor.h"

#include <fmt/format.h>

#include <array>

namespace sluice::storage {

void JournalCompactor::pick(std::uint64_t before, double live_part_min) {
  JournalFile* chosen = nullptr;
  double chosen_part = live_part_min;
  for (auto& [number, file] : map_.files()) {
    if (number >= before) break;
    if (!file.indexed || file.unreadable || file.references == 0) continue;
    const double part = static_cast<double>(file.live_bytes) / static_cast<double>(file.bytes);
    if (part >= chosen_part) continue;
    chosen = &file;
    chosen_part = part;
  }
  if (chosen == nullptr) return;
  auto opened = reader_.file(chosen->number, journal_suffix);
  std::array<std::uint8_t, journal_header_bytes> bytes{};
  auto got = opened ? (*opened)->read_at(0, bytes) : base::Result<std::size_t>(std::unexpect, opened.error());
  auto header =
      got ? decode_journal_file_header(bytes) : base::Result<JournalFileHeader>(std::unexpect, got.error());
  number_ = chosen->number;
  if (!header) return stop_damaged(header.error());
  scanner_.emplace(*opened, *header, journal_header_bytes, chosen->bytes);
}

void JournalCompactor::run_slice(std::uint64_t before, double live_part_min, std::uint64_t bytes_max) {
  if (!scanner_) pick(before, live_part_min);
  if (!scanner_) return;
  for (const auto stop_at = scanner_->next_position() + bytes_max; scanner_;) {
    const auto found = map_.files().find(number_);
    if (found == map_.files().end() || found->second.references == 0) return scanner_.reset();
    if (scanner_->next_position() >= stop_at) return;
    const auto more = scanner_->next();
    if (!more) return stop_damaged(more.error());
    if (!*more) {
      // What is still counted as live is in no record of the file: nobody could read it.
      return stop_damaged({base::Errc::corrupt, "messages are missing"});
    }
    copy_batch();
  }
}

void JournalCompactor::copy_batch() {
  RecordCursor cursor(scanner_->payload());
  while (cursor.next()) {
    if (record_kind(cursor.record()) == RecordKind::message)
      copy_message(cursor.record(), scanner_->payload_position() + cursor.position());
  }
}

void JournalCompactor::copy_message(base::ByteView record, std::uint64_t position) {
  const auto message = decode_message(record);
  places_.clear();
  live_.clear();
  if (!message || !decode_places(message->places, places_)) return;
  for (const MessagePlace& place : places_) {
    const auto found = map_.find(place);
    if (!found || found->extent->file()->number != number_) continue;
    if (target_.is_live(place))
      live_.push_back(place);
    else
      map_.release(place.queue, place.offset, place.offset);
  }
  if (live_.empty()) return;
  target_.append_copy(message->meta, message->content, live_);
  metrics_.compacted_messages.add();
  metrics_.compacted_bytes.add(record.size());
  (void)position;
}

void JournalCompactor::stop_damaged(const base::Error& error) {
  shard_.logger.write(base::LogLevel::error, "storage", "journal file cannot be compacted",
                      {{"file", journal_path(directory_, number_, journal_suffix)}, {"error", error.text}});
  map_.files().at(number_).unreadable = true;
  scanner_.reset();
}

}  // namespace sluice::storage
