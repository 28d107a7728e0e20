// SPDX-License-Identifier: Apache-2.0
// WorkQueues over one journal: carries out what WorkState and WorkConsumers decide. Made by WorkQueues::open;
// called by one shard.
//
// A turn: publishes enqueue and append; settlements change states and are noted in one event per queue;
// end_turn delivers (fair over queues, bounded), enforces limits, hands on dead letters, runs timers that are
// due, appends the events, flushes, and tells confirms. A queue in which nothing happens is looked at by
// nobody: lists of queues with something to deliver (runnable), with something to check (touched), and one
// heap of timers.
//
//   work_shard.cc          queues, consumers, questions       work_deliver.cc  deliveries, gets
//   work_publish.cc        publishing, confirms, the turn     work_settle.cc   settling, dead letters, purge
//   work_timers.cc         expiry, delays, timeouts           work_recovery.cc open, checkpoints
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "queue/work_entry.h"
#include "queue/work_metrics.h"
#include "queue/work_queue.h"

namespace sluice::queue {

class WorkShard final : public WorkQueues, public storage::JournalOwner {
 public:
  WorkShard(base::Shard& shard, WorkListener& listener, WorkMetrics* metrics)
      : shard_(shard), listener_(listener), metrics_(metrics != nullptr ? *metrics : own_metrics_) {}

  base::Result<> open_journal(const std::string& directory, const storage::JournalOptions& options,
                              std::span<const Setup> queues);

  // -- WorkQueues
  base::Result<> create(const Setup& setup) override;
  void remove(base::QueueId queue) override;
  void set_options(base::QueueId queue, const WorkOptions& options) override;
  void touch(base::QueueId queue) override;
  void publish(const Message& message, const MessageMeta& meta, std::span<const base::QueueId> targets,
               const PublishOrigin& origin) override;
  base::Result<> add_consumer(base::QueueId queue, ConsumerId consumer,
                              const ConsumerOptions& options) override;
  void remove_consumer(ConsumerId consumer, bool requeue) override;
  void set_ready(ConsumerId consumer, bool ready) override;
  void set_prefetch(ConsumerId consumer, std::uint32_t prefetch) override;
  void get(base::QueueId queue, ConsumerId holder, bool no_ack,
           const std::function<void(const WorkDelivery*)>& take) override;
  void settle(base::QueueId queue, ConsumerId holder, std::span<const base::Offset> offsets,
              Settlement settlement) override;
  void dead_letter_done(base::QueueId queue, base::Offset offset) override;
  std::uint64_t purge(base::QueueId queue) override;
  bool is_unsettled(base::QueueId queue, base::Offset offset) const override {
    return is_live({queue, offset});
  }
  bool drop_ready(base::QueueId queue, base::Offset offset) override;
  std::optional<QueueStats> stats(base::QueueId queue) const override;
  bool has_room() const override;
  bool is_offline() const override { return offline_; }
  void end_turn() override;
  void tick(std::int64_t monotonic_ms, std::int64_t wall_ms) override;
  void close() override;

  // -- JournalOwner
  void on_synced(storage::JournalPoint point) override;
  bool is_live(storage::MessagePlace place) const override;
  void write_checkpoint(const std::function<void(base::QueueId, base::ByteView)>& put) override;
  void on_offline(const base::Error& error) override;

 private:
  struct Timer {
    std::int64_t due_ms = 0;
    base::QueueId queue;
    friend bool operator>(const Timer& a, const Timer& b) { return a.due_ms > b.due_ms; }
  };
  struct WaitingConfirm {
    Confirm confirm;
    storage::JournalPoint point;  // durable when the journal is synced up to here
  };
  struct Budget {
    std::uint32_t messages = 0;
    std::uint64_t bytes = 0;
    bool spent() const { return messages == 0 || bytes == 0; }
    void charge(std::uint64_t message_bytes) {
      --messages;
      bytes -= std::min(bytes, message_bytes);
    }
  };
  enum class Readable : std::uint8_t { yes, lost, not_now };

  WorkQueue* find(base::QueueId queue) const;
  WorkConsumer* find(ConsumerId consumer) const;
  WorkConsumer& holder_of(WorkQueue& queue, ConsumerId id);
  void drop_consumer(WorkConsumer& consumer);
  void tell(WorkQueue& queue, const WorkConsumers::ActiveChange& change);
  void refresh(WorkQueue& queue, WorkConsumer& consumer);

