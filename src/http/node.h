// SPDX-License-Identifier: Apache-2.0
// What HTTP tells about the process it runs in. src/server fills it before the shards start; the machine
// itself is asked through `usage`, because only src/runtime knows it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "broker/types.h"

namespace sluice::http {

struct NodeUsage {
  std::uint64_t resident_bytes = 0;
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t open_files = 0, open_files_max = 0;
  std::uint64_t disk_free_bytes = 0;
  double cpu_seconds = 0;
  double uptime_seconds = 0;
};

struct NodeSetting {  // one row of `sluicectl environment`
  std::string key, value, default_value, source;
};

struct Node {
  std::string name;     // as rabbit@host is for RabbitMQ
  std::string cluster;  // cluster_name
  std::string version;
  std::string data_dir;
  std::int64_t pid = 0;
  std::uint32_t shards = 0;
  std::vector<std::string> listeners;  // "stream 127.0.0.1:5552"
  std::vector<NodeSetting> settings;
  broker::Identity administrator;  // whom commands of the unix socket act as
  const base::MetricsRegistry* registry = nullptr;
  std::function<NodeUsage()> usage;
};

}  // namespace sluice::http
