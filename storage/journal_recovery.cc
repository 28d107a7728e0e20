// SPDX-License-Identifier: Apache-2.0
// Opening: files are found, the newest good checkpoint is taken, old files give their indexes, the rest is
// replayed up to the first batch that is not whole; there the journal is cut.
#include "storage/journal_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "storage/format.h"
#include "storage/journal_checkpoint.h"
#include "storage/journal_index.h"

namespace sluice::storage {
namespace {

using base::Errc;
using Numbers = std::set<std::uint64_t>;

class Recovery {
 public:
  Recovery(base::Shard& shard, const std::string& directory, JournalMap& map, JournalReader& reader,
           JournalVisitor& visitor, JournalMetrics& metrics)
      : shard_(shard),
        disk_(shard.disk),
        directory_(directory),
        map_(map),
        reader_(reader),
        visitor_(visitor),
        metrics_(metrics) {}

  base::Result<RecoveredJournal> run() {
    TRY_VOID(find_files());
    TRY_VOID(take_checkpoint());
    for (const auto number : journals_)
      if (number < first_replayed_) TRY_VOID(load_old(number));
    TRY_VOID(replay());
    TRY_VOID(sync_replayed());
    if (!journals_.empty()) found_.last_number = *journals_.rbegin();
    found_.last_number = std::max(found_.last_number, first_replayed_ - 1);
    found_.end_point = expected_;
    found_.checkpoints.assign(checkpoints_.begin(), checkpoints_.end());
    return found_;
  }

 private:
  base::Result<> find_files() {
    TRY_VOID(disk_.create_directories(directory_));
    TRY(names, disk_.list(directory_));
    for (const auto& name : names) {
      const auto parsed = parse_journal_file_name(name);
      if (name.ends_with(temporary_suffix) || name.ends_with(journal_spare_suffix))
        TRY_VOID(disk_.remove(directory_ + "/" + name));
      else if (!parsed)
        warn("unknown file left alone", {{"file", directory_ + "/" + name}});
      else if (parsed->suffix == journal_suffix)
        journals_.insert(parsed->number);
      else if (parsed->suffix == journal_index_suffix)
        indexes_.insert(parsed->number);
      else
        checkpoints_.insert(parsed->number);
    }
    for (const auto number : indexes_)
      if (!journals_.contains(number)) TRY_VOID(disk_.remove(path(number, journal_index_suffix)));
    return {};
  }

  // The newest good one; the journal's file from which on records are read.
  base::Result<> take_checkpoint() {
    std::optional<base::Error> damage;
    for (auto at = checkpoints_.rbegin(); at != checkpoints_.rend(); ++at) {
      TRY(file, disk_.open(path(*at, checkpoint_suffix), base::Disk::Mode::read));
      auto read = read_checkpoint(*file);
      if (read && read->number == *at) {
        first_replayed_ = *at;
        found_.checkpoint = *at;
        expected_ = read->first_point;
        for_each_state(*read, [&](base::QueueId queue, base::ByteView state) {
          known_.insert(queue);
          visitor_.on_checkpoint(queue, state);
        });
        return {};
      }
      damage = read ? base::Error{Errc::corrupt, "the header has another number"} : read.error();
      damage->text = fmt::format("{}: {}", path(*at, checkpoint_suffix), damage->text);
      if (damage->code != Errc::corrupt) return std::unexpected(*damage);
      warn("checkpoint is damaged", {{"error", damage->text}});
      newest_damaged_ = std::max(newest_damaged_, *at);
    }
    // Without one, all files must be there.
    if (journals_.empty() ? !damage : *journals_.begin() == 1) return {};
    if (damage) return std::unexpected(*damage);
    return base::fail(Errc::corrupt, fmt::format("{}: files before {} and the checkpoint are missing",
                                                 directory_, *journals_.begin()));
  }

  base::Result<> load_old(std::uint64_t number) {
    TRY(file, reader_.file(number, journal_suffix));
    TRY(size, file->size());
    const auto header = read_journal_header(*file, number);
    if (!header && header.error().code != Errc::corrupt) return failed(header.error(), number, 0);
    JournalFile& made = map_.add_file(header.value_or(JournalFileHeader{.number = number}), size);
    made.unreadable = !header;
    if (indexes_.contains(number)) {
      auto loaded = load_index(made);
      if (loaded) return {};
      if (loaded.error().code != Errc::corrupt) return loaded;
      warn("index is damaged, made anew",
           {{"file", path(number, journal_index_suffix)}, {"error", loaded.error().text}});
    }
    if (!header) return failed(header.error(), number, 0);
    made.was_scanned = true;
    JournalScanner scanner(file, *header, journal_header_bytes, size);
    auto more = scanner.next();
    for (; more && *more; more = scanner.next()) TRY_VOID(take_batch(made, scanner, false));
    if (!more) return failed(more.error(), number, scanner.next_position());
    map_.seal(made);
    return {};
  }

