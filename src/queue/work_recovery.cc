// SPDX-License-Identifier: Apache-2.0
// Opening: queues from checkpoints, messages and events of the journal; and the checkpoints themselves.
#include <fmt/format.h>

#include "queue/work_content.h"
#include "queue/work_shard.h"

namespace sluice::queue {

namespace {

// What the journal finds, applied to the queues that are wanted. The first thing that makes no sense ends it.
class Visitor final : public storage::JournalVisitor {
 public:
  using Find = std::function<WorkQueue*(base::QueueId)>;
  explicit Visitor(Find find) : find_(std::move(find)) {}

  void on_checkpoint(base::QueueId id, base::ByteView state) override {
    WorkQueue* queue = wanted(id);
    if (queue != nullptr && !queue->state.recover_checkpoint(state)) fail(id, "checkpoint");
  }
  void on_message(const storage::MessageMeta& meta, base::ByteView content,
                  std::span<const storage::MessagePlace> places) override {
    const auto message = parse_content(content);
    const auto bytes = static_cast<std::uint32_t>(message ? message->body.size() : 0);
    for (const auto& place : places)
      if (WorkQueue* queue = wanted(place.queue)) queue->state.recover_message(meta, place.offset, bytes);
  }
  void on_event(base::QueueId id, base::ByteView bytes) override {
    WorkQueue* queue = wanted(id);
    if (queue == nullptr) return;
    const auto event = WorkEvent::decode(bytes);
    if (!event) return fail(id, "event");
    queue->state.recover_event(*event);
  }

  const std::string& error() const { return error_; }
  const std::unordered_map<base::QueueId, WorkQueue*>& seen() const { return seen_; }

 private:
  // Records of one queue come in runs, of many queues in rounds: one table lookup each.
  WorkQueue* wanted(base::QueueId id) {
    const auto [found, is_new] = seen_.try_emplace(id, nullptr);
    if (is_new) found->second = find_(id);
    return found->second;
  }
  void fail(base::QueueId id, std::string_view what) {
    if (error_.empty()) error_ = fmt::format("malformed {} of work queue {}", what, id.value);
  }

  Find find_;
  std::unordered_map<base::QueueId, WorkQueue*> seen_;
  std::string error_;
};

}  // namespace

base::Result<std::unique_ptr<WorkQueues>> WorkQueues::open(base::Shard& shard, std::string directory,
                                                           const storage::JournalOptions& options,
                                                           std::span<const Setup> queues,
                                                           WorkListener& listener, WorkMetrics* metrics) {
  auto opened = std::make_unique<WorkShard>(shard, listener, metrics);
  TRY_VOID(opened->open_journal(directory, options, queues));
  return opened;
}

base::Result<> WorkShard::open_journal(const std::string& directory, const storage::JournalOptions& options,
                                       std::span<const Setup> queues) {
  read_clock();
  queues_.reserve(queues.size());
  for (const Setup& setup : queues) {
    auto queue = std::make_unique<WorkQueue>(setup.queue, setup.options);
    queue->idle_since_ms = monotonic_ms_;
    queues_.emplace(setup.queue, std::move(queue));
  }
  Visitor visitor([this](base::QueueId id) { return find(id); });
  TRY(journal, storage::Journal::open(shard_, directory, options, *this, visitor));
  journal_ = std::move(journal);
  if (!visitor.error().empty())
    return base::fail(base::Errc::corrupt, fmt::format("{}: {}", directory, visitor.error()));
  for (const auto& [id, queue] : visitor.seen())
    if (queue == nullptr) journal_->forget(id);
  for (auto& [id, queue] : queues_) {
    queue->state.finish_recovery(queue->options.durable);
    release_unneeded(*queue);
    queue->recorded_delivered = queue->state.delivered_below();
    queue->fresh_from = queue->state.next_offset();
    arm(*queue, monotonic_ms_);
  }
  return {};
}

void WorkShard::release_unneeded(WorkQueue& queue) {
  base::Offset from;
  const auto release = [&](base::Offset end) {
    if (from < end) journal_->release(queue.id, from, base::Offset{end.value - 1});
  };
  queue.state.for_each_live_run([&](base::Offset first, base::Offset last) {
    release(first);
    from = last + 1;
  });
  release(queue.state.next_offset());
}

bool WorkShard::is_live(storage::MessagePlace place) const {
  const WorkQueue* queue = find(place.queue);
  return queue != nullptr && queue->state.is_live(place.offset);
}

void WorkShard::write_checkpoint(const std::function<void(base::QueueId, base::ByteView)>& put) {
  for (const auto& [id, queue] : queues_) {
    if (!queue->options.durable || queue->state.next_offset().value == 0) continue;
    checkpoint_bytes_.clear();
    queue->state.encode_checkpoint(checkpoint_bytes_);
    put(id, checkpoint_bytes_);
  }
}

}  // namespace sluice::queue