  // What a queue needs from this turn.
  void wake(WorkQueue& queue);  // something may be deliverable
  void note(WorkQueue& queue);  // limits, dead letters or timers may want something
  void arm(WorkQueue& queue, std::int64_t due_ms);
  WorkEvent& event_of(WorkQueue& queue);

  // Deliveries.
  void deliver_all();
  bool deliver_some(WorkQueue& queue, Budget& budget);
  bool deliver_one(WorkQueue& queue, WorkConsumer& consumer, Budget& budget);
  Readable read_taken(WorkQueue& queue, Taken& taken);  // into stored_, message_; `lost` is settled
  Readable take_fresh(WorkQueue& queue, Taken& taken);  // the next that has not expired
  WorkDelivery delivery_of(const WorkQueue& queue, const Taken& taken) const;
  void count_delivery(WorkQueue& queue, const Taken& taken);

  // Ends of messages.
  void settle_taken(WorkQueue& queue, const Taken& taken);
  void give_back(WorkQueue& queue, const Taken& taken, bool failed);
  void kill(WorkQueue& queue, const Taken& taken, DeadReason reason);
  void enforce_limits(WorkQueue& queue);
  void hand_on_dead(WorkQueue& queue);
  void release_unneeded(WorkQueue& queue);
  bool may_kill(const WorkQueue& queue) const;

  // Publishing.
  bool refuses(WorkQueue& queue, const Message& message, const MessageMeta& meta, std::size_t bytes);
  void confirm(const PublishOrigin& origin, bool accepted, bool wait);
  void fail_confirm(const PublishOrigin& origin) { confirms_.push_back({origin, false, true}); }
  void tell_confirms();
  void append_event(WorkQueue& queue);
  void append_events();
  void check_touched();
  void update_gauges(WorkQueue& queue);

  // Time.
  std::int64_t expiry_ms(const WorkQueue& queue, const MessageMeta& meta) const;  // wall; never_ms
  bool is_expired(const WorkQueue& queue, const MessageMeta& meta, base::Offset offset) const;
  void arm_expiry(WorkQueue& queue, std::int64_t wall_ms);
  void run_timers();
  void run_timer(WorkQueue& queue);
  std::int64_t expire_heads(WorkQueue& queue);
  void release_delayed(WorkQueue& queue);
  std::int64_t check_timeouts(WorkQueue& queue);
  std::int64_t check_unused(WorkQueue& queue);
  std::optional<std::int64_t> timeout_of(const WorkQueue& queue, const WorkConsumer& consumer) const;
  void time_out(WorkQueue& queue, WorkConsumer& consumer);
  void read_clock();

  base::Shard& shard_;
  WorkListener& listener_;
  WorkMetrics own_metrics_;
  WorkMetrics& metrics_;
  std::unique_ptr<storage::Journal> journal_;
  std::unordered_map<base::QueueId, std::unique_ptr<WorkQueue>> queues_;
  std::unordered_map<ConsumerId, std::unique_ptr<WorkConsumer>> consumers_;
  WorkQueue* last_queue_ = nullptr;  // found last: publishes and settlements come in runs
  WorkConsumer* last_consumer_ = nullptr;

  std::vector<WorkQueue*> runnable_, running_, touched_;
  std::vector<WorkQueue*> with_event_;
  std::vector<std::unique_ptr<WorkEvent>> spare_events_;
  std::vector<Timer> timers_;  // a heap; one is valid if it is its queue's timer_ms

  std::vector<WaitingConfirm> waiting_;  // from waiting_next_ on, by point
  std::size_t waiting_next_ = 0;
  std::vector<Confirm> confirms_;  // to be told at the end of this turn
  bool sync_wanted_ = false;
  bool offline_ = false;

  std::int64_t monotonic_ms_ = 0, wall_ms_ = 0;  // of this turn
  std::uint64_t refused_dead_ = 0;

  // Scratch, reused.
  storage::StoredMessage stored_;
  Message message_;
  std::vector<storage::MessagePlace> places_;
  std::vector<base::Offset> heads_;
  base::ByteBuffer bytes_, checkpoint_bytes_;
};

}  // namespace sluice::queue
