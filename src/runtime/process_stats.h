// SPDX-License-Identifier: Apache-2.0
// What the operating system says about this process. Reads /proc; safe from any thread, costs some 50 us.
#pragma once

#include <cstdint>

namespace sluice::runtime {

struct ProcessStats {
  std::uint64_t resident_bytes = 0;
  std::uint64_t memory_total_bytes = 0;  // of the machine
  std::uint64_t open_files = 0, open_files_max = 0;
  double cpu_seconds = 0;  // user and system, all threads
};

ProcessStats read_process_stats();

// Resident memory without what only caches files, which the system takes back when it needs it. Costs some 10
// us.
std::uint64_t read_private_bytes();
std::uint64_t read_memory_total_bytes();

}  // namespace sluice::runtime
