// SPDX-License-Identifier: Apache-2.0
#include "amqp/settlements.h"

#include <algorithm>

namespace sluice::amqp {

void Settlements::collect(const Unsettled::Entry& entry, broker::Settlement settlement) {
  if (settlement != collected_as_) flush();
  collected_as_ = settlement;
  connection_.context().settle_scratch.collected.push_back({entry.source, entry.offset});
}

// One call per source. A consumer's deliveries have one source, so nearly always there is nothing to sort.
void Settlements::flush() {
  auto& [collected, offsets] = connection_.context().settle_scratch;
  if (collected.empty()) return;
  if (!std::ranges::is_sorted(collected, {}, &SettleScratch::One::source)) {
    std::ranges::stable_sort(collected, {}, &SettleScratch::One::source);
  }
  for (std::size_t i = 0; i < collected.size();) {
    const Unsettled::Source source = collected[i].source;
    offsets.clear();
    for (; i < collected.size() && collected[i].source == source; ++i) offsets.push_back(collected[i].offset);
    connection_.messaging().settle(connection_.caller, source, offsets, collected_as_);
  }
  collected.clear();
}

}  // namespace sluice::amqp
