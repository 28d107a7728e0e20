// SPDX-License-Identifier: Apache-2.0
// What the parts of bench_micro share: a clock, a hash over results, the loop that measures.
#pragma once

#include <fmt/format.h>
#include <time.h>

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace sluice::bench {

// Of this thread: other programs on the machine count for little.
inline double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// FNV-1a over 64-bit values: cheap, and no part of what is measured.
struct ResultHash {
  std::uint64_t state = 14695981039346656037ULL;
  void add(std::uint64_t value) { state = (state ^ value) * 1099511628211ULL; }
};

// Runs `work(round, hash)`, which returns how many items it did, for all rounds.
template <class Work>
void measure(std::string_view name, std::uint64_t rounds, Work work) {
  ResultHash hash;
  std::uint64_t items = 0;
  const double began = cpu_ns();
  for (std::uint64_t round = 0; round < rounds; ++round) items += work(round, hash);
  fmt::print("{:<28} {:>10.2f} ns/item  {:>12} items  hash {:016x}\n", name,
             (cpu_ns() - began) / static_cast<double>(items), items, hash.state);
}

inline base::ByteBuffer body_of(std::size_t size) {
  base::ByteBuffer body(size);
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::uint8_t>(i * 31);
  return body;
}

void bench_journal(std::uint64_t rounds);      // micro_journal.cc
void bench_work_queues(std::uint64_t rounds);  // micro_work.cc
void bench_routing(std::uint64_t rounds);      // micro_routing.cc

}  // namespace sluice::bench
