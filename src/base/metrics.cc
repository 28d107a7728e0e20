// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

namespace sluice::base {

void MetricsRegistry::add_one(std::string_view name, MetricKind kind, std::string_view help,
                              std::string_view labels, const Counter& counter) {
  for (Entry& entry : entries_) {
    if (entry.name == name && entry.labels == labels) {
      entry.counters.push_back(&counter);
      return;
    }
  }
  entries_.push_back({name, kind, help, labels, {&counter}});
}

std::vector<MetricSample> MetricsRegistry::collect() const {
  std::vector<MetricSample> samples;
  samples.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    std::uint64_t sum = 0;
    for (const Counter* counter : entry.counters) sum += counter->get();
    samples.push_back({entry.name, entry.kind, entry.help, entry.labels, sum});
  }
  return samples;
}

}  // namespace sluice::base
