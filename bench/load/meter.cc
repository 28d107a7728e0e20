// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "scenario.h"

namespace sluice::bench {

void report_latencies(std::vector<double>& latencies, Measurement& into) {
  if (latencies.empty()) return;
  std::sort(latencies.begin(), latencies.end());
  for (const auto& [name, part] :
       {std::pair{"p50_us", 0.5}, {"p95_us", 0.95}, {"p99_us", 0.99}, {"max_us", 1.0}}) {
    const auto at = static_cast<std::size_t>(part * static_cast<double>(latencies.size()));
    into.more.emplace_back(name, latencies[std::min(latencies.size() - 1, at)] * 1e6);
  }
}

void Meter::start() {
  if (pid_ != 0) reset_peak(pid_);
  bytes_in_ = bytes_out_ = 0;
  client_cpu_ = own_cpu_seconds();
  broker_cpu_ = cpu_seconds_of(pid_);
  began_ = now_seconds();
}

Measurement Meter::stop(std::uint64_t messages) {
  Measurement measured;
  measured.seconds = elapsed();
  measured.broker_cpu_seconds = cpu_seconds_of(pid_) - broker_cpu_;
  measured.client_cpu_seconds = own_cpu_seconds() - client_cpu_;
  measured.messages = messages;
  if (pid_ != 0) measured.memory = memory_of(pid_);
  return measured;
}

}  // namespace sluice::bench
