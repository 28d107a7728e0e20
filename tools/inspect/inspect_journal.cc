// SPDX-License-Identifier: Apache-2.0
// The same walks as recovery's, each thing printed as it is met; where a batch is bad, on from the next good
// one.
#include "inspect/inspect_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/journal_checkpoint.h"
#include "storage/journal_index.h"
#include "storage/journal_scan.h"

namespace sluice::inspect {
namespace {

using base::ByteView;
using base::load_be;
using storage::journal_header_bytes;

constexpr std::size_t shown_bytes = 40;

std::string beginning(ByteView bytes) {
  return printable(base::as_text(bytes.first(std::min(bytes.size(), shown_bytes))));
}

using HeaderBytes = std::array<std::uint8_t, journal_header_bytes>;

base::Result<HeaderBytes> header_bytes(const base::File& file) {
  HeaderBytes bytes{};
  TRY_VOID(file.read_at(0, bytes));
  return bytes;
}

// Names of the numbers that differ from kind to kind; "reserved" where there are none.
struct HeaderNames {
  std::string_view count = "reserved", first = "reserved", second = "reserved", third = "reserved";
};

void print_header(Printer& printer, const HeaderBytes& bytes, const HeaderNames& names) {
  printer.item({"file_header",
                0,
                {{"magic", std::string(base::as_text(ByteView(bytes).first(8))), 8},
                 {"version", number(load_be<std::uint32_t>(bytes.data() + 8)), 4},
                 {names.count, number(load_be<std::uint32_t>(bytes.data() + 12)), 4},
                 {"number", number(load_be<std::uint64_t>(bytes.data() + 16)), 8},
                 {names.first, number(load_be<std::uint64_t>(bytes.data() + 24)), 8},
                 {names.second, number(load_be<std::uint64_t>(bytes.data() + 32)), 8},
                 {names.third, hex32(load_be<std::uint32_t>(bytes.data() + 40)), 4},
                 {"check", hex32(load_be<std::uint32_t>(bytes.data() + 44)), 4}},
                bytes});
}

std::string describe_places(ByteView bytes) {
  std::vector<storage::MessagePlace> places;
  if (!storage::decode_places(bytes, places)) return "damaged";
  std::string text;
  for (const auto& place : places)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", place.queue.value, place.offset.value);
  return text;
}

void print_record(Printer& printer, ByteView record, std::uint64_t position) {
  const std::uint8_t* at = record.data();
  std::vector<Field> fields{{"check", hex32(load_be<std::uint32_t>(at)), 4},
                            {"size", number(record.size()), 4},
                            {"kind", number(at[8]), 1}};
  if (const auto message = storage::decode_message(record)) {
    std::string flags;
    for (auto [bit, name] : {std::pair{storage::MessageRecord::persistent, "persistent"},
                             {storage::MessageRecord::has_priority, "has_priority"},
                             {storage::MessageRecord::copied, "copied"}})
      if ((at[9] & bit) != 0) flags += fmt::format("{}{}", flags.empty() ? "" : ",", name);
    fields.insert(fields.end(), {{"flags", flags.empty() ? "0" : flags, 1},
                                 {"priority", number(at[10]), 1},
                                 {"reserved", number(at[11]), 1},
                                 {"places_bytes", number(message->places.size()), 4},
                                 {"received_at_ms", message->meta.received_at_ms, 8},
                                 {"expires_at_ms", message->meta.expires_at_ms, 8},
                                 {"places", describe_places(message->places), message->places.size()},
                                 {"content", beginning(message->content), message->content.size()}});
    return printer.item({"message", position, std::move(fields), record});
  }
  if (const auto event = storage::decode_event(record)) {
    fields.insert(fields.end(), {{"reserved", number(0), 3},
                                 {"queue", number(event->queue.value), 8},
                                 {"event", beginning(event->event), event->event.size()}});
    return printer.item({"event", position, std::move(fields), record});
  }
  printer.item({"record", position, std::move(fields), record});
}

void print_batch(Printer& printer, const storage::JournalScanner& scanner, const Detail& detail) {
  const auto& batch = scanner.batch();
  std::array<std::uint8_t, storage::batch_header_bytes> raw;
  encode_batch_header(batch, raw.data());
  printer.item({"batch",
                scanner.payload_position() - storage::batch_header_bytes,
                {{"magic", std::string(base::as_text(ByteView(raw).first(4))), 4},
                 {"payload_bytes", number(batch.payload_bytes), 4},
                 {"salt", fmt::format("0x{:016x}", batch.salt), 8},
                 {"point", number(batch.point), 8},
                 {"synced_point", number(batch.synced_point), 8},
                 {"records", number(batch.records), 4},
                 {"check", hex32(load_be<std::uint32_t>(raw.data() + 36)), 4}},
                raw});
  if (!detail.entries) return;
  storage::RecordCursor cursor(scanner.payload());
  while (cursor.next())
    print_record(printer, cursor.record(), scanner.payload_position() + cursor.position());
}

}  // namespace

bool is_journal_index(const base::File& file) {
  const auto bytes = header_bytes(file);
  return bytes && base::as_text(ByteView(*bytes).first(8)) == storage::journal_index_magic;
}

base::Result<std::uint64_t> inspect_journal(std::shared_ptr<base::File> file, const Detail& detail,
                                            Printer& printer) {
  TRY(bytes, header_bytes(*file));
  TRY(size, file->size());
  const auto header =
      storage::decode_journal_file_header(ByteView(bytes).first(std::min(size, bytes.size())));
  if (!header) {
    printer.problem(0, header.error().text);
    return 1;
  }
  print_header(printer, bytes, {.first = "first_point", .second = "salt"});
  std::uint64_t problems = 0;
  for (std::uint64_t position = journal_header_bytes; position < size;) {
    storage::JournalScanner scanner(file, *header, position, size);
    auto more = scanner.next();
    for (; more && *more; more = scanner.next()) print_batch(printer, scanner, detail);
    if (more) break;
    if (more.error().code != base::Errc::corrupt) return std::unexpected(more.error());
    TRY(behind, storage::find_batch(*file, header->salt, scanner.next_position() + 1, size));
    TRY(remains, storage::find_remains(*file, header->number, scanner.next_position()));
    ++problems;
    printer.problem(
        scanner.next_position(),
        fmt::format("{} (journal point {}); {}", more.error().text, scanner.point_of(scanner.next_position()),
                    behind ? fmt::format("a batch follows at byte {}", behind->position)
                           : fmt::format("no batch follows, {} of {} bytes are a torn end",
                                         remains.torn_bytes, size - scanner.next_position())));
    if (!behind) break;
    position = behind->position;
  }
  return problems;
}

base::Result<std::uint64_t> inspect_journal_index(const base::File& file, const Detail& detail,
                                                  Printer& printer) {
  const auto contents = storage::read_journal_index(file);
  if (!contents) {
    printer.problem(0, contents.error().text);
    return 1;
  }
  TRY(bytes, header_bytes(file));
  print_header(printer, bytes,
               {.count = "runs", .first = "slots", .second = "journal_bytes", .third = "runs_check"});
  std::uint64_t problems = 0;
  base::ByteBuffer block;
  for (const auto& run : contents->runs) {
    printer.item({"run",
                  storage::index_block_position(run.first_slot),
                  {{"queue", number(run.queue.value)},
                   {"first", number(run.first.value)},
                   {"count", number(run.count)},
                   {"present", number(run.present)},
                   {"first_slot", number(run.first_slot)},
                   {"bytes", number(run.bytes)}},
                  {}});
    for (std::uint64_t i = 0; i < run.count; ++i) {
      const std::uint64_t slot = run.first_slot + i;
      if (block.empty() || slot % storage::index_slots_per_block == 0) {
        block.resize(storage::index_block_bytes);
        TRY(got, file.read_at(storage::index_block_position(slot), block));
        if (auto checked = storage::check_index_block(ByteView(block).first(got)); !checked) {
          ++problems;
          printer.problem(storage::index_block_position(slot), checked.error().text);
        }
      }
      const auto [position, size] = storage::slot_in_block(block, slot);
      if (detail.entries)
        printer.item({"slot",
                      storage::index_block_position(slot) + slot % storage::index_slots_per_block * 8,
                      {{"position", number(position), 4},
                       {"size", number(size), 4},
                       {"offset", number(run.first.value + i)}},
                      ByteView(block).subspan(slot % storage::index_slots_per_block * 8, 8)});
    }
  }
  return problems;
}

base::Result<std::uint64_t> inspect_checkpoint(const base::File& file, const Detail& detail,
                                               Printer& printer) {
  const auto checkpoint = storage::read_checkpoint(file);
  if (!checkpoint) {
    printer.problem(0, checkpoint.error().text);
    return 1;
  }
  TRY(bytes, header_bytes(file));
  print_header(
      printer, bytes,
      {.count = "states", .first = "first_point", .second = "states_bytes", .third = "states_check"});
  std::uint64_t position = journal_header_bytes;
  const ByteView states = checkpoint->bytes;
  storage::for_each_state(*checkpoint, [&](base::QueueId queue, ByteView state) {
    constexpr std::size_t state_header_bytes = 12;
    if (detail.entries)
      printer.item({"state",
                    position,
                    {{"queue", number(queue.value), 8},
                     {"size", number(state.size()), 4},
                     {"state", beginning(state), state.size()}},
                    states.subspan(position - journal_header_bytes, state_header_bytes + state.size())});
    position += state_header_bytes + state.size();
  });
  return 0;
}

}  // namespace sluice::inspect
