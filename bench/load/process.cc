// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace sluice::bench {
namespace {

double own_ticks(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const auto end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return 0;
  std::istringstream fields(line.substr(end_of_name + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state .. cmajflt
  double ticks = 0;
  for (int i = 0; i < 4; ++i) {  // utime stime cutime cstime
    double value = 0;
    fields >> value;
    ticks += value;
  }
  return ticks;
}

double ticks_of_tree(int pid, int depth) {
  double ticks = own_ticks(pid);
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    std::ifstream children(task.path() / "children");
    int child = 0;
    while (depth < 8 && children >> child) ticks += ticks_of_tree(child, depth + 1);
  }
  return ticks;
}

}  // namespace

double cpu_seconds_of(int pid) {
  if (pid == 0) return 0;
  return ticks_of_tree(pid, 0) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Memory memory_of(int pid) {
  Memory memory;
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  std::string line;
  while (std::getline(file, line)) {
    std::uint64_t kib = 0;
    if (std::sscanf(line.c_str(), "VmRSS: %lu", &kib) == 1) memory.rss_bytes = kib * 1024;
    if (std::sscanf(line.c_str(), "VmHWM: %lu", &kib) == 1) memory.rss_peak_bytes = kib * 1024;
  }
  return memory;
}

void reset_peak(int pid) {
  std::ofstream(fmt::format("/proc/{}/clear_refs", pid)) << 5;
}

double now_seconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace sluice::bench
