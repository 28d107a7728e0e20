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
  // AMQP: of work queues.
  std::uint16_t prefetch = 1000;
  std::uint32_t ack_every = 100;             // with multiple
  std::uint64_t backlog_messages = 500'000;  // of 1,000 bytes, filled and drained
  std::uint32_t connections = 5'000;         // idle ones
  std::uint32_t queues = 10'000;             // with a message a second each, and idle ones
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

// p50_us, p95_us, p99_us and max_us of latencies in seconds.
void report_latencies(std::vector<double>& latencies, Measurement& into);

class Meter {
 public:
  explicit Meter(const Settings& settings) : pid_(settings.broker.pid) {}
  template <class Links>
  void start(const Links& links) {
    start();
    for (const auto* link : links) bytes_in_ -= link->bytes_in(), bytes_out_ -= link->bytes_out();
  }
  double elapsed() const { return now_seconds() - began_; }
  template <class Links>
  Measurement stop(const Links& links, std::uint64_t messages) {
    Measurement measured = stop(messages);
    for (const auto* link : links) bytes_in_ += link->bytes_in(), bytes_out_ += link->bytes_out();
    measured.bytes_in = bytes_in_;
    measured.bytes_out = bytes_out_;
    return measured;
  }

 private:
  void start();
  Measurement stop(std::uint64_t messages);

  int pid_;
  double began_ = 0;
  double client_cpu_ = 0;
  double broker_cpu_ = 0;
  std::uint64_t bytes_in_ = 0;  // at the end minus at the start; wraps meanwhile
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
std::span<const Scenario> amqp_flow_scenarios();
std::span<const Scenario> amqp_scale_scenarios();
std::span<const Scenario> amqp_compaction_scenarios();

}  // namespace sluice::bench
