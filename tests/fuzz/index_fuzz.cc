// SPDX-License-Identifier: Apache-2.0
// An index file of any bytes: records that are accepted encode to themselves, and a log whose index it is
// opens to the same contents as ever.
#include <cstdint>

#include "base/check.h"
#include "storage/segment_log.h"
#include "support/test_shard.h"

using namespace sluice;

namespace {

const std::string directory = "/log";
constexpr std::uint64_t chunks = 7;

const test::MemoryDisk& good_disk() {
  static const auto disk = [] {
    test::TestShard shard;
    storage::LogOptions options;
    options.segment_chunks_max = 4;
    storage::OpenReport report;
    auto log = storage::SegmentLog::open(shard.shard, directory, options, report).value();
    storage::ChunkBuilder builder(1 << 20, 16);
    for (std::uint64_t i = 0; i < chunks; ++i) {
      builder.add_message(base::as_bytes("x"), i % 2 ? "KR" : "");
      log->append(builder.finish(base::Offset{i}, base::Epoch{1}, 1000)).value();
      builder.clear();
    }
    log->close().value();
    return shard.disk.copy();
  }();
  return *disk;
}

void read_all(base::Disk& disk, const std::string& path) {
  auto index = storage::IndexReader::open(disk, path);
  if (!index) return;
  for (std::uint32_t i = 0; i < index->count(); ++i) {
    const auto record = index->record(i);
    if (!record) continue;
    std::uint8_t bytes[storage::index_record_bytes];
    storage::encode_index_record(*record, bytes);
    const auto again = storage::decode_index_record(bytes);
    INVARIANT(again && *again == *record, "record {} does not encode to itself", i);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const std::uint64_t segment : {std::uint64_t{0}, std::uint64_t{4}}) {
    test::TestShard shard;
    for (const auto& path : good_disk().paths()) shard.disk.set_bytes(path, good_disk().bytes(path));
    const auto path = storage::segment_path(directory, base::Offset{segment}, storage::index_suffix);
    shard.disk.set_bytes(path, {data, data + size});
    read_all(shard.disk, path);
    storage::OpenReport report;
    auto log = storage::SegmentLog::open(shard.shard, directory, {}, report);
    INVARIANT(log, "a wrong index keeps the log from opening: {}", log.error().text);
    INVARIANT((*log)->view().next_offset == base::Offset{chunks}, "next offset {}",
              (*log)->view().next_offset.value);
    INVARIANT(report.bytes_cut == 0, "{} bytes cut for a wrong index", report.bytes_cut);
  }
  return 0;
}
