// SPDX-License-Identifier: Apache-2.0
// sim [--seed=N] [--count=N] [--steps=N] [--verbose]: runs the simulated world for `count` seeds from `seed`
// on. Each run is drawn from its seed alone, so a seed that fails can be looked at again. Exits with 1 at the
// first violation.
#include <charconv>
#include <cstdio>
#include <string_view>

#include "sim/workload.h"

namespace {

bool take(std::string_view argument, std::string_view name, std::uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  return std::from_chars(argument.begin(), argument.end(), value).ptr == argument.end() && !argument.empty();
}

}  // namespace

int main(int count_of_arguments, char** arguments) {
  std::uint64_t seed = 1, count = 1, steps = 2000;
  bool verbose = false;
  for (int i = 1; i < count_of_arguments; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--verbose") {
      verbose = true;
    } else if (!take(argument, "--seed=", seed) && !take(argument, "--count=", count) &&
               !take(argument, "--steps=", steps)) {
      std::fprintf(stderr, "usage: sim [--seed=N] [--count=N] [--steps=N] [--verbose]\n");
      return 2;
    }
  }
  for (const std::uint64_t end = seed + count; seed < end; ++seed) {
    sluice::sim::World world(seed, verbose);
    sluice::sim::Workload workload(world, steps);
    workload.run();
    std::printf("seed %llu: %s, %llu events, %.1f s, fingerprint %016llx\n",
                static_cast<unsigned long long>(seed), workload.summary().c_str(),
                static_cast<unsigned long long>(world.events()), static_cast<double>(world.now_us()) / 1e6,
                static_cast<unsigned long long>(world.fingerprint()));
    std::fflush(stdout);
  }
  return 0;
}
