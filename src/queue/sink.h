// SPDX-License-Identifier: Apache-2.0
// Where a view's chunks go. One call is one chunk is one Deliver frame is one credit. Virtual per chunk, not
// per message.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/ports.h"

namespace sluice::queue {

class Sink {
 public:
  virtual ~Sink() = default;
  // Header and data lie in the file at [position, position + size).
  virtual void file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                          std::uint32_t records) = 0;
  // Header and data are these parts, one after the other; valid during the call.
  virtual void memory_chunk(std::span<const base::ByteView> parts, std::uint32_t records) = 0;
  // True when nothing more should come now.
  virtual bool full() const = 0;
};

}  // namespace sluice::queue
