// SPDX-License-Identifier: Apache-2.0
// TestShard: a base::Shard for one-threaded tests: a clock moved by hand, seeded random, a memory disk,
// background work that runs at once or when the test says, mail that waits in a queue, a logger that
// collects.
//
//   test::TestShard shard;
//   shard.background_queued = true; ... shard.run_background(); shard.run_mail();
#pragma once

#include <deque>
#include <random>

#include "base/ports.h"
#include "support/memory_disk.h"

namespace sluice::test {

class ManualClock final : public base::Clock {
 public:
  std::int64_t wall_ms() const override { return wall_; }
  std::int64_t monotonic_ms() const override { return monotonic_; }
  void advance(std::int64_t ms) { wall_ += ms, monotonic_ += ms; }
  void set_wall(std::int64_t ms) { wall_ = ms; }

 private:
  std::int64_t wall_ = 1'700'000'000'000, monotonic_ = 1'000'000;
};

class SeededRandom final : public base::Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

class TestBackground final : public base::Background {
 public:
  bool queued = false;  // false: work and done run inside run()

  void run(base::Task work, base::Task done) override {
    if (queued) return waiting_.emplace_back(std::move(work), std::move(done)), void();
    run_one(work, done);
  }
  std::size_t waiting() const { return waiting_.size(); }
  // Runs what waits, oldest first, and what that adds. Returns how many ran.
  std::size_t run_all() {
    std::size_t ran = 0;
    for (; !waiting_.empty(); ++ran) {
      auto [work, done] = std::move(waiting_.front());
      waiting_.pop_front();
      run_one(work, done);
    }
    return ran;
  }

 private:
  static void run_one(base::Task& work, base::Task& done) {
    if (work) work();
    if (done) done();
  }
  std::deque<std::pair<base::Task, base::Task>> waiting_;
};

// One queue for all shards: good enough while the test has one thread.
class TestMail final : public base::Mail {
 public:
  void send(base::ShardId to, base::Task task) override { waiting_.emplace_back(to, std::move(task)); }
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t run_all() {
    std::size_t ran = 0;
    for (; !waiting_.empty(); ++ran) {
      auto task = std::move(waiting_.front().second);
      waiting_.pop_front();
      task();
    }
    return ran;
  }

 private:
  std::deque<std::pair<base::ShardId, base::Task>> waiting_;
};

class CollectingLogger final : public base::Logger {
 public:
  struct Line {
    base::LogLevel level;
    std::string text;  // "domain: message key=value ..."
  };
  bool enabled(base::LogLevel) const override { return true; }
  void write(base::LogLevel level, std::string_view domain, std::string_view message,
             std::initializer_list<base::LogField> fields) override {
    std::string text = fmt::format("{}: {}", domain, message);
    for (const auto& field : fields) text += fmt::format(" {}={}", field.key, field.value);
    std::lock_guard lock(mutex_);
    lines_.push_back({level, std::move(text)});
  }
  std::vector<Line> lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
  }
  bool has(std::string_view part) const {
    std::lock_guard lock(mutex_);
    return std::any_of(lines_.begin(), lines_.end(),
                       [&](const Line& line) { return line.text.find(part) != std::string::npos; });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Line> lines_;
};

// The same port objects may back several shards: make more base::Shard values from the members.
class TestShard {
 public:
  explicit TestShard(std::uint64_t seed = 1) : random(seed) {}

  ManualClock clock;
  SeededRandom random;
  MemoryDisk disk;
  TestBackground background;
  TestMail mail;
  CollectingLogger logger;
  base::Shard shard{base::ShardId{0}, 1, clock, random, disk, background, mail, logger};
};

}  // namespace sluice::test
