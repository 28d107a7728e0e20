// SPDX-License-Identifier: Apache-2.0
// Wakes a sleeping shard from other threads, at the price of a system call only when it does sleep.
//
// The shard: prepare_sleep(); look once more for work; block on descriptor() unless there is some;
// end_sleep(). Others: make the work visible, then wake(). Both sides exchange the same atomic, so either the
// shard sees the work or the other side sees the sleeper.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "base/check.h"

namespace sluice::runtime {

class Wakeup {
 public:
  Wakeup() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    INVARIANT(fd_ >= 0, "no eventfd: out of file descriptors at start-up");
  }
  ~Wakeup() { ::close(fd_); }
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int descriptor() const { return fd_; }

  void wake() {
    if (!sleeping_.exchange(false)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written =
        ::write(fd_, &one, sizeof one);  // only fails when already readable
  }

  void prepare_sleep() { sleeping_.exchange(true); }
  void end_sleep() { sleeping_.exchange(false); }
  void clear() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t taken = ::read(fd_, &count, sizeof count);
  }

 private:
  int fd_;
  std::atomic<bool> sleeping_{false};
};

}  // namespace sluice::runtime
