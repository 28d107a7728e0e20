// SPDX-License-Identifier: Apache-2.0
// The simulated world: a virtual clock, one heap of events, and all chance from one seed. Everything that
// happens in a simulation (bytes arriving, mail, background work, ticks, clients' ideas, faults) is an event;
// there is one thread, and the same seed gives the same run. Times are virtual microseconds.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <random>
#include <string>

#include "base/ports.h"

namespace sluice::sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() { return engine_(); }
  // 0..n-1
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : engine_() % n; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class List>
  auto& pick(List& list) {
    return list[below(std::size(list))];
  }

 private:
  std::mt19937_64 engine_;
};

// Whose events they are: those of a node die with it.
using Owner = std::uint32_t;
inline constexpr Owner nobody = 0;

class World {
 public:
  World(std::uint64_t seed, bool verbose);

  Dice dice;
  std::int64_t now_us() const { return now_us_; }
  std::uint64_t events() const { return events_; }
  // Of times and everything noted: equal for equal seeds.
  std::uint64_t fingerprint() const { return fingerprint_; }

  void after(std::int64_t delay_us, Owner owner, base::Task task);
  bool step();  // runs the next event; false: there is none
  void drop(Owner owner);

  // A line of the run's story; the last ones are printed when a checker fails.
  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    add_note(fmt::format(text, std::forward<Args>(args)...));
  }
  // A checker was violated: prints what, the seed and the story, and ends the process.
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
    fail_with(fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  struct Event {
    Owner owner;
    base::Task task;
  };
  void add_note(std::string text);
  [[noreturn]] void fail_with(const std::string& text);

  static constexpr std::size_t notes_max = 60;
  std::uint64_t seed_;
  bool verbose_;
  std::int64_t now_us_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::map<std::pair<std::int64_t, std::uint64_t>, Event> heap_;
  std::deque<std::string> notes_;
};

}  // namespace sluice::sim
