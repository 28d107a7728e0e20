// SPDX-License-Identifier: Apache-2.0
#include "filters/like_pattern.h"

namespace sluice::filters {
namespace {

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

std::optional<LikePattern> LikePattern::compile(std::string_view pattern, std::optional<char> escape) {
  LikePattern made;
  made.segments_.emplace_back();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (escape && c == *escape) {
      ++i;
      if (i == pattern.size() || (pattern[i] != '%' && pattern[i] != '_' && pattern[i] != *escape))
        return std::nullopt;
      made.segments_.back().push_back(static_cast<unsigned char>(pattern[i]));
    } else if (c == '%') {
      made.segments_.emplace_back();
    } else if (c == '_') {
      made.segments_.back().push_back(any_character);
    } else {
      made.segments_.back().push_back(static_cast<unsigned char>(c));
    }
  }
  return made;
}

// Where the segment ends when it begins at `at`.
std::optional<std::size_t> LikePattern::match_forward(const Segment& segment, std::string_view text,
                                                      std::size_t at) {
  for (const std::uint16_t unit : segment) {
    if (at == text.size()) return std::nullopt;
    if (unit != any_character && unit != static_cast<unsigned char>(text[at])) return std::nullopt;
    ++at;
    if (unit == any_character)
      while (at < text.size() && continues_character(text[at])) ++at;
  }
  return at;
}

// Where the segment begins when it ends at the end of the text.
std::optional<std::size_t> LikePattern::match_backward(const Segment& segment, std::string_view text) {
  std::size_t at = text.size();
  for (auto unit = segment.rbegin(); unit != segment.rend(); ++unit) {
    if (at == 0) return std::nullopt;
    --at;
    if (*unit == any_character) {
      while (at > 0 && continues_character(text[at])) --at;
    } else if (*unit != static_cast<unsigned char>(text[at])) {
      return std::nullopt;
    }
  }
  return at;
}

// The first and last segment are anchored; for those between them the leftmost match is always a right one.
bool LikePattern::matches(std::string_view text) const {
  const auto begin = match_forward(segments_.front(), text, 0);
  if (!begin) return false;
  if (segments_.size() == 1) return *begin == text.size();
  const auto end = match_backward(segments_.back(), text.substr(*begin));
  if (!end) return false;
  const std::string_view middle = text.substr(*begin, *end);
  std::size_t at = 0;
  for (std::size_t i = 1; i + 1 < segments_.size(); ++i) {
    std::optional<std::size_t> next;
    for (; !next; ++at) {
      if (at > middle.size()) return false;
      next = match_forward(segments_[i], middle, at);
    }
    at = *next;
  }
  return true;
}

}  // namespace sluice::filters
