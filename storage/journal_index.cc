// SPDX-License-Identifier: Apache-2.0
// Writing streams the slots block by block, so memory does not grow with the file. Reading takes the runs
// only, whole and checked (sorted, without gaps between their slots); blocks are for JournalReader.
#include "storage/journal_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "storage/crc32.h"
#include "storage/format.h"

namespace sluice::storage {
namespace {

using base::load_be;
using base::store_be;

constexpr std::size_t slot_bytes = 8, block_check_at = index_block_bytes - 4;
constexpr std::size_t write_bytes = 64 * index_block_bytes;

// Fills blocks with slots and writes many of them at once.
class SlotWriter {
 public:
  explicit SlotWriter(base::File& file) : file_(file) { buffer_.reserve(write_bytes); }

  base::Result<> add(Slot slot) {
    if (in_block_ == index_slots_per_block) TRY_VOID(end_block());
    if (in_block_ == 0) buffer_.resize(buffer_.size() + index_block_bytes);
    std::uint8_t* block = buffer_.data() + buffer_.size() - index_block_bytes;
    store_be(block + in_block_ * slot_bytes, slot.position);
    store_be(block + in_block_ * slot_bytes + 4, slot.size);
    ++in_block_;
    return {};
  }
  base::Result<> finish() {
    if (in_block_ > 0) TRY_VOID(end_block());
    return flush();
  }

 private:
  base::Result<> end_block() {
    std::uint8_t* block = buffer_.data() + buffer_.size() - index_block_bytes;
    store_be(block + block_check_at, crc32({block, block_check_at}));
    in_block_ = 0;
    return buffer_.size() < write_bytes ? base::Result<>{} : flush();
  }
  base::Result<> flush() {
    const base::ByteView part = buffer_;
    auto written = buffer_.empty() ? base::Result<>{} : file_.append({&part, 1});
    buffer_.clear();
    return written;
  }

  base::File& file_;
  base::ByteBuffer buffer_;
  std::size_t in_block_ = 0;
};

void encode_run(const IndexRun& run, std::uint8_t* to) {
  store_be(to, run.queue.value);
  store_be(to + 8, run.first.value);
  store_be(to + 16, run.count);
  store_be(to + 20, run.present);
  store_be(to + 24, run.first_slot);
  store_be(to + 28, std::uint32_t{0});
  store_be(to + 32, run.bytes);
}

IndexRun decode_run(const std::uint8_t* from) {
  return {.queue = base::QueueId{load_be<std::uint64_t>(from)},
          .first = base::Offset{load_be<std::uint64_t>(from + 8)},
          .count = load_be<std::uint32_t>(from + 16),
          .present = load_be<std::uint32_t>(from + 20),
          .first_slot = load_be<std::uint32_t>(from + 24),
          .bytes = load_be<std::uint64_t>(from + 32)};
}

std::uint64_t block_count(std::uint64_t slots) {
  return (slots + index_slots_per_block - 1) / index_slots_per_block;
}

base::Result<> write_contents(base::File& file, std::uint64_t number, std::uint64_t journal_bytes,
                              std::vector<IndexInput>& inputs) {
  std::uint64_t slots = 0;
  base::ByteBuffer runs(inputs.size() * index_run_bytes);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto& [run, from, first] = inputs[i];
    run.first_slot = static_cast<std::uint32_t>(slots);
    run.present = 0;
    for (std::uint32_t n = 0; n < run.count; ++n) run.present += (*from)[first + n].size != 0;
    slots += run.count;
    encode_run(run, runs.data() + i * index_run_bytes);
  }
  std::array<std::uint8_t, journal_header_bytes> header;
  encode_journal_header(journal_index_magic,
                        {.count = static_cast<std::uint32_t>(inputs.size()),
                         .number = number,
                         .first = slots,
                         .second = journal_bytes,
                         .third = crc32(runs)},
                        header.data());
  const base::ByteView head = header;
  TRY_VOID(file.append({&head, 1}));
  SlotWriter writer(file);
  for (const auto& [run, from, first] : inputs)
    for (std::uint32_t n = 0; n < run.count; ++n) TRY_VOID(writer.add((*from)[first + n]));
  TRY_VOID(writer.finish());
  const base::ByteView tail = runs;
  if (!tail.empty()) TRY_VOID(file.append({&tail, 1}));
  return file.sync();
}

bool runs_hold_together(const IndexContents& contents) {
  std::uint64_t next_slot = 0;
  const IndexRun* before = nullptr;
  for (const auto& run : contents.runs) {
    const bool in_order = before == nullptr || before->queue < run.queue ||
                          (before->queue == run.queue && run.first >= before->first + before->count);
    if (!in_order || run.count == 0 || run.present > run.count || run.first_slot != next_slot ||
        run.first.value > journal_offset_max)
      return false;
    next_slot += run.count;
    before = &run;
  }
  return next_slot == contents.slots;
}

}  // namespace

base::Result<> write_journal_index(base::Disk& disk, const std::string& directory, std::uint64_t number,
                                   std::uint64_t journal_bytes, std::vector<IndexInput>& inputs) {
  const auto path = journal_path(directory, number, journal_index_suffix);
  const auto temporary = path + std::string(temporary_suffix);
  TRY_VOID(disk.remove(temporary));
  TRY(file, disk.open(temporary, base::Disk::Mode::create));
  TRY_VOID(write_contents(*file, number, journal_bytes, inputs));
  return disk.rename(temporary, path);
}

base::Result<IndexContents> read_journal_index(const base::File& file) {
  std::array<std::uint8_t, journal_header_bytes> head;
  TRY(got, file.read_at(0, head));
  TRY(header, decode_journal_header(journal_index_magic, base::ByteView(head).first(got)));
  TRY(file_bytes, file.size());
  // No overflow: there are fewer slots than the file has bytes.
  const std::uint64_t runs_bytes = std::uint64_t{header.count} * index_run_bytes;
  if (header.first > file_bytes ||
      file_bytes != journal_header_bytes + block_count(header.first) * index_block_bytes + runs_bytes)
    return base::fail(base::Errc::corrupt, fmt::format("{} bytes do not fit {} slots and {} runs", file_bytes,
                                                       header.first, header.count));
  base::ByteBuffer bytes(runs_bytes);
  TRY(runs_got, file.read_at(file_bytes - runs_bytes, bytes));
  if (runs_got != runs_bytes || crc32(bytes) != header.third)
    return base::fail(base::Errc::corrupt, "the runs fail their check");
  IndexContents contents{
      .number = header.number, .slots = header.first, .journal_bytes = header.second, .runs = {}};
  contents.runs.reserve(header.count);
  for (std::uint32_t i = 0; i < header.count; ++i)
    contents.runs.push_back(decode_run(bytes.data() + i * index_run_bytes));
  if (!runs_hold_together(contents)) return base::fail(base::Errc::corrupt, "the runs are not in order");
  return contents;
}

std::uint64_t index_block_position(std::uint64_t slot) {
  return journal_header_bytes + slot / index_slots_per_block * index_block_bytes;
}

base::Result<> check_index_block(base::ByteView block) {
  if (block.size() != index_block_bytes ||
      load_be<std::uint32_t>(block.data() + block_check_at) != crc32(block.first(block_check_at)))
    return base::fail(base::Errc::corrupt, "a block of slots fails its check");
  return {};
}

Slot slot_in_block(base::ByteView block, std::uint64_t slot) {
  const std::uint8_t* at = block.data() + slot % index_slots_per_block * slot_bytes;
  return Slot{load_be<std::uint32_t>(at), load_be<std::uint32_t>(at + 4)};
}

}  // namespace sluice::storage
