// SPDX-License-Identifier: Apache-2.0
// The highest publishing id per publisher reference of one log, for deduplication. Bounded: beyond
// references_max the least recently used reference is forgotten, as RabbitMQ does. Rebuilt at open from chunk
// trailers; owned by the log's shard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/trailer.h"

namespace sluice::storage {

class SequenceMap {
 public:
  static constexpr std::size_t references_max = 255;

  void set(std::string_view reference, std::uint64_t publishing_id);
  // What a chunk's trailer says: a snapshot replaces everything.
  void apply(const TrailerView& trailer);
  void clear() { entries_.clear(); }

  bool empty() const { return entries_.empty(); }
  std::optional<std::uint64_t> find(std::string_view reference) const;
  SequenceList list() const;  // least recently used first

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Entry {
    std::uint64_t publishing_id = 0;
    std::uint64_t used = 0;
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  std::uint64_t uses_ = 0;
};

}  // namespace sluice::storage
