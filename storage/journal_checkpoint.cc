// SPDX-License-Identifier: Apache-2.0
// The order that makes a crash harmless: written whole under the temporary name, synced, renamed. A reader
// takes a file only when header, size and the check over the states agree.
#include "storage/journal_checkpoint.h"

#include <fmt/format.h>

#include <array>

#include "storage/crc32.h"
#include "storage/format.h"

namespace sluice::storage {

void add_state(Checkpoint& checkpoint, base::QueueId queue, base::ByteView state) {
  base::ByteWriter writer(checkpoint.bytes);
  writer.write(queue.value);
  writer.write(static_cast<std::uint32_t>(state.size()));
  writer.write_bytes(state);
  ++checkpoint.states;
}

void for_each_state(const Checkpoint& checkpoint, const StateVisit& visit) {
  base::ByteReader reader(checkpoint.bytes);
  for (std::uint32_t i = 0; i < checkpoint.states; ++i) {
    const base::QueueId queue{reader.read<std::uint64_t>()};
    visit(queue, reader.read_bytes(reader.read<std::uint32_t>()));
  }
}

base::Result<> write_checkpoint_file(base::Disk& disk, const std::string& directory,
                                     const Checkpoint& checkpoint) {
  const auto path = journal_path(directory, checkpoint.number, checkpoint_suffix);
  const auto temporary = path + std::string(temporary_suffix);
  TRY_VOID(disk.remove(temporary));
  TRY(file, disk.open(temporary, base::Disk::Mode::create));
  std::array<std::uint8_t, journal_header_bytes> header;
  encode_journal_header(checkpoint_magic,
                        {.count = checkpoint.states,
                         .number = checkpoint.number,
                         .first = checkpoint.first_point,
                         .second = checkpoint.bytes.size(),
                         .third = crc32(checkpoint.bytes)},
                        header.data());
  const base::ByteView parts[] = {header, checkpoint.bytes};
  TRY_VOID(file->append(parts));
  TRY_VOID(file->sync());
  return disk.rename(temporary, path);
}

base::Result<Checkpoint> read_checkpoint(const base::File& file) {
  std::array<std::uint8_t, journal_header_bytes> head;
  TRY(got, file.read_at(0, head));
  TRY(header, decode_journal_header(checkpoint_magic, base::ByteView(head).first(got)));
  TRY(file_bytes, file.size());
  if (file_bytes - journal_header_bytes != header.second)
    return base::fail(base::Errc::corrupt, fmt::format("{} bytes of states, the header says {}",
                                                       file_bytes - journal_header_bytes, header.second));
  Checkpoint checkpoint{header.number, header.first, header.count, base::ByteBuffer(header.second)};
  TRY(bytes_got, file.read_at(journal_header_bytes, checkpoint.bytes));
  if (bytes_got != header.second || crc32(checkpoint.bytes) != header.third)
    return base::fail(base::Errc::corrupt, "the states fail their check");
  base::ByteReader reader(checkpoint.bytes);
  for (std::uint32_t i = 0; i < checkpoint.states && reader.ok(); ++i) {
    reader.skip(8);
    reader.skip(reader.read<std::uint32_t>());
  }
  if (!reader.ok() || !reader.at_end()) return base::fail(base::Errc::corrupt, "the states do not fit");
  return checkpoint;
}

}  // namespace sluice::storage
