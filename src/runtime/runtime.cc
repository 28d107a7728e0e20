// SPDX-License-Identifier: Apache-2.0
#include "runtime/runtime.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <latch>

namespace sluice::runtime {
namespace {

std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
    }
  }
  return cores;
}

void pin_to(std::thread& thread, int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  ::pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);  // refused: it runs anywhere, as before
}

void raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Runtime::Runtime(const RuntimeOptions& options, base::Disk& disk, base::Logger& logger) : options_(options) {
  if (options_.shards == 0) {
    options_.shards = std::clamp<std::uint32_t>(static_cast<std::uint32_t>(usable_cores().size()), 1, 256);
  }
  raise_open_files_limit();
  std::signal(SIGPIPE, SIG_IGN);  // sendfile has no MSG_NOSIGNAL
  office_ = std::make_unique<PostOffice>(options_.shards);
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    loops_.push_back(
        std::make_unique<ShardLoop>(i, *office_, clock_, disk, logger, options_.background_threads));
  }
  std::vector<ShardLoop*> all;
  for (const auto& loop : loops_) all.push_back(loop.get());
  for (const auto& loop : loops_) loop->set_neighbours(all);
}

Runtime::~Runtime() {
  stop(0);
}

void Runtime::register_metrics(base::MetricsRegistry& registry) const {
  for (const auto& loop : loops_) loop->register_metrics(registry);
}

base::Result<base::Listener> Runtime::listen(ListenSpec spec) {
  INVARIANT(threads_.empty(), "listen before start");
  if (!spec.local_path.empty()) {
    TRY(fd, bind_local(spec.local_path));
    loops_[0]->add_listener(fd, std::make_shared<ListenState>(std::move(spec)));
    return base::Listener{};
  }
  base::Listener address = spec.address;
  auto sockets = bind_tcp(address, shard_count());
  if (!sockets) {
    sockets.error().text = fmt::format("{} listener: {}", spec.name, sockets.error().text);
    return std::unexpected(std::move(sockets).error());
  }
  const auto state = std::make_shared<ListenState>(std::move(spec));
  for (std::uint32_t i = 0; i < shard_count(); ++i) loops_[i]->add_listener((*sockets)[i], state);
  return address;
}

void Runtime::start() {
  const std::vector<int> cores = usable_cores();
  const bool pin = options_.pin && cores.size() >= loops_.size();
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    threads_.emplace_back([loop = loops_[i].get()] { loop->run(); });
    ::pthread_setname_np(threads_.back().native_handle(), fmt::format("sluice-{}", i).c_str());
    if (pin) pin_to(threads_.back(), cores[i]);
  }
}

void Runtime::run_on(std::uint32_t shard, base::Task task) {
  loops_[shard]->post(std::move(task));
}

void Runtime::run_on_and_wait(std::uint32_t shard, base::Task task) {
  std::promise<void> done;
  run_on(shard, [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void Runtime::on_every_shard(const EachShard& task) {
  std::latch done(static_cast<std::ptrdiff_t>(loops_.size()));
  for (std::uint32_t i = 0; i < loops_.size(); ++i) {
    run_on(i, [&, i] {
      task(i);
      done.count_down();
    });
  }
  done.wait();
}

// Two looks in a row: mail taken from one shard in the first may have made mail for another.
bool Runtime::wait_until_quiet(std::int64_t deadline_ms) {
  for (int in_a_row = 0; in_a_row < 2;) {
    std::atomic<bool> quiet{true};
    on_every_shard([&](std::uint32_t i) {
      if (!loops_[i]->quiet()) quiet.store(false);
    });
    in_a_row = quiet.load() ? in_a_row + 1 : 0;
    if (in_a_row == 0) {
      if (clock_.monotonic_ms() >= deadline_ms) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  return true;
}

void Runtime::stop(std::int64_t patience_ms, const EachShard& before_rest) {
  if (threads_.empty()) return;
  const std::int64_t deadline_ms = clock_.monotonic_ms() + patience_ms;
  on_every_shard([&](std::uint32_t i) {
    loops_[i]->close_listeners();
    loops_[i]->finish_connections();
  });
  wait_until_quiet(std::min(deadline_ms, clock_.monotonic_ms() + 1000));
  on_every_shard([&](std::uint32_t i) {
    loops_[i]->close_connections();
    if (before_rest) before_rest(i);
  });
  wait_until_quiet(deadline_ms);
  for (const auto& loop : loops_) {
    loop->post([&loop] { loop->stop(); });
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace sluice::runtime
