// SPDX-License-Identifier: Apache-2.0
// Reads a .journal file from a position on, batch by batch, every record checked. Used by recovery,
// compaction and tools/inspect; one thread. Reads through a window of 1 MiB (more for a larger batch).
#pragma once

#include <memory>
#include <optional>

#include "base/ports.h"
#include "storage/journal_format.h"

namespace sluice::storage {

// The records of a batch one after the other.
class RecordCursor {
 public:
  explicit RecordCursor(base::ByteView payload) : payload_(payload) {}
  // False at the end, or when what follows is no whole record: then !ok().
  bool next();
  bool ok() const { return ok_; }
  base::ByteView record() const { return record_; }
  std::size_t position() const { return next_ - record_.size(); }  // in the payload

 private:
  base::ByteView payload_, record_;
  std::size_t next_ = 0;
  bool ok_ = true;
};

class JournalScanner {
 public:
  // Batches in [position, end) of the file. precondition: a batch begins at `position`
  JournalScanner(std::shared_ptr<const base::File> file, const JournalFileHeader& header,
                 std::uint64_t position, std::uint64_t end)
      : file_(std::move(file)), header_(header), next_(position), end_(end) {}

  // False at the end; corrupt when what stands at next_position() is not a whole batch.
  base::Result<bool> next();
  const BatchHeader& batch() const { return batch_; }
  base::ByteView payload() const { return payload_; }  // valid until the next call
  std::uint64_t payload_position() const { return next_ - payload_.size(); }
  std::uint64_t next_position() const { return next_; }
  std::uint64_t point_of(std::uint64_t position) const {
    return header_.first_point + position - journal_header_bytes;
  }

 private:
  base::Result<base::ByteView> window(std::uint64_t position, std::size_t size);

  std::shared_ptr<const base::File> file_;
  JournalFileHeader header_;
  std::uint64_t next_, end_;
  BatchHeader batch_;
  base::ByteView payload_;
  base::ByteBuffer window_;
  std::uint64_t window_position_ = 0;
};

// The next good batch header of this file's at or behind `position`, wherever it stands.
struct BatchPlace {
  std::uint64_t position = 0;
  BatchHeader header;
};
base::Result<std::optional<BatchPlace>> find_batch(const base::File& file, std::uint64_t salt,
                                                   std::uint64_t position, std::uint64_t end);

// The header of the journal file with this number; corrupt: it is damaged, or of another.
base::Result<JournalFileHeader> read_journal_header(const base::File& file, std::uint64_t number);

// What stands at and behind `position`, where no whole batch stands. A file is often written over one that
// nobody needs (journal_spares.h): behind its end stands what that one held, which is nobody's loss.
struct Remains {
  // The highest point that batches there say was durable; 0 when none does.
  std::uint64_t synced_point = 0;
  // How much of it may have been written to this file: up to the end of its last batch, whole or torn. 0:
  // what stands there is an old file's. All of it when the file's own header is damaged: then nobody can
  // tell.
  std::uint64_t torn_bytes = 0;
};
base::Result<Remains> find_remains(const base::File& file, std::uint64_t number, std::uint64_t position);

}  // namespace sluice::storage
