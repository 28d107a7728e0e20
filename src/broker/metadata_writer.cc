// SPDX-License-Identifier: Apache-2.0
#include "broker/metadata_writer.h"

#include <algorithm>

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

MetadataWriter::MetadataWriter(base::Shard& shard, ShardSet& set, const Catalog& catalog)
    : shard_(shard), set_(set), catalog_(catalog), metrics_(set.metrics(shard.id)) {
  metrics_.queues.set(catalog.queue_count());
}

void MetadataWriter::submit(CommandSource source, Command command) {
  waiting_.push_back({source, std::move(command), std::nullopt});
  decide_next();
}

void MetadataWriter::decide_next() {
  if (deciding_) return;  // the loop below goes on
  deciding_ = true;
  while (!writing_ && !round_ && !waiting_.empty()) {
    auto request = std::move(waiting_.front());
    waiting_.pop_front();
    auto changes = catalog_.decide(request.command);
    if (!changes) {
      if (changes.error().code == base::Errc::stream_exists) metrics_.queues_declared.add();
      answer(request, std::unexpected(std::move(changes).error()));
      continue;
    }
    if (changes->empty()) {  // what is wanted is there
      answer(request, {});
      continue;
    }
    auto batch = to_store_changes(*changes);
    if (batch.empty()) {  // transient
      start_round(std::move(request), *changes);
      continue;
    }
    writing_ = true;
    auto error = std::make_shared<std::optional<base::Error>>();
    auto write = [&store = set_.store(), batch = std::move(batch), sync = set_.options().metadata_sync,
                  error] {
      if (auto written = store.write(batch, sync); !written) *error = written.error();
    };
    shard_.background.run(std::move(write), [this, error, request = std::move(request),
                                             changes = std::move(*changes)]() mutable {
      on_written(std::move(request), changes, *error);
    });
  }
  deciding_ = false;
}

void MetadataWriter::on_written(Request request, const Changes& changes,
                                const std::optional<base::Error>& error) {
  writing_ = false;
  if (error) {
    metrics_.metadata_failures.add();
    shard_.logger.write(base::LogLevel::error, "broker", "a metadata change could not be written",
                        {{"reason", error->text}});
    answer(request, std::unexpected(*error));
    return decide_next();
  }
  start_round(std::move(request), changes);
}

void MetadataWriter::start_round(Request request, const Changes& changes) {
  count(changes);
  std::vector<base::ShardId> owners, others;
  for (const auto& change : changes) {
    const auto* queue = std::get_if<QueueRecord>(&change.record);
    if (queue && !change.removed) owners.push_back(set_.owner_of(queue->log()));
  }
  std::ranges::sort(owners);
  owners.erase(std::ranges::unique(owners).begin(), owners.end());
  for (std::uint32_t i = 0; i < set_.shard_count(); ++i) {
    if (!std::ranges::binary_search(owners, base::ShardId{i})) others.emplace_back(i);
  }
  if (owners.empty()) std::swap(owners, others);
  round_.emplace(std::move(request), std::move(others), 0, std::nullopt);
  send_round(std::move(owners));
}

void MetadataWriter::send_round(std::vector<base::ShardId> to) {
  round_->shards_left = to.size();
  const auto source = round_->request.source;
  const auto command = round_->request.command;
  for (const auto shard : to) {
    if (shard == shard_.id) continue;
    shard_.mail.send(
        shard, [&set = set_, shard, source, command] { set.broker(shard).apply_command(source, command); });
  }
  // Last, because it may end the round.
  if (std::ranges::find(to, shard_.id) != to.end()) set_.broker(shard_.id).apply_command(source, command);
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

void MetadataWriter::on_applied(base::Result<> result) {
  INVARIANT(round_ && round_->shards_left > 0, "no command is under way");
  if (!result && !round_->error) round_->error = std::move(result).error();
  if (--round_->shards_left > 0) return;
  if (!round_->later.empty()) return send_round(std::exchange(round_->later, {}));
  finish();
}

void MetadataWriter::finish() {
  const auto round = std::move(*round_);
  round_.reset();
  auto undo = round.error ? undo_of(round.request.command) : std::nullopt;
  if (undo) {
    waiting_.push_front({round.request.source, std::move(*undo), round.error});
  } else {
    answer(round.request, round.error ? base::Result<>(std::unexpected(*round.error)) : base::Result<>());
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
