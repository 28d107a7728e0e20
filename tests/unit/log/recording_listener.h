// SPDX-License-Identifier: Apache-2.0
// RecordingListener: notes what a log tells its owner; TestLog: a log on a memory disk with one.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "log/log.h"
#include "support/test_shard.h"

namespace sluice::log {

class RecordingListener final : public Listener {
 public:
  void on_committed(Origin origin, std::span<const std::uint64_t> ids) override {
    REQUIRE_FALSE(ids.empty());
    auto& all = committed[origin.token];
    all.insert(all.end(), ids.begin(), ids.end());
    ++calls;
  }
  void on_refused(Origin origin, std::span<const std::uint64_t> ids, base::Errc code) override {
    REQUIRE(code == base::Errc::stream_unavailable);
    auto& all = refused[origin.token];
    all.insert(all.end(), ids.begin(), ids.end());
  }
  void on_view_changed(const storage::LogView& view) override {
    REQUIRE(view.next_offset >= last_view.next_offset);
    last_view = view;
    ++views;
  }
  void on_offline(const base::Error& error) override {
    ++offline;
    why = error.text;
  }

  std::map<std::uint32_t, std::vector<std::uint64_t>> committed, refused;
  storage::LogView last_view;
  std::size_t calls = 0, views = 0, offline = 0;
  std::string why;
};

struct TestLog {
  explicit TestLog(Options log_options = {}) : options(std::move(log_options)) {
    options.metrics = &metrics;
    open();
  }
  ~TestLog() {
    if (log) log->close();
  }

  void open() { log = Log::open(shard.shard, "log", options, listener, report).value(); }
  // The process dies: nothing is flushed; files keep what was written.
  void crash() {
    log.reset();
    open();
  }

  void publish(std::uint32_t publisher, std::vector<std::uint64_t> ids, std::string_view reference = {}) {
    std::vector<Entry> entries;
    for (auto id : ids)
      entries.push_back({.publishing_id = id, .filter_value = {}, .body = base::as_bytes(body)});
    log->append({1, publisher}, reference, entries);
  }
  void flush() { log->flush(shard.clock.wall_ms(), shard.clock.monotonic_ms()); }
  void tick() { log->tick(shard.clock.wall_ms(), shard.clock.monotonic_ms()); }

  test::TestShard shard;
  Metrics metrics;
  RecordingListener listener;
  storage::OpenReport report;
  Options options;
  std::string body = "body";
  std::unique_ptr<Log> log;
};

}  // namespace sluice::log
