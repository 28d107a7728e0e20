// SPDX-License-Identifier: Apache-2.0
#include "broker/metadata_writer.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "broker/offset_store.h"
#include "broker/shard_broker.h"

namespace sluice::broker {
namespace {

// What takes back a command whose logs could not be opened; nothing for those that open none.
std::optional<Command> undo_of(const Command& command) {
  if (const auto* create = std::get_if<CreateStream>(&command))
    return DeleteStream{create->vhost, create->name};
  if (const auto* create = std::get_if<CreateSuperStream>(&command)) {
    return DeleteSuperStream{create->vhost, create->name};
  }
  if (const auto* declare = std::get_if<DeclareQueue>(&command)) {
    return DeleteQueue{declare->record.vhost, declare->record.name};
  }
  return std::nullopt;
}

}  // namespace

std::vector<storage::MetadataStore::Change> to_store_changes(const Changes& changes) {
  using Table = storage::MetadataStore::Table;
  std::vector<storage::MetadataStore::Change> result;
  for (const auto& change : changes) {
    if (!change.stored) continue;
    std::visit(
        [&](const auto& record) {
          std::optional<std::string> value;
          if (!change.removed) value = record_value(record);
          result.push_back({Table::catalog, record_key(record), std::move(value)});
        },
        change.record);
    const auto* queue = std::get_if<QueueRecord>(&change.record);
    if (queue && change.removed) {
      result.push_back({Table::offsets, offsets_prefix(queue->log()), std::nullopt, true});
    }
  }
  return result;
}

MetadataWriter::MetadataWriter(base::Shard& shard, ShardSet& set, Catalog& catalog)
    : shard_(shard), set_(set), catalog_(catalog), metrics_(set.metrics(shard.id)) {
  metrics_.queues.set(catalog.queue_count());
}

void MetadataWriter::submit(CommandSource source, Command command) {
  waiting_.push_back({source, std::move(command), std::nullopt});
  decide_next();
}

// Each command sees what those before it will do; at the end the catalog is as it was.
MetadataWriter::Batch MetadataWriter::decide_batch() {
  Batch batch;
  std::vector<Changes> back;
  std::size_t places = 0;
  while (!waiting_.empty() && batch.decided.size() < batch_commands_max) {
    auto& decided = batch.decided.emplace_back();
    decided.request = std::move(waiting_.front());
    waiting_.pop_front();
    auto changes = catalog_.decide(decided.request.command);
    if (!changes) {
      if (changes.error().code == base::Errc::stream_exists) metrics_.queues_declared.add();
      decided.result = std::unexpected(std::move(changes).error());
    } else if (!changes->empty()) {  // else what is wanted is there
      decided.place = places++;
      back.push_back(catalog_.make(*changes));
      std::ranges::move(*changes, std::back_inserter(batch.changes));
    }
  }
  for (auto each = back.rbegin(); each != back.rend(); ++each) catalog_.make(*each);
  return batch;
}

void MetadataWriter::decide_next() {
  if (deciding_) return;  // the loop below goes on
  deciding_ = true;
  while (!writing_ && !round_ && !waiting_.empty()) {
    auto batch = decide_batch();
    auto stored = to_store_changes(batch.changes);
    if (stored.empty()) {  // refused, there already, or transient
      start_round(std::move(batch));
      continue;
    }
    writing_ = true;
    auto error = std::make_shared<std::optional<base::Error>>();
    auto write = [&store = set_.store(), stored = std::move(stored), sync = set_.options().metadata_sync,
                  error] {
      if (auto written = store.write(stored, sync); !written) *error = written.error();
    };
    shard_.background.run(std::move(write), [this, error, batch = std::move(batch)]() mutable {
      on_written(std::move(batch), *error);
    });
  }
  deciding_ = false;
}

void MetadataWriter::on_written(Batch batch, const std::optional<base::Error>& error) {
  writing_ = false;
  if (error) {
    metrics_.metadata_failures.add();
    shard_.logger.write(base::LogLevel::error, "broker", "a metadata change could not be written",
                        {{"reason", error->text}});
    for (auto& each : batch.decided) {
      if (each.result) each.result = std::unexpected(*error);  // it may stand on what was not written
      answer(each.request, std::move(each.result));
    }
    return decide_next();
  }
  start_round(std::move(batch));
  decide_next();
}

void MetadataWriter::start_round(Batch batch) {
  count(batch.changes);
  std::vector<base::ShardId> owners, others;
  for (const auto& change : batch.changes) {
    const auto* queue = std::get_if<QueueRecord>(&change.record);
    if (queue && !change.removed) owners.push_back(set_.owner_of(queue->log()));
  }
  std::ranges::sort(owners);
  owners.erase(std::ranges::unique(owners).begin(), owners.end());
  for (std::uint32_t i = 0; i < set_.shard_count(); ++i) {
    if (!std::ranges::binary_search(owners, base::ShardId{i})) others.emplace_back(i);
  }
  if (owners.empty()) std::swap(owners, others);
  auto commands = std::make_shared<std::vector<SourcedCommand>>();
  for (const auto& each : batch.decided) {
    if (each.place) commands->push_back({each.request.source, each.request.command});
  }
  const bool nothing = commands->empty();
  round_.emplace(std::move(batch), std::move(commands), std::move(others), 0);
  if (nothing) return finish();
  send_round(std::move(owners));
}

void MetadataWriter::send_round(std::vector<base::ShardId> to) {
  round_->shards_left = to.size();
  const auto commands = round_->commands;
  for (const auto shard : to) {
    if (shard == shard_.id) continue;
    shard_.mail.send(shard, [&set = set_, shard, commands] { set.broker(shard).apply_commands(commands); });
  }
  // Last, because it may end the round.
  if (std::ranges::find(to, shard_.id) != to.end()) set_.broker(shard_.id).apply_commands(commands);
}

void MetadataWriter::count(const Changes& changes) {
  for (const auto& change : changes) {
    if (!std::holds_alternative<QueueRecord>(change.record)) continue;
    if (change.removed) {
      metrics_.queues_deleted.add();
      metrics_.queues.sub();
    } else {
      metrics_.queues_declared.add();
      metrics_.queues_created.add();
      metrics_.queues.add();
    }
  }
}

void MetadataWriter::on_applied(const CommandErrors& errors) {
  INVARIANT(round_ && round_->shards_left > 0, "no command is under way");
  for (const auto& [place, error] : errors) {
    for (auto& each : round_->batch.decided) {
      if (each.place == place && each.result) each.result = std::unexpected(error);
    }
  }
  if (--round_->shards_left > 0) return;
  if (!round_->later.empty()) return send_round(std::exchange(round_->later, {}));
  finish();
}

void MetadataWriter::finish() {
  auto round = std::move(*round_);
  round_.reset();
  for (auto& each : round.batch.decided) {
    const bool failed = each.place && !each.result;
    auto undo = failed ? undo_of(each.request.command) : std::nullopt;
    if (undo) {
      waiting_.push_front({each.request.source, std::move(*undo), each.result.error()});
    } else {
      answer(each.request, std::move(each.result));
    }
  }
  decide_next();
}

void MetadataWriter::answer(const Request& request, base::Result<> result) {
  if (request.answer) result = std::unexpected(*request.answer);
  const auto to = request.source.shard;
  if (to == shard_.id) return set_.broker(to).on_command_done(request.source.number, std::move(result));
  shard_.mail.send(to,
                   [&set = set_, to, number = request.source.number, result = std::move(result)]() mutable {
                     set.broker(to).on_command_done(number, std::move(result));
                   });
}

}  // namespace sluice::broker
