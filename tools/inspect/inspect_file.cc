// SPDX-License-Identifier: Apache-2.0
// One class per kind of file; each counts the problems it reports.
#include "inspect/inspect_file.h"

#include <fmt/format.h>

#include <array>

#include "filters/chunk_filter.h"
#include "filters/segment_filter.h"
#include "inspect/inspect_journal.h"
#include "storage/entries.h"
#include "storage/index_file.h"
#include "storage/journal_format.h"
#include "storage/segment_scan.h"

namespace sluice::inspect {
namespace {

using base::ByteView;
using storage::file_header_bytes;

class FileInspector {
 public:
  FileInspector(std::shared_ptr<base::File> file, std::uint64_t size, const Detail& detail, Printer& printer)
      : file_(std::move(file)), size_(size), detail_(detail), printer_(printer) {}

  base::Result<std::uint64_t> log() {
    TRY(header, file_header(storage::FileKind::log));
    std::uint64_t position = file_header_bytes;
    base::Offset next_offset = header ? header->first_offset : base::Offset{};
    if (!header && size_ > file_header_bytes) {
      TRY(first, chunk_id_at(position));
      next_offset = first;
    }
    while (position < size_) {
      storage::SegmentScanner scanner(file_, position, size_, next_offset,
                                      storage::SegmentScanner::Data::verify);
      storage::ScannedChunk chunk;
      auto more = scanner.next(chunk);
      for (; more && *more; more = scanner.next(chunk)) TRY_VOID(print_chunk(chunk));
      if (more) break;
      if (more.error().code != base::Errc::corrupt) return std::unexpected(more.error());
      TRY(behind, storage::find_chunk(file_, scanner.position() + 1, size_, {}));
      const std::uint64_t lost = behind.value_or(size_) - scanner.position();
      problem(scanner.position(),
              fmt::format("{} (offset {}); {}", more.error().text, scanner.next_offset().value,
                          behind ? fmt::format("a good chunk follows at byte {}", *behind)
                                 : fmt::format("no good chunk follows, {} bytes are a torn end", lost)));
      if (!behind) break;
      position = *behind;
      TRY(id, chunk_id_at(position));
      next_offset = id;
    }
    return problems_;
  }

  base::Result<std::uint64_t> index(base::Disk& disk, const std::string& path) {
    TRY(header, file_header(storage::FileKind::index));
    if (!header) return problems_;
    TRY(reader, storage::IndexReader::open(disk, path));
    for (std::uint32_t i = 0; i < reader.count(); ++i) {
      const std::uint64_t position = storage::index_position(i);
      const auto record = reader.record(i);
      if (record)
        print_record(i, position, *record);
      else if (record.error().code == base::Errc::corrupt)
        problem(position, record.error().text);
      else
        return std::unexpected(record.error());
    }
    std::uint32_t marks = 0;
    if (const auto& mark = reader.sealed_mark()) {
      print_mark(storage::index_position(reader.count()), *mark);
      ++marks;
    }
    if (const auto end = storage::index_position(reader.count() + marks); end < size_)
      problem(end, fmt::format("{} bytes of an unfinished record", size_ - end));
    return problems_;
  }

  base::Result<std::uint64_t> filter() {
    auto reader = filters::SegmentFilterReader::open([this](std::uint64_t position, base::MutableBytes into) {
      const auto got = file_->read_at(position, into);
      return got && *got == into.size();
    });
    if (!reader) {
      problem(0, reader.error().text);
      return problems_;
    }
    const auto& header = reader->header();
    printer_.item({"filter_header",
                   0,
                   {{"chunk_count", number(header.chunk_count)},
                    {"distinct_count", number(header.distinct_count)},
                    {"bloom_blocks", number(header.bloom_blocks)},
                    {"bloom_probes", number(header.bloom_probes)},
                    {"dictionary_blocks", number(header.dictionary_blocks)},
                    {"unfiltered_position", number(header.unfiltered_position)},
                    {"unknown_position", number(header.unknown_position)},
                    {"bloom_position", number(header.bloom_position)},
                    {"table_position", number(header.table_position)},
                    {"dictionary_position", number(header.dictionary_position)},
                    {"file_bytes", number(header.file_bytes)}},
                   {}});
    if (header.file_bytes != size_)
      problem(size_, fmt::format("the header says {} bytes, the file has {}", header.file_bytes, size_));
    const auto read = reader->for_each_value([&](std::string_view value, const filters::Bitmap& chunks) {
      if (detail_.entries)
        printer_.item({"filter_value",
                       header.dictionary_position,
                       {{"value", printable(value)},
                        {"chunks", number(chunks.count())},
                        {"first_chunk", number(chunks.first_from(0).value_or(0))}},
                       {}});
    });
    if (!read) problem(header.dictionary_position, read.error().text);
    return problems_;
  }

