// SPDX-License-Identifier: Apache-2.0
// A stream on the shard that owns its log: the log, who publishes to it, who reads it from which shard, its
// groups of single active consumers. Turns what the log says into News for the shards concerned. Owned by
// StreamOwner.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ports.h"
#include "broker/news.h"
#include "broker/records.h"
#include "broker/sac_group.h"
#include "log/log.h"

namespace sluice::broker {

struct OriginHash {
  std::size_t operator()(const log::Origin& origin) const {
    return std::hash<std::uint64_t>{}(origin.client * 31 + origin.token);
  }
};

class OpenStream final : public log::Listener {
 public:
  // `news` has one place per shard; `touched` gets this stream once per turn in which something happened.
  OpenStream(QueueRecord record, std::vector<News>& news, std::vector<OpenStream*>& touched)
      : record_(std::move(record)), news_(news), touched_(touched) {}

  base::Result<> open(base::Shard& shard, std::string directory, const log::Options& options);
  void close();    // at the end of the process; nobody is told
  void discard();  // its files are removed next; nobody is told

  const QueueRecord& record() const { return record_; }
  log::Log* log() { return log_.get(); }  // null when it could not be opened
  const std::optional<std::string>& down_reason() const { return down_reason_; }

  // -- publishers
  void add_publisher(log::Origin origin, std::string_view reference);
  void remove_publisher(log::Origin origin) { publishers_.erase(origin); }
  void append(log::Origin origin, std::span<const log::Entry> entries);
  std::size_t publisher_count() const { return publishers_.size(); }

  // -- readers
  struct Join {  // a single active consumer
    std::string group;
    std::int32_t partition_index = -1;
    std::uint32_t subscription_id = 0;
    std::string connection_name;
  };
  // The view the reader starts from; its shard hears of every later one. precondition_failed for a group with
  // another partition index.
  base::Result<storage::LogView> attach(log::Origin reader, std::optional<Join> join);
  void detach(log::Origin reader);
  void stepped_down(log::Origin reader);
  std::size_t reader_count() const { return readers_.size(); }
  using Groups = std::map<std::string, SacGroup, std::less<>>;
  const Groups& groups() const { return groups_; }

  // Flushes, sends the view where it is read, says when the log is full or has room again. True: look again
  // at the end of the next turn.
  bool on_turn_end(std::int64_t wall_ms, std::int64_t monotonic_ms);

  // -- log::Listener
  void on_committed(log::Origin origin, std::span<const std::uint64_t> publishing_ids) override;
  void on_refused(log::Origin origin, std::span<const std::uint64_t> publishing_ids, base::Errc why) override;
  void on_view_changed(const storage::LogView& committed) override;
  void on_offline(const base::Error& error) override;

 private:
  struct Reader {
    std::string group;  // empty: none
  };
  void forget_users();
  void touch();
  void tell(const SacGroup::Notices& notices);
  void go_down(std::string reason);
  News& news_of(std::uint64_t client) { return news_[shard_of(client).value]; }

  QueueRecord record_;
  std::vector<News>& news_;
  std::vector<OpenStream*>& touched_;
  std::unique_ptr<log::Log> log_;
  std::optional<std::string> down_reason_;
  std::unordered_map<log::Origin, std::string, OriginHash> publishers_;  // and their references
  std::unordered_map<log::Origin, Reader, OriginHash> readers_;
  std::vector<std::uint32_t> readers_by_shard_;
  Groups groups_;
  bool touched_now_ = false;
  bool view_changed_ = false;
  bool full_ = false;
  bool going_down_ = false;
};

}  // namespace sluice::broker
