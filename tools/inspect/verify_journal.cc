// SPDX-License-Identifier: Apache-2.0
// See verify_journal.h. A torn end is one as long as nothing behind it was written after it had been synced;
// recovery (storage/journal_recovery.h) judges by the same rule.
#include "inspect/verify_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "storage/journal_checkpoint.h"
#include "storage/journal_index.h"
#include "storage/journal_reader.h"
#include "storage/journal_recovery.h"

namespace sluice::inspect {
namespace {

using storage::journal_header_bytes;

class Verifier {
 public:
  Verifier(base::Disk& disk, const std::string& directory) : disk_(disk), reader_(disk, directory, metrics_) {
    verdict_.directory = directory;
  }

  base::Result<JournalVerdict> run() {
    TRY_VOID(find_files());
    TRY_VOID(check_checkpoints());
    for (const auto number : journals_) {
      TRY_VOID(check_file(number));
      if (indexes_.contains(number)) check_index(number);
    }
    return std::move(verdict_);
  }

 private:
  std::string path(std::uint64_t number, std::string_view suffix) const {
    return storage::journal_path(verdict_.directory, number, suffix);
  }

  base::Result<> find_files() {
    TRY(names, disk_.list(verdict_.directory));
    for (const auto& name : names) {
      const auto parsed = storage::parse_journal_file_name(name);
      if (!parsed) continue;
      (parsed->suffix == storage::journal_suffix         ? journals_
       : parsed->suffix == storage::journal_index_suffix ? indexes_
                                                         : checkpoints_)
          .insert(parsed->number);
    }
    return {};
  }

  base::Result<> check_checkpoints() {
    for (const auto number : checkpoints_) {
      TRY(file, disk_.open(path(number, storage::checkpoint_suffix), base::Disk::Mode::read));
      const auto read = storage::read_checkpoint(*file);
      if (read)
        verdict_.checkpoint = number;
      else
        verdict_.problems.push_back(
            fmt::format("{}: {}", path(number, storage::checkpoint_suffix), read.error().text));
    }
    for (auto number = verdict_.checkpoint; !journals_.empty() && number < *journals_.rbegin(); ++number) {
      if (number > 0 && !journals_.contains(number))
        verdict_.problems.push_back(fmt::format("{} is missing", path(number, storage::journal_suffix)));
    }
    return {};
  }

  base::Result<> check_file(std::uint64_t number) {
    TRY(file, reader_.file(number, storage::journal_suffix));
    TRY(size, file->size());
    std::array<std::uint8_t, journal_header_bytes> bytes;
    TRY(got, file->read_at(0, bytes));
    const auto header = storage::decode_journal_file_header(base::ByteView(bytes).first(got));
    ++verdict_.files;
    if (!header) {
      const bool is_torn = number == *journals_.rbegin() && number >= verdict_.checkpoint;
      (is_torn ? verdict_.notes : verdict_.problems)
          .push_back(
              fmt::format("{} byte 0: {}", path(number, storage::journal_suffix), header.error().text));
      return {};
    }
    storage::JournalScanner scanner(file, *header, journal_header_bytes, size);
    auto more = scanner.next();
    for (; more && *more; more = scanner.next()) count(scanner);
    verdict_.bytes += scanner.next_position();
    if (more) return {};
    if (more.error().code != base::Errc::corrupt) return std::unexpected(more.error());
    const auto point = scanner.point_of(scanner.next_position());
    const auto where = fmt::format("{}: {} (journal point {})", path(number, storage::journal_suffix),
                                   more.error().text, point);
    TRY(remains, storage::remains_behind(reader_, journals_, number, scanner.next_position()));
    if (number >= verdict_.checkpoint && remains.synced_point <= point)
      verdict_.notes.push_back(fmt::format("{}; what follows, {} bytes of it torn, is cut at the next start",
                                           where, remains.torn_bytes));
    else
      verdict_.problems.push_back(where);
    return {};
  }

  void count(const storage::JournalScanner& scanner) {
    ++verdict_.batches;
    storage::RecordCursor cursor(scanner.payload());
    while (cursor.next())
      ++(storage::record_kind(cursor.record()) == storage::RecordKind::message ? verdict_.messages
                                                                               : verdict_.events);
  }

  // Every slot leads to a record that is in that place.
  void check_index(std::uint64_t number) {
    const auto index_path = path(number, storage::journal_index_suffix);
    const auto bad = [&](const std::string& text) {
      verdict_.problems.push_back(fmt::format("{}: {}", index_path, text));
    };
    const auto file = reader_.file(number, storage::journal_index_suffix);
    const auto contents = file ? storage::read_journal_index(**file)
                               : base::Result<storage::IndexContents>(std::unexpect, file.error());
    if (!contents) {
      verdict_.notes.push_back(
          fmt::format("{}: {}; it is made anew at the next start", index_path, contents.error().text));
      return;
    }
    std::vector<storage::MessagePlace> places;
    for (const auto& run : contents->runs) {
      for (std::uint32_t i = 0; i < run.count; ++i) {
        const auto slot = reader_.slot(number, run.first_slot + i);
        if (!slot) return bad(slot.error().text);
        if (slot->size == 0) continue;
        const storage::MessagePlace wanted{run.queue, run.first + i};
        const auto record = reader_.record(number, *slot);
        const auto message = record ? storage::decode_message(*record) : std::nullopt;
        places.clear();
        if (!message || !storage::decode_places(message->places, places) ||
            std::ranges::find(places, wanted) == places.end())
          return bad(fmt::format("message {} of queue {} is not at byte {}", wanted.offset.value,
                                 wanted.queue.value, slot->position));
      }
    }
  }

  base::Disk& disk_;
  storage::JournalMetrics metrics_;
  JournalVerdict verdict_;
  storage::JournalReader reader_;
  std::set<std::uint64_t> journals_, indexes_, checkpoints_;
};

}  // namespace

base::Result<JournalVerdict> verify_journal(base::Disk& disk, const std::string& directory) {
  return Verifier(disk, directory).run();
}

}  // namespace sluice::inspect
