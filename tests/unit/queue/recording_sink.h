// SPDX-License-Identifier: Apache-2.0
// RecordingSink: takes a view's chunks as a client would: header, length and CRC are checked, entries taken
// apart, every message noted with its offset.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "queue/sink.h"
#include "storage/chunk.h"
#include "storage/crc32.h"
#include "storage/entries.h"

namespace sluice::queue {

class RecordingSink final : public Sink {
 public:
  struct Message {
    std::uint64_t offset = 0;
    std::string body;
    friend bool operator==(const Message&, const Message&) = default;
  };

  void file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                  std::uint32_t records) override {
    base::ByteBuffer bytes(size);
    REQUIRE(file->read_at(position, bytes).value() == size);
    ++file_chunks;
    take(bytes, records);
  }
  void memory_chunk(std::span<const base::ByteView> parts, std::uint32_t records) override {
    base::ByteBuffer bytes;
    for (auto part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
    take(bytes, records);
  }
  bool full() const override { return chunks >= full_at; }

  std::vector<Message> messages;
  std::size_t chunks = 0, file_chunks = 0, bytes_taken = 0;
  std::size_t full_at = SIZE_MAX;

 private:
  void take(base::ByteView bytes, std::uint32_t records) {
    ++chunks;
    bytes_taken += bytes.size();
    // As stored or none: clients accept both. The decoder is that of files, where there always is one.
    base::ByteBuffer stored(bytes.begin(), bytes.begin() + storage::chunk_header_bytes);
    base::store_be<std::uint32_t>(stored.data() + 40, 16);
    const auto header = storage::decode_chunk_header(stored).value();
    const auto data = bytes.subspan(storage::chunk_header_bytes);
    REQUIRE(header.data_bytes == data.size());
    REQUIRE(header.data_crc == storage::crc32(data));
    REQUIRE(header.records == records);
    std::uint64_t offset = header.chunk_id.value;
    std::uint32_t entries = 0;
    storage::EntryCursor cursor(data);
    for (storage::EntryView entry; cursor.next(entry); ++entries) {
      if (!entry.is_sub_batch) {
        messages.push_back({offset++, std::string(base::as_text(entry.body))});
        continue;
      }
      REQUIRE(entry.compression == 0);
      storage::EntryCursor batch(entry.body);
      for (storage::EntryView message; batch.next(message);)
        messages.push_back({offset++, std::string(base::as_text(message.body))});
    }
    REQUIRE(cursor.ok());
    REQUIRE(entries == header.entries);
    REQUIRE(offset == header.chunk_id.value + header.records);
  }
};

}  // namespace sluice::queue
