// SPDX-License-Identifier: Apache-2.0
// The journal on damaged files. The first byte of the input chooses:
//   0  the rest is decoded as each kind of bytes;
//   1  the rest is a list of edits to a good journal of several files;
//   2  the rest are records in batches with good checks: what they say may be nonsense;
//   3  the rest are runs and slots of an index with good checks.
// Whatever open() accepts: what read() hands out is the message of that place, appending works, and opening
// again finds it.
#include <array>
#include <cstdint>

#include "base/check.h"
#include "storage/crc32.h"
#include "storage/journal.h"
#include "storage/journal_checkpoint.h"
#include "storage/journal_index.h"
#include "storage/journal_scan.h"
#include "support/disk_edits.h"
#include "support/example_journal.h"

using namespace sluice;

namespace {

const std::string directory = "/journal";
constexpr std::uint64_t queues = 3, messages = 60;

std::string text_of(storage::MessagePlace place) {
  return fmt::format("queue {} offset {}", place.queue.value, place.offset.value);
}

storage::JournalOptions options() {
  storage::JournalOptions made;
  made.file_bytes_max = 1500;
  made.tail_bytes_max = 0;
  return made;
}

using Opened = base::Result<std::unique_ptr<storage::Journal>>;

void append(storage::Journal& journal, storage::MessagePlace place) {
  const auto text = text_of(place);
  const base::ByteView part = base::as_bytes(text);
  journal.append_message({}, {&part, 1}, {&place, 1});
  journal.append_event(place.queue, base::as_bytes("event"));
  journal.flush(true);
}

class Owner final : public test::PlainJournalOwner {
 public:
  void write_checkpoint(const std::function<void(base::QueueId, base::ByteView)>& put) override {
    for (std::uint64_t queue = 1; queue <= queues; ++queue)
      put(base::QueueId{queue}, base::as_bytes("state"));
  }
};

const test::MemoryDisk& good_disk() {
  static const auto disk = [] {
    test::TestShard shard;
    Owner owner;
    auto journal = storage::Journal::open(shard.shard, directory, options(), owner, owner).value();
    for (std::uint64_t i = 0; i < messages; ++i)
      append(*journal, {base::QueueId{1 + i % queues}, base::Offset{i / queues}});
    journal->release(base::QueueId{1}, base::Offset{0}, base::Offset{messages});
    for (int i = 0; i < 4; ++i) journal->tick(0), journal->flush(true);
    return shard.disk.copy();
  }();
  return *disk;
}

void put_file(test::MemoryDisk& disk, std::uint64_t number, std::string_view suffix, base::ByteBuffer bytes) {
  disk.set_bytes(storage::journal_path(directory, number, suffix), std::move(bytes));
}

// Each record: its size, then its bytes from the kind on.
void craft_batches(test::MemoryDisk& disk, base::ByteReader& in) {
  const storage::JournalFileHeader file{.number = 1, .first_point = 0, .salt = 77};
  base::ByteBuffer bytes(storage::journal_header_bytes);
  encode_journal_file_header(file, bytes.data());
  while (!in.at_end()) {
    const std::size_t batch_at = bytes.size();
    bytes.resize(batch_at + storage::batch_header_bytes);
    std::uint32_t records = 0;
    for (unsigned left = in.read<std::uint8_t>() % 4; left > 0 && !in.at_end(); --left) {
      const auto body = in.read_bytes(std::min<std::size_t>(in.read<std::uint8_t>(), in.remaining()));
      base::ByteBuffer record(8);
      record.insert(record.end(), body.begin(), body.end());
      record.resize(std::max(record.size(), storage::event_header_bytes));
      base::store_be(record.data() + 4, static_cast<std::uint32_t>(record.size()));
      base::store_be(record.data(), storage::crc32(base::ByteView(record).subspan(4)));
      bytes.insert(bytes.end(), record.begin(), record.end());
      ++records;
    }
    storage::encode_batch_header(
        {.payload_bytes = static_cast<std::uint32_t>(bytes.size() - batch_at - storage::batch_header_bytes),
         .records = records,
         .salt = file.salt,
         .point = batch_at - storage::journal_header_bytes},
        bytes.data() + batch_at);
  }
  put_file(disk, 1, storage::journal_suffix, std::move(bytes));
}

void craft_index(test::MemoryDisk& disk, base::ByteReader& in) {
  test::copy_files(good_disk(), disk);
  const auto path = [](std::string_view suffix) { return storage::journal_path(directory, 2, suffix); };
  if (!disk.exists(path(storage::journal_index_suffix))) return;
  base::ByteBuffer slots(storage::index_block_bytes), runs;
  const std::uint32_t run_count = in.read<std::uint8_t>() % 6;
  std::uint32_t slot_count = 0;
  for (std::uint32_t i = 0; i < run_count; ++i) {
    base::ByteWriter run(runs);
    run.write(std::uint64_t{1} + in.read<std::uint8_t>() % 4);
    run.write(std::uint64_t{in.read<std::uint8_t>()} << in.read<std::uint8_t>() % 64);
    const std::uint32_t count = in.read<std::uint8_t>() % 80;
    run.write(count);
    run.write(std::uint32_t{in.read<std::uint8_t>()});
    run.write(slot_count);
    run.write(std::uint32_t{0});
    run.write(in.read<std::uint64_t>());
    slot_count += count;
  }
  const auto rest = in.rest();
  std::copy_n(rest.begin(), std::min(rest.size(), slots.size() - 4), slots.begin());
  base::store_be(slots.data() + slots.size() - 4,
                 storage::crc32(base::ByteView(slots).first(slots.size() - 4)));
  base::ByteBuffer bytes(storage::journal_header_bytes);
  storage::encode_journal_header(storage::journal_index_magic,
                                 {.count = run_count,
                                  .number = 2,
                                  .first = slot_count,
                                  .second = disk.bytes(path(storage::journal_suffix)).size(),
                                  .third = storage::crc32(runs)},
                                 bytes.data());
  if (slot_count > 0) bytes.insert(bytes.end(), slots.begin(), slots.end());
  bytes.insert(bytes.end(), runs.begin(), runs.end());
  disk.set_bytes(path(storage::journal_index_suffix), bytes);
}

void decode_all(base::ByteView bytes) {
  if (const auto size = storage::record_size(bytes)) {
    const auto record = bytes.first(*size);
    (void)storage::record_is_whole(record);
    std::vector<storage::MessagePlace> places;
    if (const auto message = storage::decode_message(record)) {
      INVARIANT(message->places.size() + message->content.size() + storage::message_header_bytes == *size,
                "a message has other bytes than its record");
      if (storage::decode_places(message->places, places)) {
        INVARIANT(places.size() <= message->places.size() / 2, "more places than bytes for them");
        base::ByteBuffer again(storage::places_bytes_max(places.size()));
        std::vector<storage::MessagePlace> read_again;
        again.resize(storage::encode_places(places, again.data()));
        INVARIANT(storage::decode_places(again, read_again) && read_again == places, "places change");
        for (const auto& place : places)
          INVARIANT(storage::has_place(message->places, place), "a place is not found");
      }
    }
    (void)storage::decode_event(record);
  }
  (void)storage::decode_batch_header(bytes, bytes.empty() ? 0 : bytes[0]);
  (void)storage::parse_journal_file_name(base::as_text(bytes));
  test::MemoryDisk disk;
  disk.set_bytes("/f/x", {bytes.begin(), bytes.end()});
  const auto file = disk.open("/f/x", base::Disk::Mode::read).value();
  (void)storage::read_journal_index(*file);
  if (const auto checkpoint = storage::read_checkpoint(*file))
    storage::for_each_state(*checkpoint, [](base::QueueId, base::ByteView) {});
  storage::RecordCursor cursor(bytes);
  while (cursor.next()) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::ByteReader in(base::ByteView(data, size));
  const unsigned kind = in.read<std::uint8_t>() % 4;
  test::TestShard shard;
  if (kind == 0) return decode_all(in.rest()), 0;
  if (kind == 1) {
    test::copy_files(good_disk(), shard.disk);
    test::edit_files(shard.disk, in);
  } else if (kind == 2) {
    craft_batches(shard.disk, in);
  } else {
    craft_index(shard.disk, in);
  }

  Owner owner;
  auto journal = storage::Journal::open(shard.shard, directory, options(), owner, owner);
  if (!journal) {
    INVARIANT(journal.error().code == base::Errc::corrupt ||
                  journal.error().code == base::Errc::precondition_failed,
              "open() says {}", journal.error().text);
    return 0;
  }
  for (std::uint64_t queue = 0; queue <= queues + 1; ++queue) {
    for (std::uint64_t offset = 0; offset < messages; ++offset) {
      const storage::MessagePlace place{base::QueueId{queue}, base::Offset{offset}};
      const auto message = (*journal)->read(place);
      INVARIANT(!message || kind == 2 || base::as_text(message->content) == text_of(place), "{} holds '{}'",
                text_of(place), base::as_text(message->content));
    }
  }
  const storage::MessagePlace fresh{base::QueueId{1000}, base::Offset{1}};
  append(**journal, fresh);
  for (int i = 0; i < 4; ++i) (*journal)->tick(0), (*journal)->flush(true);
  journal = storage::Journal::open(shard.shard, directory, options(), owner, owner);
  INVARIANT(journal, "a journal that was opened does not open again: {}", journal.error().text);
  INVARIANT((*journal)->end().value > 0, "nothing is left");
  return 0;
}