 private:
  void problem(std::uint64_t position, const std::string& text) {
    ++problems_;
    printer_.problem(position, text);
  }

  // Nothing when the header is no good, which is reported.
  base::Result<std::optional<storage::FileHeader>> file_header(storage::FileKind kind) {
    std::array<std::uint8_t, file_header_bytes> bytes;
    TRY(got, file_->read_at(0, bytes));
    const auto header = storage::decode_file_header(kind, ByteView(bytes).first(got));
    if (!header) {
      problem(0, header.error().text);
      return std::nullopt;
    }
    printer_.item({"file_header",
                   0,
                   {{"magic", std::string(base::as_text(ByteView(bytes).first(8))), 8},
                    {"version", number(header->version), 4},
                    {"reserved", number(0), 4},
                    {"first_offset", number(header->first_offset.value), 8},
                    {"reserved", number(0), 4},
                    {"check", hex32(base::load_be<std::uint32_t>(bytes.data() + 28)), 4}},
                   bytes});
    return *header;
  }

  base::Result<base::Offset> chunk_id_at(std::uint64_t position) {
    std::array<std::uint8_t, storage::chunk_header_bytes> bytes{};
    TRY_VOID(file_->read_at(position, bytes));
    return base::Offset{base::load_be<std::uint64_t>(bytes.data() + 24)};
  }

  base::Result<base::ByteBuffer> read(std::uint64_t position, std::size_t size) {
    base::ByteBuffer bytes(size);
    TRY(got, file_->read_at(position, bytes));
    bytes.resize(got);
    return bytes;
  }

  base::Result<> print_chunk(const storage::ScannedChunk& chunk) {
    const auto& header = chunk.header;
    std::array<std::uint8_t, storage::chunk_header_bytes> raw;
    encode_chunk_header(header, raw.data());
    printer_.item({"chunk",
                   chunk.position,
                   {{"magic_version", fmt::format("0x{:02x}", raw[0]), 1},
                    {"type", number(header.type), 1},
                    {"entries", number(header.entries), 2},
                    {"records", number(header.records), 4},
                    {"timestamp_ms", header.timestamp_ms, 8},
                    {"epoch", number(header.epoch.value), 8},
                    {"chunk_id", number(header.chunk_id.value), 8},
                    {"data_crc", hex32(header.data_crc), 4},
                    {"data_bytes", number(header.data_bytes), 4},
                    {"trailer_bytes", number(header.trailer_bytes), 4},
                    {"bloom_size_reserved", number(0), 4}},
                   raw});
    if (detail_.entries) TRY_VOID(print_entries(chunk));
    return print_trailer(chunk);
  }

  base::Result<> print_entries(const storage::ScannedChunk& chunk) {
    const std::uint64_t data_at = chunk.position + storage::chunk_header_bytes;
    TRY(data, read(data_at, chunk.header.data_bytes));
    storage::EntryCursor cursor(data);
    storage::EntryView entry;
    while (cursor.next(entry)) {
      const auto raw = ByteView(data).subspan(entry.position, entry.bytes);
      Item item{"entry", data_at + entry.position, {}, raw};
      if (entry.is_sub_batch)
        item.fields = {{"sub_batch_compression", number(entry.compression), 1},
                       {"records", number(entry.records), 2},
                       {"uncompressed_bytes", number(entry.uncompressed_bytes), 4},
                       {"body_bytes", number(entry.body.size()), 4}};
      else
        item.fields = {{"body_bytes", number(entry.body.size()), 4}};
      constexpr std::size_t shown_bytes = 40;
      item.fields.push_back(
          {"body", printable(base::as_text(entry.body.first(std::min(entry.body.size(), shown_bytes)))),
           entry.body.size()});
      printer_.item(item);
    }
    if (!cursor.ok()) problem(data_at + cursor.position(), "entry runs over the end of the data");
    return {};
  }

  base::Result<> print_trailer(const storage::ScannedChunk& chunk) {
    const std::uint64_t at = chunk.position + chunk.header.wire_bytes();
    TRY(raw, read(at, chunk.header.trailer_bytes));
    const auto& trailer = chunk.trailer;
    std::size_t sequence_bytes = 0;
    std::string sequences;
    trailer.for_each_sequence([&](std::string_view reference, std::uint64_t id) {
      sequences += fmt::format("{}{}:{}", sequences.empty() ? "" : ",", printable(reference), id);
      sequence_bytes += 1 + reference.size() + 8;
    });
    Item item{"trailer",
              at,
              {{"header_check", hex32(base::load_be<std::uint32_t>(raw.data())), 4},
               {"version", number(raw[4]), 1},
               {"flags", std::string(trailer.is_snapshot() ? "snapshot" : "0"), 1},
               {"sequence_count", number(trailer.sequence_count()), 2},
               {"filter_record_bytes", number(trailer.filter_record().size()), 4},
               {"trailer_check", hex32(base::load_be<std::uint32_t>(raw.data() + 12)), 4}},
              raw};
    if (sequence_bytes > 0) item.fields.push_back({"sequences", sequences, sequence_bytes});
    if (!trailer.filter_record().empty())
      item.fields.push_back(
          {"filter_record", describe_filter(at, trailer.filter_record()), trailer.filter_record().size()});
    printer_.item(item);
    return {};
  }

