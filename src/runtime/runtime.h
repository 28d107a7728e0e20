// SPDX-License-Identifier: Apache-2.0
// The machine as a whole: makes the shards, listens, runs them, stops them. Used by src/server and tests from
// one thread, in this order: construct - shard(i), add_hook, listen, register_metrics - start - stop (or
// destroy). Whatever lives on the shards is made before start() or by a task given to run_on(), and is
// destroyed after stop().
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/options.h"
#include "runtime/shard_loop.h"

namespace sluice::runtime {

struct RuntimeOptions {
  std::uint32_t shards = 0;
  bool pin = true;
  std::uint32_t background_threads = 2;

  static constexpr auto options() {
    return std::tuple{
        base::option("shards", &RuntimeOptions::shards,
                     "shards, one thread each; 0: one per core the server may use", base::Range{0, 256}),
        base::option("shards.pin", &RuntimeOptions::pin,
                     "keep each shard's thread on a core of its own (when there are enough)"),
        base::option("shards.background_threads", &RuntimeOptions::background_threads,
                     "threads per shard for work that blocks, such as syncs", base::Range{1, 16})};
  }
};

class Runtime {
 public:
  Runtime(const RuntimeOptions& options, base::Disk& disk, base::Logger& logger);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  std::uint32_t shard_count() const { return static_cast<std::uint32_t>(loops_.size()); }
  base::Shard& shard(std::uint32_t index) { return loops_[index]->shard(); }
  base::Clock& clock() { return clock_; }
  void add_hook(std::uint32_t shard, TurnHook& hook) { loops_[shard]->add_hook(hook); }
  void register_metrics(base::MetricsRegistry& registry) const;

  // Returns the address listened on, with the port that was found when 0 was asked for.
  base::Result<base::Listener> listen(ListenSpec spec);

  void start();
  void run_on(std::uint32_t shard, base::Task task);           // from any thread
  void run_on_and_wait(std::uint32_t shard, base::Task task);  // not from a shard's thread

  // Closes the listeners, lets each connection's last bytes out, runs turns until mail and background work
  // have come to rest (at most `patience_ms`), and joins the threads. `before_rest` runs on every shard after
  // the connections are gone: the place to ask for last writes.
  using EachShard = std::function<void(std::uint32_t)>;
  void stop(std::int64_t patience_ms, const EachShard& before_rest = {});

 private:
  void on_every_shard(const EachShard& task);
  bool wait_until_quiet(std::int64_t deadline_ms);

  RuntimeOptions options_;
  SystemClock clock_;
  std::unique_ptr<PostOffice> office_;
  std::vector<std::unique_ptr<ShardLoop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::runtime
