// SPDX-License-Identifier: Apache-2.0
// Work queues as the broker sees them: all classic and quorum queues that one shard owns, over the shard's
// journal. Owned and called by one shard. The meaning (order, priorities, settlement, expiry, limits) is
// WorkState's (work_state.h), a pure machine without bodies; this adds the journal, the consumers and the
// turns.
//
// Not here, but the broker's: names, rights, routing, where dead letters go, what a session is. The listener
// is called from publish, settle, add_consumer, end_turn and tick (deliveries only from end_turn); it must
// not call back into WorkQueues (it keeps what it wants to do for after the call), except where said.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ports.h"
#include "queue/work_options.h"
#include "storage/journal.h"

namespace sluice::queue {

using storage::MessageMeta;

// A message in the form it arrived in (AMQP 0-9-1): property flags and values, body. Views.
struct Message {
  std::string_view exchange, routing_key;
  base::ByteView properties;
  base::ByteView body;
};

// Who published, so that the confirm finds its way; opaque here. number 0: wants no confirm.
struct PublishOrigin {
  base::ShardId shard;
  std::uint64_t client = 0;
  std::uint16_t channel = 0;
  std::uint64_t number = 0;
};
struct Confirm {
  PublishOrigin origin;
  bool accepted = true;
  bool failed = false;  // not accepted because the journal failed; else a queue refused it
};

// Chosen by the broker, unique on the owner shard, never reused.
using ConsumerId = base::Id<struct WorkConsumerTag>;
struct ConsumerOptions {
  bool no_ack = false, exclusive = false;
  std::uint32_t prefetch = 0;  // unsettled deliveries allowed; 0: no limit
  std::int32_t priority = 0;
  std::optional<std::int64_t> timeout_ms = std::nullopt;
  bool ask_first = false;  // WorkListener::may_deliver is asked before each delivery
};

// Valid during the call.
struct WorkDelivery {
  base::QueueId queue;
  base::Offset offset;  // with queue: what settle() names
  Message message;      // as published
  MessageMeta meta;
  bool redelivered = false;
  std::uint32_t delivery_count = 0;  // quorum: failed deliveries so far (x-delivery-count)
  std::uint32_t acquired_count = 0;
};

enum class DeadReason : std::uint8_t { rejected, expired, maxlen, delivery_limit };
enum class Settlement : std::uint8_t {
  accepted,
  requeued,  // given back (basic.nack): no failed delivery
  rejected,
  failed,  // given back, and counts as a failed delivery (basic.reject with requeue, lost consumers)
};

struct QueueStats {
  std::uint64_t ready = 0, unacked = 0;
  std::uint64_t ready_bytes = 0, unacked_bytes = 0;    // of bodies
  std::uint64_t persistent = 0, persistent_bytes = 0;  // of all those
  std::uint64_t memory_bytes = 0;
  std::uint32_t consumers = 0;
  std::uint64_t published = 0, delivered = 0, acked = 0, redelivered = 0, dropped = 0, dead_lettered = 0;
  base::Offset next_offset;
  std::optional<ConsumerId> active_consumer;  // single active
  std::int64_t idle_since_ms = 0;             // monotonic
};

class WorkListener {
 public:
  virtual ~WorkListener() = default;
  // One indirect call per message is what it costs to keep broker types out of here (2 ns). False: the
  // consumer takes no more, as after set_ready(consumer, false).
  virtual bool on_delivery(ConsumerId consumer, const WorkDelivery& delivery) = 0;
  // Only for consumers with ask_first (a limit that several consumers share). False: as on_delivery.
  virtual bool may_deliver(ConsumerId consumer) = 0;
  // Everything a publish promised holds now. In the order of publishing per origin channel. Called at most
  // once per turn and sync.
  virtual void on_confirms(std::span<const Confirm> confirms) = 0;
  // The message waits until dead_letter_done(queue, offset); at most dead_letters_in_flight_max per queue.
  virtual void on_dead(const WorkDelivery& dead, DeadReason reason) = 0;
  virtual void on_active_changed(base::QueueId queue, ConsumerId consumer, bool active) = 0;
  // Its unsettled messages were requeued, the consumer is removed.
  virtual void on_consumer_timeout(base::QueueId queue, ConsumerId consumer) = 0;
  virtual void on_unused(base::QueueId queue) = 0;  // expires_ms has passed: delete it
  // The last consumer left (auto-delete is the broker's business).
  virtual void on_no_consumers(base::QueueId queue) = 0;
  virtual void on_offline(const base::Error& error) = 0;  // the journal failed
};

inline constexpr std::uint32_t dead_letters_in_flight_max = 256;

struct WorkMetrics;  // work_metrics.h

class WorkQueues {
 public:
  struct Setup {
    base::QueueId queue;
    WorkOptions options;
  };
  // Recovers the given queues from the journal in `directory`; what the journal knows of others is dropped.
  // `metrics`: the shard's, outlives this.
  static base::Result<std::unique_ptr<WorkQueues>> open(base::Shard& shard, std::string directory,
                                                        const storage::JournalOptions& options,
                                                        std::span<const Setup> queues, WorkListener& listener,
                                                        WorkMetrics* metrics = nullptr);
  virtual ~WorkQueues() = default;

