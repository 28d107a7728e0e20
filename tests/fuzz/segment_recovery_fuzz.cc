// SPDX-License-Identifier: Apache-2.0
// open() on a damaged directory. The input is a list of edits to a good log of three segments (or, when it
// begins with 0, the newest segment's bytes). Whatever open() accepts: every chunk that passes its checks
// holds the messages that were written at those offsets, appending works, and opening again changes nothing.
#include <cstdint>

#include "base/check.h"
#include "storage/entries.h"
#include "storage/segment_log.h"
#include "storage/segment_scan.h"
#include "support/disk_edits.h"
#include "support/test_shard.h"

using namespace sluice;

namespace {

const std::string directory = "/log";
constexpr std::uint64_t newest_first_offset = 16;

storage::LogOptions options() {
  storage::LogOptions made;
  made.segment_chunks_max = 4;
  return made;
}

std::string text_at(std::uint64_t offset) {
  return fmt::format("message {}", offset);
}

void append(storage::SegmentLog& log, std::uint32_t messages) {
  storage::ChunkBuilder builder(1 << 20, 16);
  const auto first = log.view().next_offset;
  for (std::uint32_t i = 0; i < messages; ++i)
    builder.add_message(base::as_bytes(text_at(first.value + i)), first.value % 3 ? "KR" : "");
  builder.set_sequence("publisher", first.value);
  log.append(builder.finish(first, base::Epoch{1}, 1'000'000 + static_cast<std::int64_t>(first.value)))
      .value();
}

const test::MemoryDisk& good_disk() {
  static const auto disk = [] {
    test::TestShard shard;
    storage::OpenReport report;
    auto log = storage::SegmentLog::open(shard.shard, directory, options(), report).value();
    for (int i = 0; i < 11; ++i) append(*log, 2);
    log->close().value();
    return shard.disk.copy();
  }();
  return *disk;
}

// True when every chunk of the segment passes its checks.
bool check_messages(base::Disk& disk, const storage::SegmentInfo& info) {
  auto file = disk.open(storage::segment_path(directory, info.first_offset, storage::log_suffix),
                        base::Disk::Mode::read);
  INVARIANT(file, "the log shows a segment that is not there");
  storage::SegmentScanner scanner(*file, storage::file_header_bytes, info.log_bytes, info.first_offset,
                                  storage::SegmentScanner::Data::verify);
  storage::ScannedChunk chunk;
  while (true) {
    const auto more = scanner.next(chunk);
    if (!more || !*more) return more.has_value();
    base::ByteBuffer data(chunk.header.data_bytes);
    INVARIANT((*file)->read_at(chunk.position + storage::chunk_header_bytes, data) == data.size(),
              "short chunk");
    storage::EntryCursor cursor(data);
    storage::EntryView entry;
    for (auto offset = chunk.header.chunk_id.value; cursor.next(entry); ++offset)
      INVARIANT(base::as_text(entry.body) == text_at(offset), "offset {} holds '{}'", offset,
                base::as_text(entry.body));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::TestShard shard;
  test::copy_files(good_disk(), shard.disk);
  base::ByteReader in(base::ByteView(data, size));
  if (size > 0 && in.read<std::uint8_t>() == 0) {
    const auto bytes = in.rest();
    shard.disk.set_bytes(
        storage::segment_path(directory, base::Offset{newest_first_offset}, storage::log_suffix),
        {bytes.begin(), bytes.end()});
  } else {
    test::edit_files(shard.disk, in);
  }

  storage::OpenReport report;
  auto log = storage::SegmentLog::open(shard.shard, directory, options(), report);
  if (!log) {
    INVARIANT(log.error().code == base::Errc::corrupt || log.error().code == base::Errc::precondition_failed,
              "open() says {}", log.error().text);
    return 0;
  }
  const auto view = (*log)->view();
  if (size > 0 && data[0] != 0) {  // given bytes may be a chunk of other messages
    for (const auto& info : *view.sealed) check_messages(shard.disk, info);
    // What open() has read must be whole: the last chunks, and with four chunks a segment that is all of it.
    INVARIANT(check_messages(shard.disk, view.active), "a bad chunk is left in the newest segment");
  }
  append(**log, 1);
  INVARIANT((*log)->close(), "close fails");
  storage::OpenReport again;
  auto reopened = storage::SegmentLog::open(shard.shard, directory, options(), again);
  INVARIANT(reopened, "a log that was opened does not open again: {}", reopened.error().text);
  INVARIANT((*reopened)->view().next_offset == view.next_offset + 1 && again.bytes_cut == 0,
            "reopening changed the log");
  return 0;
}
