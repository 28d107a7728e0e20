// SPDX-License-Identifier: Apache-2.0
// The way of a metadata change, on shard 0: the commands that wait are decided one after the other as if each
// had happened, written to the metadata store together on a Background worker, applied on all shards, and
// answered when all of them have. Shards that will own a new log apply first, so that nobody sees a stream
// before its log is open. When a log cannot be opened, its command is undone before the requester hears of
// it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

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

struct SourcedCommand {
  CommandSource source;
  Command command;
};
// Sent to all shards; what each could not do, by place in the list.
using CommandList = std::shared_ptr<const std::vector<SourcedCommand>>;
using CommandErrors = std::vector<std::pair<std::size_t, base::Error>>;

class MetadataWriter {
 public:
  // The catalog is shard 0's own; between calls it holds only what is written and applied.
  MetadataWriter(base::Shard& shard, ShardSet& set, Catalog& catalog);

  void submit(CommandSource source, Command command);
  // A shard has applied the commands under way; an error says that it could not open a log.
  void on_applied(const CommandErrors& errors);

 private:
  static constexpr std::size_t batch_commands_max = 256;

  struct Request {
    CommandSource source;
    Command command;
    std::optional<base::Error> answer;  // of a command that undoes another: what that one is answered
  };
  struct Decided {
    Request request;
    std::optional<std::size_t> place;  // in the list that the shards apply; none: nothing to change
    base::Result<> result;
  };
  struct Batch {
    std::vector<Decided> decided;  // answered in this order
    Changes changes;
  };
  struct Round {
    Batch batch;
    CommandList commands;
    std::vector<base::ShardId> later;  // shards that apply when those asked now have
    std::size_t shards_left = 0;
  };

  void decide_next();
  Batch decide_batch();
  void on_written(Batch batch, const std::optional<base::Error>& error);
  void start_round(Batch batch);
  void count(const Changes& changes);
  void send_round(std::vector<base::ShardId> to);
  void finish();
  void answer(const Request& request, base::Result<> result);

  base::Shard& shard_;
  ShardSet& set_;
  Catalog& catalog_;
  BrokerMetrics& metrics_;
  std::deque<Request> waiting_;
  bool writing_ = false;
  bool deciding_ = false;
  std::optional<Round> round_;
};

std::vector<storage::MetadataStore::Change> to_store_changes(const Changes& changes);

}  // namespace sluice::broker