  base::Result<> load_index(JournalFile& file) {
    TRY(index, reader_.file(file.number, journal_index_suffix));
    TRY(contents, read_journal_index(*index));
    if (contents.number != file.number || contents.journal_bytes != file.bytes)
      return base::fail(Errc::corrupt, "the index is of another file");
    return map_.add_runs(
        file, contents.runs, [&](base::QueueId queue) { return known_.contains(queue); },
        [&](std::uint64_t slot) { return reader_.slot(file.number, slot); });
  }

  base::Result<> replay() {
    for (auto number = first_replayed_;; ++number) {
      const auto behind = journals_.lower_bound(number);
      if (behind == journals_.end()) return {};
      if (*behind != number) return cut(number, 0);  // one is missing, later ones are there
      TRY(file, reader_.file(number, journal_suffix));
      TRY(size, file->size());
      const auto header = read_journal_header(*file, number);
      if (!header && header.error().code != Errc::corrupt) return failed(header.error(), number, 0);
      if (header && header->first_point < expected_)
        return failed({Errc::corrupt, "the file begins before the one before it ends"}, number, 0);
      if (!header || header->first_point > expected_) return cut(number, 0);
      TRY(end, end_of(*header, size));
      JournalFile& made = map_.add_file(*header, end);
      made.was_scanned = true;
      TRY(whole, replay_file(made, *header, file));
      map_.seal(made);
      if (made.bytes == journal_header_bytes)
        found_.empty_file = *header;
      else
        found_.empty_file.reset();
      if (!whole) return {};
    }
  }

  // Where the next file goes on, when an earlier recovery has cut this one.
  base::Result<std::uint64_t> end_of(const JournalFileHeader& header, std::uint64_t size) {
    if (!journals_.contains(header.number + 1)) return size;
    TRY(file, reader_.file(header.number + 1, journal_suffix));
    const auto next = read_journal_header(*file, header.number + 1);
    if (!next || next->first_point < header.first_point) return size;
    return std::min(size, next->first_point - header.first_point + journal_header_bytes);
  }

  // False: the journal was cut here.
  base::Result<bool> replay_file(JournalFile& made, const JournalFileHeader& header,
                                 std::shared_ptr<const base::File> file) {
    JournalScanner scanner(std::move(file), header, journal_header_bytes, made.bytes);
    auto more = scanner.next();
    for (; more && *more; more = scanner.next()) {
      TRY_VOID(take_batch(made, scanner, true));
      expected_ = scanner.point_of(scanner.next_position());
      found_.has_replayed = true;
    }
    if (more) return true;
    if (more.error().code != Errc::corrupt)
      return failed(more.error(), header.number, scanner.next_position());
    made.bytes = scanner.next_position();
    TRY_VOID(cut(header.number, scanner.next_position()));
    return false;
  }

  base::Result<> take_batch(JournalFile& file, const JournalScanner& scanner, bool is_new) {
    RecordCursor cursor(scanner.payload());
    while (cursor.next()) {
      const auto position = scanner.payload_position() + cursor.position();
      if (!take_record(file, cursor.record(), position, is_new))
        return failed({Errc::corrupt, "a record that makes no sense"}, file.number, position);
    }
    return {};
  }

  bool take_record(JournalFile& file, base::ByteView record, std::uint64_t position, bool is_new) {
    if (const auto event = decode_event(record)) {
      if (is_new) visitor_.on_event(event->queue, event->event);
      return true;
    }
    const auto message = decode_message(record);
    places_.clear();
    if (!message || !decode_places(message->places, places_)) return false;
    if (!is_new) std::erase_if(places_, [&](const auto& place) { return !known_.contains(place.queue); });
    if (is_new && !message->is_copy) {
      visitor_.on_message(message->meta, message->content, places_);
      metrics_.recovered_messages.add();
    }
    const Slot slot{static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(record.size())};
    const auto share = static_cast<std::uint32_t>(record.size() / std::max<std::size_t>(places_.size(), 1));
    for (const MessagePlace& place : places_) {
      if (!map_.can_place(place, message->is_copy)) return false;
      map_.place_one(file, place, slot, share, message->is_copy);
    }
    return true;
  }

