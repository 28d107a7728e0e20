// SPDX-License-Identifier: Apache-2.0
// With at most 255 references a linear search for the oldest is cheap, and needed only when one too many
// comes.
#include "storage/sequences.h"

#include <algorithm>

namespace sluice::storage {

void SequenceMap::set(std::string_view reference, std::uint64_t publishing_id) {
  auto found = entries_.find(reference);
  if (found == entries_.end()) {
    if (entries_.size() >= references_max)
      entries_.erase(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second.used < b.second.used;
      }));
    found = entries_.emplace(std::string(reference), Entry{}).first;
  }
  found->second = {publishing_id, ++uses_};
}

void SequenceMap::apply(const TrailerView& trailer) {
  if (trailer.is_snapshot()) clear();
  trailer.for_each_sequence([&](std::string_view reference, std::uint64_t id) { set(reference, id); });
}

std::optional<std::uint64_t> SequenceMap::find(std::string_view reference) const {
  const auto found = entries_.find(reference);
  if (found == entries_.end()) return std::nullopt;
  return found->second.publishing_id;
}

SequenceList SequenceMap::list() const {
  std::vector<std::pair<std::uint64_t, const std::string*>> order;
  for (const auto& [reference, entry] : entries_) order.emplace_back(entry.used, &reference);
  std::sort(order.begin(), order.end());
  SequenceList list;
  for (const auto& [used, reference] : order)
    list.emplace_back(*reference, entries_.find(*reference)->second.publishing_id);
  return list;
}

}  // namespace sluice::storage
