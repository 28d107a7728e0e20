// SPDX-License-Identifier: Apache-2.0
// What a scenario gets and what it returns, and the list of them. A scenario prepares its stream unmeasured,
// then runs between Meter::start and Meter::stop.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "link.h"
#include "process.h"

namespace sluice::bench {

struct Settings {
  Broker broker;
  double seconds = 5;                   // of measuring, where a scenario runs by time
  std::uint64_t messages = 2'000'000;   // stored for replays
  std::uint64_t small_chunks = 30'000;  // stored for replay-small-chunks
  std::uint32_t frame_messages = 100;
  std::uint32_t window_messages = 10'000;
  std::uint16_t credit = 10;          // of readers, as most clients start
  std::uint16_t filter_credit = 200;  // of filtered readers, as our client starts; runs of matches are small
  // Streams published to keep this much (0: all): a stream in its steady state, which also lets the page
  // cache use its pages again.
  std::uint64_t kept_mib = 128;
};

struct Measurement {
  bool supported = true;  // false: this broker does not have what the scenario needs
  std::uint64_t messages = 0;
  double seconds = 0;
  double client_cpu_seconds = 0;
  double broker_cpu_seconds = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  Memory memory = {};
  std::vector<std::pair<std::string, double>> more = {};  // figures of one scenario only
};

class Meter {
 public:
  explicit Meter(const Settings& settings) : pid_(settings.broker.pid) {}
  void start(std::span<Link* const> links);
  double elapsed() const { return now_seconds() - began_; }
  Measurement stop(std::span<Link* const> links, std::uint64_t messages);

 private:
  int pid_;
  double began_ = 0;
  double client_cpu_ = 0;
  double broker_cpu_ = 0;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

struct Scenario {
  std::string_view name;
  std::string_view doc;
  Measurement (*run)(const Settings& settings);
};

std::span<const Scenario> publish_scenarios();
std::span<const Scenario> replay_scenarios();
std::span<const Scenario> filter_scenarios();

}  // namespace sluice::bench
