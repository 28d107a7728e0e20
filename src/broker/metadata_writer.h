// SPDX-License-Identifier: Apache-2.0
// The way of a metadata change, on shard 0: one command at a time is decided, written to the metadata store
// on a Background worker, applied on all shards, and answered when all of them have. Shards that will own a
// new log apply first, so that nobody sees a stream before its log is open. When a log cannot be opened, the
// command is undone before the requester hears of it.
#pragma once

#include <deque>
#include <optional>

#include "base/ports.h"
#include "broker/catalog.h"
#include "broker/commands.h"
#include "broker/shard_set.h"

namespace sluice::broker {

// Who asked: the number is the asking shard's own.
struct CommandSource {
  base::ShardId shard;
  std::uint64_t number = 0;
};

class MetadataWriter {
 public:
  MetadataWriter(base::Shard& shard, ShardSet& set, const Catalog& catalog);

  void submit(CommandSource source, Command command);
  // A shard has applied the command under way; the error says that it could not open a log.
  void on_applied(base::Result<> result);

 private:
  struct Request {
    CommandSource source;
    Command command;
    std::optional<base::Error> answer;  // of a command that undoes another: what that one is answered
  };
  struct Round {
    Request request;
    std::vector<base::ShardId> later;  // shards that apply when those asked now have
    std::size_t shards_left = 0;
    std::optional<base::Error> error;
  };

  void decide_next();
  void on_written(Request request, const Changes& changes, const std::optional<base::Error>& error);
  void start_round(Request request, const Changes& changes);
  void count(const Changes& changes);
  void send_round(std::vector<base::ShardId> to);
  void finish();
  void answer(const Request& request, base::Result<> result);

  base::Shard& shard_;
  ShardSet& set_;
  const Catalog& catalog_;
  BrokerMetrics& metrics_;
  std::deque<Request> waiting_;
  bool writing_ = false;
  bool deciding_ = false;
  std::optional<Round> round_;
};

std::vector<storage::MetadataStore::Change> to_store_changes(const Changes& changes);

}  // namespace sluice::broker
