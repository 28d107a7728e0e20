// SPDX-License-Identifier: Apache-2.0
// Metrics, declared beside the code that moves them. A counter has one writer (its shard) and any number of
// readers (a scrape), so it is a relaxed atomic without a read-modify-write.
//
//   struct StreamMetrics {
//     base::Counter messages_received;
//     static constexpr auto metrics() {
//       return std::tuple{base::metric("rabbitmq_global_messages_received_total",
//                                      &StreamMetrics::messages_received, base::MetricKind::counter,
//                                      "messages received from publishers", "protocol=\"stream\"")};
//     }
//   };
//
// MetricsRegistry::add(instance) is called once per shard for each such struct; samples of the same name and
// labels are summed over the shards.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sluice::base {

class Counter {
 public:
  void add(std::uint64_t n = 1) { set(get() + n); }
  void sub(std::uint64_t n = 1) { set(get() - n); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

enum class MetricKind : std::uint8_t { counter, gauge };

template <class Struct>
struct Metric {
  std::string_view name;
  Counter Struct::* member;
  MetricKind kind;
  std::string_view help;
  std::string_view labels;  // as in the text format, without braces; may be empty
};

template <class Struct>
constexpr Metric<Struct> metric(std::string_view name, Counter Struct::* member, MetricKind kind,
                                std::string_view help, std::string_view labels = {}) {
  return {name, member, kind, help, labels};
}

struct MetricSample {
  std::string_view name;
  MetricKind kind;
  std::string_view help;
  std::string_view labels;
  std::uint64_t value;
};

class MetricsRegistry {
 public:
  // `instance` must outlive the registry. Call before the shards start.
  template <class Struct>
  void add(const Struct& instance) {
    std::apply(
        [&](const auto&... each) {
          (add_one(each.name, each.kind, each.help, each.labels, instance.*(each.member)), ...);
        },
        Struct::metrics());
  }
  // Samples in order of first registration, summed over instances. Safe from any thread.
  std::vector<MetricSample> collect() const;

 private:
  struct Entry {
    std::string_view name;
    MetricKind kind;
    std::string_view help;
    std::string_view labels;
    std::vector<const Counter*> counters;
  };
  void add_one(std::string_view name, MetricKind kind, std::string_view help, std::string_view labels,
               const Counter& counter);
  std::vector<Entry> entries_;
};

}  // namespace sluice::base
