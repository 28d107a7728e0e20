// SPDX-License-Identifier: Apache-2.0
// The queues this shard owns, as metadata changes make, change and remove them; queues nobody uses any more.
#include "base/check.h"
#include "broker/queue_arguments.h"
#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"

namespace sluice::broker {
namespace {

OwnedQueue to_owned(const QueueRecord& record, const QueueSettings& settings) {
  OwnedQueue owned{record.vhost, record.name, queue_type_of(record.type), record.auto_delete, nullptr};
  if (settings.dead_letters) owned.dead_letters = std::make_unique<DeadLetterTarget>(*settings.dead_letters);
  return owned;
}

}  // namespace

base::Result<> ShardMessaging::start() {
  std::vector<queue::WorkQueues::Setup> setups;
  broker_.catalog().for_each_queue([&](const QueueRecord& record) {
    if (record.is_stream() || set_.owner_of(record.log()) != shard_.id) return;
    auto settings = broker_.settings_of(record);
    const base::QueueId id{record.log_id};
    owned_.insert_or_assign(id, to_owned(record, settings));
    setups.push_back({id, settings.options});
  });
  const auto directory = set_.journal_directory(shard_.id);
  TRY_VOID(shard_.disk.create_directories(directory));
  storage::JournalOptions options;
  options.file_bytes_max = set_.options().journal_file_bytes.value;
  options.metrics = &set_.journal_metrics(shard_.id);
  TRY(queues, set_.open_queues ? set_.open_queues(setups, owner_)
                               : queue::WorkQueues::open(shard_, directory, options, setups, owner_,
                                                         &set_.work_metrics(shard_.id)));
  owner_.set_queues(std::move(queues));
  broker_.catalog().for_each_queue([&](const QueueRecord& record) {
    if (set_.owner_of(record.log()) == shard_.id && retained_log_of(record))
      retained_.open(base::QueueId{record.log_id}, set_.log_directory(record.log()));
  });
  return {};
}

base::Result<> ShardMessaging::open_queue(const QueueRecord& record, const QueueSettings& settings) {
  if (!owner_.is_open()) return base::fail(base::Errc::internal, "work queues are not served");
  const base::QueueId id{record.log_id};
  TRY_VOID(owner_.queues().create({id, settings.options}));
  owned_.insert_or_assign(id, to_owned(record, settings));
  if (retained_log_of(record)) retained_.open(id, set_.log_directory(record.log()));
  return {};
}

void ShardMessaging::change_queue(const QueueRecord& record, const QueueSettings& settings) {
  const base::QueueId id{record.log_id};
  if (!owned_.contains(id)) return;
  owned_.insert_or_assign(id, to_owned(record, settings));
  owner_.queues().set_options(id, settings.options);
}

void ShardMessaging::close_queue(base::QueueId queue) {
  retained_.close(queue);
  if (owned_.erase(queue) > 0) owner_.remove_queue(queue);
}

const OwnedQueue* ShardMessaging::owned_queue(base::QueueId queue) const {
  const auto found = owned_.find(queue);
  return found == owned_.end() ? nullptr : &found->second;
}

void ShardMessaging::note_unused(base::QueueId queue, bool expired) {
  const auto* owned = owned_queue(queue);
  if (!owned || !(expired || owned->auto_delete)) return;
  if (unused_.empty()) wake();
  unused_.push_back(queue);
}

void ShardMessaging::delete_unused() {
  for (const auto queue : std::exchange(unused_, {})) {
    const auto* owned = owned_queue(queue);
    const auto stats = owner_.queues().stats(queue);
    if (!owned || !stats || stats->consumers > 0) continue;
    broker_.send_command(DeleteQueue{owned->vhost, owned->name, queue.value}, [](base::Result<>) {});
  }
}

void ShardMessaging::note_offline(const base::Error& error) {
  shard_.logger.write(
      base::LogLevel::error, "storage",
      "the journal of the work queues failed; its queues are down until the broker is restarted",
      {{"shard", std::to_string(shard_.id.value)},
       {"reason", error.text},
       {"directory", set_.journal_directory(shard_.id)},
       {"effect", "publishers get nacks, consumers were cancelled; nothing that was confirmed is lost"},
       {"what_to_do", "make room on the disk or repair it, then restart the broker"}});
  wake();  // consumers hear of it
}

}  // namespace sluice::broker