  // Everything from this place on goes, unless something behind it shows that it had been synced. Position 0:
  // the whole file.
  base::Result<> cut(std::uint64_t number, std::uint64_t position) {
    TRY(remains, remains_behind(reader_, journals_, number, position));
    if (remains.synced_point > expected_ || newest_damaged_ > number)
      return failed({Errc::corrupt, "damaged, and what follows was written after this had been synced"},
                    number, position);
    for (auto at = journals_.lower_bound(number); at != journals_.end(); at = journals_.erase(at)) {
      if (*at == number && position > 0) continue;
      reader_.forget(*at);
      TRY_VOID(disk_.remove(path(*at, journal_suffix)));
      TRY_VOID(disk_.remove(path(*at, journal_index_suffix)));
    }
    if (position > 0) {
      journals_.insert(number);
      TRY(file, disk_.open(path(number, journal_suffix), base::Disk::Mode::write));
      TRY_VOID(file->truncate(position));
    }
    TRY_VOID(disk_.sync_directory(directory_));
    say_cut(number, position, remains.torn_bytes);
    return {};
  }

  void say_cut(std::uint64_t number, std::uint64_t position, std::uint64_t torn_bytes) {
    const base::LogField file{"file", path(number, journal_suffix)}, byte{"byte", std::to_string(position)};
    if (torn_bytes == 0) {
      return shard_.logger.write(base::LogLevel::info, "storage", "the remainder of an old file is cut off",
                                 {file, byte});
    }
    metrics_.cut_bytes.add(torn_bytes);
    warn("torn end cut off", {file, byte, {"bytes", std::to_string(torn_bytes)}});
  }

  base::Result<> sync_replayed() {
    bool any = false;
    for (auto at = journals_.lower_bound(first_replayed_); at != journals_.end(); ++at) {
      TRY(file, disk_.open(path(*at, journal_suffix), base::Disk::Mode::write));
      TRY_VOID(file->sync());
      any = true;
    }
    return any ? disk_.sync_directory(directory_) : base::Result<>{};
  }

  std::string path(std::uint64_t number, std::string_view suffix) const {
    return journal_path(directory_, number, suffix);
  }
  std::unexpected<base::Error> failed(base::Error error, std::uint64_t number, std::uint64_t position) const {
    return base::fail(error.code, fmt::format("{}, byte {} (journal point {}): {}",
                                              path(number, journal_suffix), position, expected_, error.text));
  }
  void warn(std::string_view what, std::initializer_list<base::LogField> fields) {
    shard_.logger.write(base::LogLevel::warning, "storage", what, fields);
  }

  base::Shard& shard_;
  base::Disk& disk_;
  const std::string& directory_;
  JournalMap& map_;
  JournalReader& reader_;
  JournalVisitor& visitor_;
  JournalMetrics& metrics_;
  Numbers journals_, indexes_, checkpoints_;
  std::uint64_t first_replayed_ = 1;
  std::uint64_t newest_damaged_ = 0;
  std::uint64_t expected_ = 0;  // the point where the next batch stands
  std::unordered_set<base::QueueId> known_;
  std::vector<MessagePlace> places_;
  RecoveredJournal found_;
};

}  // namespace

base::Result<Remains> remains_behind(JournalReader& reader, const std::set<std::uint64_t>& files,
                                     std::uint64_t number, std::uint64_t position) {
  Remains all;
  for (auto at = files.lower_bound(number); at != files.end(); ++at, position = 0) {
    TRY(file, reader.file(*at, journal_suffix));
    TRY(here, find_remains(*file, *at, position));
    all.synced_point = std::max(all.synced_point, here.synced_point);
    all.torn_bytes += here.torn_bytes;
  }
  return all;
}

base::Result<RecoveredJournal> recover_journal(base::Shard& shard, const std::string& directory,
                                               JournalMap& map, JournalReader& reader,
                                               JournalVisitor& visitor, JournalMetrics& metrics) {
  return Recovery(shard, directory, map, reader, visitor, metrics).run();
}

}  // namespace sluice::storage
