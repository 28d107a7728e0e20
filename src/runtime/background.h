// SPDX-License-Identifier: Apache-2.0
// Slow work of one shard on a few threads of its own: syncs, removal of directories, building of summaries.
// run() and finish() are called on the shard; finish() runs the `done` of everything completed. The queue has
// a soft bound: above it full() is true and the shard reads no sockets until it has drained, so whatever
// makes work is slowed down and nothing is refused.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "base/ports.h"
#include "runtime/wakeup.h"

namespace sluice::runtime {

struct BackgroundMetrics {
  base::Counter submitted, waiting;
  static constexpr auto metrics() {
    using base::MetricKind;
    return std::tuple{base::metric("sluice_background_jobs_total", &BackgroundMetrics::submitted,
                                   MetricKind::counter, "jobs given to background threads"),
                      base::metric("sluice_background_jobs_waiting", &BackgroundMetrics::waiting,
                                   MetricKind::gauge, "of them not yet finished")};
  }
};

class BackgroundPool final : public base::Background {
 public:
  static constexpr std::size_t jobs_max = 1024;

  BackgroundPool(std::uint32_t threads, Wakeup& wakeup, const std::string& name);
  ~BackgroundPool() override;  // finishes the work that was begun or queued; its `done` are dropped

  void run(base::Task work, base::Task done) override;

  bool finish();  // true when anything ran
  bool full() const { return unfinished_ >= jobs_max; }
  bool idle() const { return unfinished_ == 0; }
  bool has_finished() const { return finished_any_.load(); }
  const BackgroundMetrics& metrics() const { return metrics_; }

 private:
  struct Job {
    base::Task work, done;
  };
  void work_until_stopped();

  Wakeup& wakeup_;
  std::size_t unfinished_ = 0;  // the shard's own count
  BackgroundMetrics metrics_;
  std::mutex mutex_;
  std::condition_variable work_arrived_;
  std::deque<Job> queue_;
  std::vector<base::Task> finished_;
  std::atomic<bool> finished_any_{false};
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::runtime
