// SPDX-License-Identifier: Apache-2.0
// Buffers that all views of a thread work in, one call at a time: an idle view holds none of its own. Nothing
// but the window is trusted from one call to the next. Bounded: trim() gives back what an unusual chunk has
// blown up.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "base/bytes.h"
#include "filters/plan.h"
#include "storage/read_ahead.h"
#include "storage/verified_chunks.h"

namespace sluice::queue {

struct Scratch {
  storage::ReadAhead window;  // headers, trailers, small chunks
  storage::VerifiedChunks verified;
  base::ByteBuffer trailer;       // of the chunk in hand; its filter record is parsed in place
  base::ByteBuffer data;          // stretches of its data section
  base::ByteBuffer uncompressed;  // of a sub-batch
  filters::ChunkMatch match;
  std::vector<std::uint32_t> all_entries;  // 0, 1, 2, ...

  static constexpr std::size_t kept_bytes = 1 << 20;

  void trim() {
    for (base::ByteBuffer* buffer : {&trailer, &data, &uncompressed})
      if (buffer->capacity() > kept_bytes) *buffer = {};
  }

  // At least `size` bytes of `buffer`, without clearing them first.
  static base::MutableBytes room(base::ByteBuffer& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
    return base::MutableBytes(buffer).first(size);
  }

  std::span<const std::uint32_t> first_entries(std::uint32_t count) {
    if (all_entries.size() < count) {
      all_entries.resize(count);
      std::iota(all_entries.begin(), all_entries.end(), 0u);
    }
    return std::span(all_entries).first(count);
  }
};

// The thread's scratch for one call; gives back at its end what must not be kept.
class ScratchLease {
 public:
  ScratchLease();
  ~ScratchLease() { scratch_.trim(); }
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;
  Scratch& operator*() { return scratch_; }

 private:
  Scratch& scratch_;
};

// How much non-matching data one call may look at before others get their turn.
class Budget {
 public:
  explicit Budget(std::int64_t bytes) : left_(bytes) {}
  void charge(std::uint64_t bytes) { left_ -= static_cast<std::int64_t>(bytes); }
  bool is_spent() const { return left_ <= 0; }

 private:
  std::int64_t left_;
};

}  // namespace sluice::queue
