// SPDX-License-Identifier: Apache-2.0
#include "runtime/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace sluice::runtime {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::uint64_t page_bytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::uint64_t read_memory_total_bytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * page_bytes();
}

std::uint64_t read_private_bytes() {
  std::uint64_t total_pages = 0, resident_pages = 0, shared_pages = 0;
  std::ifstream statm("/proc/self/statm");
  if (!(statm >> total_pages >> resident_pages >> shared_pages)) return 0;
  return (resident_pages - std::min(resident_pages, shared_pages)) * page_bytes();
}

ProcessStats read_process_stats() {
  ProcessStats stats;
  std::uint64_t total_pages = 0, resident_pages = 0;
  if (std::ifstream statm("/proc/self/statm"); statm >> total_pages >> resident_pages) {
    stats.resident_bytes = resident_pages * page_bytes();
  }
  stats.memory_total_bytes = read_memory_total_bytes();
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error)) {
    ++stats.open_files;
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.open_files_max = limit.rlim_cur;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    stats.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  }
  return stats;
}

}  // namespace sluice::runtime
