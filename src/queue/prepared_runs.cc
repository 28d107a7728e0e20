// SPDX-License-Identifier: Apache-2.0
#include "queue/prepared_runs.h"

#include <array>

#include "storage/crc32.h"

namespace sluice::queue {

void send_run(const storage::ChunkHeader& of, const Run& run, base::ByteView data, Sink& sink) {
  storage::ChunkHeader header = of;
  header.entries = static_cast<std::uint16_t>(run.entries);
  header.records = run.records;
  header.chunk_id = run.first;
  header.data_crc = storage::crc32(data);
  header.data_bytes = static_cast<std::uint32_t>(data.size());
  header.trailer_bytes = 0;
  std::array<std::uint8_t, storage::chunk_header_bytes> bytes;
  storage::encode_chunk_header(header, bytes.data());
  const std::array<base::ByteView, 2> parts{bytes, data};
  sink.memory_chunk(parts, run.records);
}

bool PreparedRuns::add(const storage::ChunkHeader& of, const Run& run, base::ByteView data) {
  if (bytes_.size() + data.size() + (runs_.size() + 1) * sizeof(Waiting) > bytes_max) return false;
  of_ = of;
  runs_.push_back({run, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(data.size())});
  bytes_.insert(bytes_.end(), data.begin(), data.end());
  return true;
}

void PreparedRuns::send_next(Sink& sink) {
  const Waiting& waiting = runs_[next_];
  send_run(of_, waiting.run, base::ByteView(bytes_).subspan(waiting.begin, waiting.bytes), sink);
  if (++next_ == runs_.size()) clear();
}

}  // namespace sluice::queue
