// SPDX-License-Identifier: Apache-2.0
// Ids are types, never bare integers, so that a chunk id is not passed where an epoch is meant.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace sluice::base {

template <class Tag, class Int = std::uint64_t>
struct Id {
  using Value = Int;
  Int value{};
  constexpr Id() = default;
  constexpr explicit Id(Int v) : value(v) {}
  friend constexpr auto operator<=>(Id, Id) = default;
};

// Position of a message in a log, counted from 0. A chunk id is the offset of the chunk's first message.
using Offset = Id<struct OffsetTag>;
// Leader term of a log; stands in every chunk. 1 for a log that was never replicated.
using Epoch = Id<struct EpochTag>;
// Creation number of a log in this broker; names its directory, is never reused.
using LogId = Id<struct LogIdTag>;
// A work queue for its life (the number of its record, one sequence with logs); one declared later under the
// same name has another.
using QueueId = Id<struct QueueIdTag>;
using ShardId = Id<struct ShardIdTag, std::uint32_t>;

constexpr Offset operator+(Offset offset, std::uint64_t n) {
  return Offset{offset.value + n};
}
constexpr std::uint64_t operator-(Offset a, Offset b) {
  return a.value - b.value;
}

}  // namespace sluice::base

template <class Tag, class Int>
struct std::hash<sluice::base::Id<Tag, Int>> {
  std::size_t operator()(sluice::base::Id<Tag, Int> id) const noexcept { return std::hash<Int>{}(id.value); }
};