  virtual base::Result<> create(const Setup& setup) = 0;
  virtual void remove(base::QueueId queue) = 0;  // consumers and messages go without further calls
  virtual void set_options(base::QueueId queue, const WorkOptions& options) = 0;
  // Somebody declared it again or used basic.get: expires_ms starts anew.
  virtual void touch(base::QueueId queue) = 0;

  // Stores the message once, gives it to each queue. The confirm comes through on_confirms, also for none of
  // the targets existing (accepted). A queue that refuses (reject_publish) makes it accepted = false; the
  // others keep it.
  virtual void publish(const Message& message, const MessageMeta& meta,
                       std::span<const base::QueueId> targets, const PublishOrigin& origin) = 0;

  // precondition: queue exists. io_failed: offline. access_refused: an exclusive consumer is there, or one is
  // wanted and others are.
  virtual base::Result<> add_consumer(base::QueueId queue, ConsumerId consumer,
                                      const ConsumerOptions& options) = 0;
  // requeue: its unsettled messages return to the queue at once (channel or connection closed); else they
  // stay unsettled, under the consumer's id, until settled (basic.cancel) or until this is called again with
  // requeue = true; that is also how the holder of a get() gives back what it has.
  virtual void remove_consumer(ConsumerId consumer, bool requeue) = 0;
  // Not ready: nothing is delivered (the session's outbox is full). Also stops no_ack consumers.
  virtual void set_ready(ConsumerId consumer, bool ready) = 0;
  virtual void set_prefetch(ConsumerId consumer, std::uint32_t prefetch) = 0;

  // Takes the head; it is unsettled under `holder` (a ConsumerId of the broker's for get), unless no_ack. The
  // callback runs inside, nullptr: empty.
  virtual void get(base::QueueId queue, ConsumerId holder, bool no_ack,
                   const std::function<void(const WorkDelivery*)>& take) = 0;
  // Offsets in ascending order. Unknown or already settled ones are ignored.
  virtual void settle(base::QueueId queue, ConsumerId holder, std::span<const base::Offset> offsets,
                      Settlement settlement) = 0;
  // The dead message was taken over by its new queues, or has none: it is settled here.
  virtual void dead_letter_done(base::QueueId queue, base::Offset offset) = 0;
  virtual std::uint64_t purge(base::QueueId queue) = 0;  // how many ready ones
  // The message is ready, delayed, or out at a consumer.
  virtual bool is_unsettled(base::QueueId queue, base::Offset offset) const = 0;
  // Settles it if it is ready: it is about to be published again. False: it was not.
  virtual bool drop_ready(base::QueueId queue, base::Offset offset) = 0;

  virtual std::optional<QueueStats> stats(base::QueueId queue) const = 0;
  // False: do not read sockets that publish (the journal's writes or syncs are behind).
  virtual bool has_room() const = 0;
  // The journal failed: publishes are not accepted, consumers are refused, nothing is delivered or settled.
  // What was confirmed is in the journal and comes back when it is opened again.
  virtual bool is_offline() const = 0;

  virtual void end_turn() = 0;  // deliveries, events, one write, one sync
  virtual void tick(std::int64_t monotonic_ms, std::int64_t wall_ms) = 0;
  virtual void close() = 0;
};

}  // namespace sluice::queue
