// SPDX-License-Identifier: Apache-2.0
// What a process has cost so far, from /proc: CPU seconds of all of its threads and of its children, resident
// memory now and at its highest. CPU time has the kernel's granularity of 10 ms, so measure for seconds.
#pragma once

#include <cstdint>

namespace sluice::bench {

// utime + stime of the process and of all its descendants, living or waited for. 0 for pid 0.
double cpu_seconds_of(int pid);
double own_cpu_seconds();

struct Memory {
  std::uint64_t rss_bytes = 0;
  std::uint64_t rss_peak_bytes = 0;  // since reset_peak
};
Memory memory_of(int pid);
void reset_peak(int pid);  // needs the right to; without it the peak is that of the process's life

double now_seconds();  // monotonic

}  // namespace sluice::bench