  std::string describe_filter(std::uint64_t position, ByteView record) {
    const auto view = filters::ChunkFilterView::parse(record);
    if (!view) {
      problem(position, view.error().text);
      return "damaged";
    }
    std::string text = fmt::format("entries:{} distinct:{}{}", view->entry_count(), view->distinct_count(),
                                   view->has_unfiltered() ? " unfiltered" : "");
    if (!detail_.entries) return text;
    for (auto values = view->values(); values.next();) text += ' ' + printable(values.value());
    return text;
  }

  void print_mark(std::uint64_t position, const storage::IndexRecord& mark) {
    std::array<std::uint8_t, storage::index_record_bytes> raw;
    encode_index_record(mark, raw.data());
    printer_.item({"sealed_mark",
                   position,
                   {{"next_offset", number(mark.chunk_id.value), 8},
                    {"timestamp_ms", mark.timestamp_ms, 8},
                    {"reserved", number(0), 8},
                    {"log_bytes", number(mark.position), 4},
                    {"reserved", number(0), 8},
                    {"chunks", number(mark.records), 4},
                    {"reserved", number(0), 2},
                    {"type", fmt::format("0x{:02x}", mark.type), 1},
                    {"flags", number(mark.flags), 1},
                    {"check", hex32(base::load_be<std::uint32_t>(raw.data() + 44)), 4}},
                   raw});
  }

  void print_record(std::uint32_t ordinal, std::uint64_t position, const storage::IndexRecord& record) {
    using storage::IndexRecord;
    std::string flags;
    const auto flag = [&](std::uint8_t bit, std::string_view name) {
      if ((record.flags & bit) != 0) flags += fmt::format("{}{}", flags.empty() ? "" : ",", name);
    };
    flag(IndexRecord::has_filter_values, "has_filter_values");
    flag(IndexRecord::segment_has_filter_values, "segment_has_filter_values");
    flag(IndexRecord::has_sequences, "has_sequences");
    flag(IndexRecord::has_snapshot, "has_snapshot");
    std::array<std::uint8_t, storage::index_record_bytes> raw;
    encode_index_record(record, raw.data());
    printer_.item({"index_record",
                   position,
                   {{"chunk_id", number(record.chunk_id.value), 8},
                    {"timestamp_ms", record.timestamp_ms, 8},
                    {"epoch", number(record.epoch.value), 8},
                    {"position", number(record.position), 4},
                    {"wire_bytes", number(record.wire_bytes), 4},
                    {"trailer_bytes", number(record.trailer_bytes), 4},
                    {"records", number(record.records), 4},
                    {"entries", number(record.entries), 2},
                    {"type", number(record.type), 1},
                    {"flags", flags.empty() ? "0" : flags, 1},
                    {"check", hex32(base::load_be<std::uint32_t>(raw.data() + 44)), 4},
                    {"ordinal", number(ordinal)}},
                   raw});
  }

  std::shared_ptr<base::File> file_;
  std::uint64_t size_;
  const Detail& detail_;
  Printer& printer_;
  std::uint64_t problems_ = 0;
};

}  // namespace

base::Result<std::uint64_t> inspect_file(base::Disk& disk, const std::string& path, const Detail& detail,
                                         Printer& printer) {
  std::string_view kind;
  for (auto [suffix, name] : {std::pair{storage::log_suffix, std::string_view("segment")},
                              {storage::index_suffix, "index"},
                              {storage::filter_suffix, "filter"},
                              {storage::journal_suffix, "journal"},
                              {storage::checkpoint_suffix, "checkpoint"}})
    if (path.ends_with(suffix)) kind = name;
  if (kind.empty())
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("{} is no .log, .index, .filter, .journal or .checkpoint file", path));
  TRY(file, disk.open(path, base::Disk::Mode::read));
  TRY(size, file->size());
  if (kind == "index" && is_journal_index(*file)) kind = "journal index";
  printer.begin_file(path, kind, size);
  FileInspector inspector(file, size, detail, printer);
  auto problems = kind == "segment"         ? inspector.log()
                  : kind == "index"         ? inspector.index(disk, path)
                  : kind == "journal"       ? inspect_journal(file, detail, printer)
                  : kind == "journal index" ? inspect_journal_index(*file, detail, printer)
                  : kind == "checkpoint"    ? inspect_checkpoint(*file, detail, printer)
                                            : inspector.filter();
  printer.end_file();
  return problems;
}

}  // namespace sluice::inspect
