// SPDX-License-Identifier: Apache-2.0
// The messages of a stream one by one, for consumers of AMQP 0-9-1: takes the chunks that a Consumer delivers
// (it is the consumer's sink), walks their entries and unpacks sub-batches. Owned by AmqpStreams, one per
// consumer, on the session's shard.
//
// Between two calls it holds where it stands and, of a small chunk or a run, its bytes; of a chunk in a file
// only the place. What is read and unpacked stays in a Desk that all consumers of the shard share: a consumer
// that takes few messages at a time reads again, which bounds memory by the number of shards and not of
// consumers.
#pragma once

#include <cstdint>
#include <memory>

#include "base/ports.h"
#include "queue/sink.h"
#include "storage/chunk.h"
#include "storage/entries.h"

namespace sluice::broker {

class StreamMessages final : public queue::Sink {
 public:
  // What the consumers of a shard work on. Contents are whose number stands on them.
  struct Desk {
    std::uint64_t next_number = 1;
    std::uint64_t window_of = 0, batch_of = 0;
    std::uint64_t window_begin = 0;  // in the data section
    std::size_t window_bytes = 0;
    std::uint32_t batch_at = 0;  // position of the sub-batch in the data section
    base::ByteView batch;        // unpacked, in unpacked or in the window
    base::ByteBuffer window, unpacked;

    // Gives back what an unusual chunk has blown up.
    void trim();
  };

  struct Message {
    base::Offset offset;
    base::ByteView amqp10;  // valid until the next call of any consumer of the desk
  };

  // Messages below `from` are stepped over.
  StreamMessages(Desk& desk, base::Offset from) : desk_(desk), from_(from), number_(desk.next_number++) {}

  bool empty() const { return !in_batch() && position_ >= data_bytes_; }
  // The next message of the chunk in hand; false when there is none any more. `wanted`: how many the caller
  // is going to take, as far as it knows. An error (what cannot be read or is damaged) comes back at every
  // try.
  base::Result<bool> next(Message& message, std::uint32_t wanted);

  // -- queue::Sink; only while empty()
  void file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                  std::uint32_t records) override;
  void memory_chunk(std::span<const base::ByteView> parts, std::uint32_t records) override;
  bool full() const override { return !empty(); }

 private:
  bool in_batch() const { return batch_left_ > 0; }
  base::Result<> open();
  void begin(const storage::ChunkHeader& header);
  void put_away();
  base::Result<base::ByteView> bytes(std::uint32_t position, std::size_t size, std::uint32_t wanted);
  base::Result<storage::EntryView> entry(std::uint32_t wanted);
  base::Result<> unpack(const storage::EntryView& from);
  base::Result<base::ByteView> batch(std::uint32_t wanted);
  base::Result<bool> next_of_batch(Message& message, std::uint32_t wanted);

  Desk& desk_;
  const base::Offset from_;
  const std::uint64_t number_;
  // The chunk in hand.
  std::shared_ptr<base::File> file_;  // none: its data section is in data_
  std::uint64_t data_at_ = 0;         // in the file
  base::ByteBuffer data_;
  bool opened_ = true;  // false: the header of a chunk in a file has not been read yet
  std::uint32_t data_bytes_ = 0;
  std::uint32_t position_ = 0;  // of the next entry, in the data section
  std::uint32_t last_entry_bytes_ = 1024;
  base::Offset next_offset_;  // of the next message
  // The sub-batch at position_, when some of it has been taken.
  std::uint32_t batch_left_ = 0, batch_position_ = 0, batch_bytes_ = 0;
};

}  // namespace sluice::broker
