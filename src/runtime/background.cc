// SPDX-License-Identifier: Apache-2.0
#include "runtime/background.h"

#include <pthread.h>

#include <utility>

namespace sluice::runtime {

BackgroundPool::BackgroundPool(std::uint32_t threads, Wakeup& wakeup, const std::string& name)
    : wakeup_(wakeup) {
  for (std::uint32_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work_until_stopped(); });
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

BackgroundPool::~BackgroundPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_arrived_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void BackgroundPool::run(base::Task work, base::Task done) {
  ++unfinished_;
  metrics_.submitted.add();
  metrics_.waiting.set(unfinished_);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(work), std::move(done)});
  }
  work_arrived_.notify_one();
}

bool BackgroundPool::finish() {
  if (!finished_any_.exchange(false)) return false;
  std::vector<base::Task> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  unfinished_ -= finished.size();
  metrics_.waiting.set(unfinished_);
  for (base::Task& done : finished) {
    if (done) done();
  }
  return !finished.empty();
}

void BackgroundPool::work_until_stopped() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job.work();
    job.work = nullptr;  // what it owned goes before the shard hears of it
    lock.lock();
    finished_.push_back(std::move(job.done));
    finished_any_.store(true);
    wakeup_.wake();
  }
}

}  // namespace sluice::runtime
