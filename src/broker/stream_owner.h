// SPDX-License-Identifier: Apache-2.0
// The streams whose logs one shard owns, and what other shards ask of them. ShardBroker calls it, either for
// a client of its own shard or inside a task that another shard mailed. Directory of a log:
// <data_dir>/streams/<log id>, never used twice.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ports.h"
#include "broker/news.h"
#include "broker/offset_store.h"
#include "broker/open_stream.h"
#include "broker/shard_set.h"
#include "filters/plan.h"
#include "queue/stream_view.h"

namespace sluice::broker {

class StreamOwner {
 public:
  StreamOwner(base::Shard& shard, ShardSet& set);
  ~StreamOwner();  // flushes and closes the logs

  // An error means the stream is known and down; it is said in the log and in News.
  base::Result<> open(const QueueRecord& record);
  // What can change while it is open: how long its messages are kept.
  void set_arguments(base::LogId log, const StreamArguments& arguments);
  // Closes the log; its files go on a Background worker.
  void remove(base::LogId log);

  void add_publisher(base::LogId log, log::Origin origin, std::string_view reference);
  void remove_publisher(base::LogId log, log::Origin origin);
  // A stream that is gone refuses; the publishing ids are always answered.
  void append(base::LogId log, log::Origin origin, std::span<const log::Entry> entries);
  void count_mailed(base::ShardId from, std::uint64_t bytes) { news_[from.value].taken_bytes += bytes; }

  base::Result<storage::LogView> attach(base::LogId log, log::Origin reader,
                                        std::optional<OpenStream::Join> join);
  void detach(base::LogId log, log::Origin reader);
  void stepped_down(base::LogId log, log::Origin reader);

  // What readers may see of a log, now.
  base::Result<storage::LogView> committed(base::LogId log);

  // Questions; stream_not_found when the log is gone, stream_unavailable when it is down.
  base::Result<StreamStats> stats(base::LogId log);
  struct Counts {
    std::uint64_t messages = 0;
    std::uint32_t readers = 0;
  };
  std::optional<std::string> down_reason(base::LogId log);
  Counts counts(base::LogId log);  // none of a stream that is gone or down
  base::Result<std::uint64_t> resolve(base::LogId log, const OffsetSpec& spec, filters::FilterPlan plan);
  base::Result<std::uint64_t> sequence(base::LogId log, std::string_view reference);
  base::Result<std::uint64_t> query_offset(base::LogId log, std::string_view reference);
  base::Result<> reset_offset(base::LogId log, std::string_view reference);
  void store_offset(base::LogId log, std::string_view reference, std::uint64_t offset);
  base::Result<std::vector<TrackingRow>> tracking(base::LogId log);
  base::Result<std::vector<GroupMemberRow>> group_members(base::LogId log, std::string_view reference);
  void list_streams(std::vector<StreamRow>& rows) const;
  void list_groups(std::vector<GroupRow>& rows) const;

  // After it the news of the turn are complete; the caller takes them, shard by shard.
  void on_turn_end();
  void on_tick(std::int64_t monotonic_ms);
  std::vector<News>& news() { return news_; }

 private:
  static constexpr std::uint32_t tick_parts = 5;  // each log is ticked at every fifth tick
  OpenStream* find(base::LogId log);
  base::Result<OpenStream*> need(base::LogId log);
  base::Result<OpenStream*> need_running(base::LogId log);
  void update_gauges();

  base::Shard& shard_;
  ShardSet& set_;
  BrokerMetrics& metrics_;
  OffsetStore offsets_;
  std::vector<News> news_;
  std::vector<OpenStream*> touched_, touched_before_;
  std::unordered_map<base::LogId, std::unique_ptr<OpenStream>> streams_;
  std::uint32_t tick_ = 0;
};

queue::Seek to_seek(const OffsetSpec& spec);

}  // namespace sluice::broker
