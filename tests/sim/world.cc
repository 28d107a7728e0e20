// SPDX-License-Identifier: Apache-2.0
#include "sim/world.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::sim {

World::World(std::uint64_t seed, bool verbose) : dice(seed), seed_(seed), verbose_(verbose) {}

void World::after(std::int64_t delay_us, Owner owner, base::Task task) {
  heap_.emplace(std::pair{now_us_ + delay_us, sequence_++}, Event{owner, std::move(task)});
}

bool World::step() {
  if (heap_.empty()) return false;
  auto next = heap_.extract(heap_.begin());
  now_us_ = next.key().first;
  ++events_;
  fingerprint_ = fingerprint_ * 0x100000001B3ULL ^ static_cast<std::uint64_t>(now_us_) ^ next.key().second;
  next.mapped().task();
  return true;
}

void World::drop(Owner owner) {
  std::erase_if(heap_, [&](const auto& each) { return each.second.owner == owner; });
}

void World::add_note(std::string text) {
  for (const char c : text) fingerprint_ = fingerprint_ * 0x100000001B3ULL ^ static_cast<unsigned char>(c);
  text = fmt::format("{:>10.3f} ms  {}", static_cast<double>(now_us_) / 1000, text);
  if (verbose_) std::fprintf(stderr, "%s\n", text.c_str());
  notes_.push_back(std::move(text));
  if (notes_.size() > notes_max) notes_.pop_front();
}

void World::fail_with(const std::string& text) {
  for (const std::string& note : notes_) std::fprintf(stderr, "%s\n", note.c_str());
  std::fprintf(stderr, "\nVIOLATION at %.3f ms: %s\nagain with the same --steps and: sim --seed=%llu\n",
               static_cast<double>(now_us_) / 1000, text.c_str(), static_cast<unsigned long long>(seed_));
  std::fflush(stderr);
  std::_Exit(1);
}

}  // namespace sluice::sim
