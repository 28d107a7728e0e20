// SPDX-License-Identifier: Apache-2.0
// bench_micro [ROUNDS]: the inner loops alone: chunk building, CRC, Bloom and chunk filter, index lookup,
// codec, the journal. Each prints CPU nanoseconds per item and a hash of what it computed: the same hash for
// the same ROUNDS on every machine, so a bench that stopped doing its work shows. ROUNDS 1 is what ctest
// runs.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "filters/bloom.h"
#include "filters/chunk_filter.h"
#include "micro.h"
#include "storage/chunk.h"
#include "storage/crc32.h"
#include "storage/index_file.h"
#include "storage/index_search.h"
#include "streamproto/commands.h"
#include "support/memory_disk.h"

namespace {

using namespace sluice;
using namespace sluice::bench;

constexpr std::uint32_t chunk_messages = 2'000;
constexpr std::array<std::string_view, 4> values{"KR", "JP", "DE", "FR"};

void bench_chunks(std::uint64_t rounds) {
  const base::ByteBuffer body = body_of(100);
  storage::ChunkBuilder builder(1 << 20, 16);
  const auto build = [&](bool filtered, std::uint64_t round, ResultHash& hash) {
    for (std::uint32_t i = 0; i < chunk_messages; ++i) {
      builder.add_message(body, filtered ? values[i % values.size()] : std::string_view{});
    }
    const auto chunk =
        builder.finish(base::Offset{round * chunk_messages}, base::Epoch{1}, 1'700'000'000'000);
    hash.add(chunk.header.data_crc);
    hash.add(chunk.bytes.size());
    builder.clear();
    return std::uint64_t{chunk_messages};
  };
  measure("chunk 100 B", rounds,
          [&](std::uint64_t round, ResultHash& hash) { return build(false, round, hash); });
  measure("chunk 100 B, filter values", rounds,
          [&](std::uint64_t round, ResultHash& hash) { return build(true, round, hash); });
}

void bench_crc(std::uint64_t rounds) {
  const base::ByteBuffer bytes = body_of(64 * 1024);
  measure("crc-32 64 KiB, per byte", rounds, [&](std::uint64_t round, ResultHash& hash) {
    hash.add(storage::crc32(bytes, static_cast<std::uint32_t>(round)));
    return std::uint64_t{bytes.size()};
  });
}

void bench_filters(std::uint64_t rounds) {
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back("device-" + std::to_string(i * 7));
  base::ByteBuffer bits(64);
  measure("bloom add", rounds, [&](std::uint64_t, ResultHash& hash) {
    filters::BloomWriter bloom(bits, 30);
    for (const std::string& value : many) bloom.add(value);
    hash.add(bits[20]);
    return std::uint64_t{many.size()};
  });
  base::ByteBuffer sparse(64);
  filters::BloomWriter writer(sparse, 30);
  for (std::size_t i = 0; i < 30; ++i) writer.add(many[i]);
  const filters::BloomView view(sparse);
  measure("bloom test", rounds, [&](std::uint64_t, ResultHash& hash) {
    std::uint64_t maybes = 0;
    for (const std::string& value : many) maybes += view.may_contain(value);
    hash.add(maybes);
    return std::uint64_t{many.size()};
  });
  filters::ChunkFilterBuilder builder(16);
  base::ByteBuffer record;
  measure("chunk filter, per entry", rounds, [&](std::uint64_t, ResultHash& hash) {
    for (std::uint32_t i = 0; i < chunk_messages; ++i)
      builder.add(values[i * 7 % values.size()], {i * 104, i});
    record.clear();
    builder.finish(record);
    builder.clear();
    hash.add(record.size());
    return std::uint64_t{chunk_messages};
  });
}

// Lookups go through a disk in memory, so this is the search and its decoding without system calls.
void bench_index(std::uint64_t rounds) {
  constexpr std::uint32_t chunks = 20'000;
  test::MemoryDisk disk;
  if (!disk.create_directories("d")) std::abort();
  const std::string path = storage::segment_path("d", base::Offset{0}, storage::index_suffix);
  auto writer = storage::IndexWriter::create(disk, path, base::Offset{0});
  if (!writer) std::abort();
  for (std::uint32_t i = 0; i < chunks; ++i) {
    storage::IndexRecord record;
    record.chunk_id = base::Offset{i * 100ULL};
    record.timestamp_ms = i;
    record.epoch = base::Epoch{1};
    record.position = storage::file_header_bytes + i * 1000ULL;
    record.wire_bytes = 1000;
    record.records = 100;
    record.entries = 100;
    if (!writer->add(record)) std::abort();
  }
  if (!writer->flush()) std::abort();
  auto search = storage::IndexSearch::open(disk, "d", base::Offset{0}, chunks);
  if (!search) std::abort();
  measure("index lookup of 20,000", rounds, [&](std::uint64_t round, ResultHash& hash) {
    std::uint64_t lookups = 0;
    for (std::uint64_t offset = round % 97; offset < chunks * 100ULL; offset += 40'009) {
      const auto found = search->find_offset(base::Offset{offset});
      hash.add(found ? found->record.chunk_id.value : 1);
      ++lookups;
    }
    return lookups;
  });
}

void bench_codec(std::uint64_t rounds) {
  const base::ByteBuffer body = body_of(100);
  base::ByteBuffer frames;
  measure("publish frame, write", rounds, [&](std::uint64_t round, ResultHash& hash) {
    frames.clear();
    streamproto::PublishFrameWriter frame(frames, 1, 1);
    for (std::uint32_t i = 0; i < chunk_messages; ++i) frame.add(round + i, body);
    frame.finish();
    hash.add(frames.size());
    return std::uint64_t{chunk_messages};
  });
  measure("publish frame, read", rounds, [&](std::uint64_t, ResultHash& hash) {
    streamproto::FrameReader reader(frames, 0);
    std::uint64_t entries = 0;
    for (auto read = reader.next(); read.status == streamproto::FrameStatus::complete; read = reader.next()) {
      auto received = streamproto::decode<streamproto::Publish>(read.frame);
      if (!received) std::abort();
      streamproto::PublishedEntry entry;
      while (received->message.entries.next(entry)) {
        hash.add(entry.entry.data.size() + entry.publishing_id);
        ++entries;
      }
    }
    return entries;
  });
  std::vector<std::uint64_t> ids(chunk_messages);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = i;
  measure("publish confirm, write", rounds, [&](std::uint64_t, ResultHash& hash) {
    frames.clear();
    streamproto::write_publish_confirm(1, ids, frames);
    hash.add(frames.size());
    return std::uint64_t{chunk_messages};
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2'000;
  if (rounds == 0) return std::fputs("bench_micro [ROUNDS]\n", stderr), 2;
  bench_chunks(rounds);
  bench_crc(rounds);
  bench_filters(rounds);
  bench_index(rounds);
  bench_codec(rounds);
  bench_journal(rounds);
  bench_work_queues(rounds);
  bench_routing(rounds);
  return 0;
}
