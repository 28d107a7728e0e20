// SPDX-License-Identifier: Apache-2.0
// A LIKE pattern, compiled: `%` is any text, `_` is one UTF-8 character, an escape character takes the next
// one literally. Matching allocates nothing; the cost is at most text times pattern, and patterns are short.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::filters {

inline constexpr std::size_t like_pattern_bytes_max = 256;

class LikePattern {
 public:
  // Nothing when the escape is followed by something other than `%`, `_` or itself, or by nothing.
  static std::optional<LikePattern> compile(std::string_view pattern, std::optional<char> escape);

  bool matches(std::string_view text) const;

 private:
  // Text between two `%`; a unit is a byte or "any character".
  using Segment = std::vector<std::uint16_t>;
  static constexpr std::uint16_t any_character = 256;

  static std::optional<std::size_t> match_forward(const Segment& segment, std::string_view text,
                                                  std::size_t at);
  static std::optional<std::size_t> match_backward(const Segment& segment, std::string_view text);

  std::vector<Segment> segments_;  // at least one; the first and last are anchored (and empty beside a `%`)
};

}  // namespace sluice::filters
