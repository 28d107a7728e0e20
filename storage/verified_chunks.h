// SPDX-License-Identifier: Apache-2.0
// Which chunks have had their data checked since the process began: what was stored before is verified once,
// before it is first sent straight from a file, and not again. One per thread, shared by its readers;
// bounded: beyond segments_max segments it forgets all and checks anew.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"

namespace sluice::storage {

class VerifiedSegment {
 public:
  bool contains(std::uint32_t ordinal) const {
    return ordinal / 64 < bits_.size() && ((bits_[ordinal / 64] >> (ordinal % 64)) & 1) != 0;
  }
  void add(std::uint32_t ordinal) {
    if (ordinal / 64 >= bits_.size()) bits_.resize(ordinal / 64 + 1);
    bits_[ordinal / 64] |= std::uint64_t{1} << (ordinal % 64);
  }

 private:
  std::vector<std::uint64_t> bits_;
};

class VerifiedChunks {
 public:
  static constexpr std::size_t segments_max = 1024;

  // Log directories have names that are never used again.
  std::shared_ptr<VerifiedSegment> segment(const std::string& directory, base::Offset first_offset) {
    if (segments_.size() >= segments_max) segments_.clear();
    auto& found = segments_[directory + '/' + std::to_string(first_offset.value)];
    if (!found) found = std::make_shared<VerifiedSegment>();
    return found;
  }

 private:
  std::unordered_map<std::string, std::shared_ptr<VerifiedSegment>> segments_;
};

}  // namespace sluice::storage
