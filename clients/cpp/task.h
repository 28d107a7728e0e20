// SPDX-License-Identifier: Apache-2.0
// The few words of concurrency the client needs on top of Asio. Everything of one Environment runs on one
// executor (an io_context run by one thread, or a strand), so nothing here locks.
//
//   Task<T>     what an operation returns: co_await it, or hand it to start() with a callback
//   Waiters     coroutines that wait for something to change; the waker wakes all, the woken look again
//   TaskMutex   one coroutine at a time through a section that suspends
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

#include "base/error.h"

namespace sluice::client {

namespace asio = boost::asio;

template <class T>
using Task = asio::awaitable<T>;

// The callback form of every operation: start(executor, environment->create_stream("s", {}), [](Result<void>
// r) {...}).
template <class T, class Callback>
void start(const asio::any_io_executor& executor, Task<T> task, Callback callback) {
  asio::co_spawn(executor, std::move(task),
                 [callback = std::move(callback)](std::exception_ptr error, T result) mutable {
                   if (error) std::rethrow_exception(error);
                   callback(std::move(result));
                 });
}

// A task nobody waits for. Exceptions leave the executor's run().
inline void start(const asio::any_io_executor& executor, Task<void> task) {
  asio::co_spawn(executor, std::move(task), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

// A handler that is called later, through the executor, with one value.
template <class T>
class Completion {
 public:
  Completion() = default;
  template <class Handler>
  Completion(asio::any_io_executor executor, Handler handler)
      : executor_(std::move(executor)), handler_(std::move(handler)) {}

  void complete(T value) {
    asio::post(executor_, [handler = std::move(handler_), value = std::move(value)]() mutable {
      handler(std::move(value));
    });
  }

 private:
  asio::any_io_executor executor_;
  std::move_only_function<void(T)> handler_;
};

// Suspends; `store` is given the Completion that resumes with a value of T.
template <class T, class Store>
Task<T> suspend(Store store) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(
      [](auto handler, Store keep) {
        auto executor = asio::get_associated_executor(handler);
        keep(Completion<T>(executor, std::move(handler)));
      },
      asio::use_awaitable, std::move(store));
}

class Waiters {
 public:
  Task<bool> wait() {
    return suspend<bool>([this](Completion<bool> completion) { waiting_.push_back(std::move(completion)); });
  }
  void wake_all() {
    for (Completion<bool>& completion : std::exchange(waiting_, {})) completion.complete(true);
  }

 private:
  std::vector<Completion<bool>> waiting_;
};

class TaskMutex {
 public:
  Task<void> lock() {
    while (locked_) co_await waiters_.wait();
    locked_ = true;
  }
  void unlock() {
    locked_ = false;
    waiters_.wake_all();
  }

 private:
  bool locked_ = false;
  Waiters waiters_;
};

// Unlocks at the end of the scope; the mutex has been locked before.
class TaskUnlock {
 public:
  explicit TaskUnlock(TaskMutex& mutex) : mutex_(mutex) {}
  ~TaskUnlock() { mutex_.unlock(); }
  TaskUnlock(const TaskUnlock&) = delete;
  TaskUnlock& operator=(const TaskUnlock&) = delete;

 private:
  TaskMutex& mutex_;
};

}  // namespace sluice::client
