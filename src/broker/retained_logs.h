// SPDX-License-Identifier: Apache-2.0
// The history of queues with x-retain: beside the queue, the shard that owns it keeps a log of all messages
// the queue ever took, in AMQP 1.0 form with the properties as they came. Stream consumers of both protocols
// attach to that log as to a stream's. A rewind publishes the messages from a place on again, in their order:
// settled ones, and ready ones in their stead, so that none overtakes another. Owned by ShardMessaging.
//
// A message has the same offset in the queue and in the log: whatever the queue takes is appended in the same
// turn, a rewind included. After a kill the two may differ by the last turn: what the log has more is given
// to the queue, what it has less is filled with empty messages, so that the numbers agree again.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ports.h"
#include "broker/records.h"
#include "broker/stream_messages.h"
#include "broker/types.h"
#include "message/amqp10.h"
#include "queue/stream_view.h"
#include "queue/work_queue.h"

namespace sluice::broker {

class ShardMessaging;
class StreamOwner;

// The queue's record as its log is opened with: x-retain made into a stream's arguments. Nothing when it
// keeps none.
std::optional<QueueRecord> retained_log_of(const QueueRecord& queue);

class RetainedLogs {
 public:
  RetainedLogs(base::Shard& shard, ShardMessaging& messaging, StreamOwner& logs);
  ~RetainedLogs();

  // The queue is open, and so is its log.
  void open(base::QueueId queue, std::string directory);
  void close(base::QueueId queue);

  // As WorkQueues::publish, and appends to the logs of those targets that have one and took it.
  void publish(const queue::Message& message, const queue::MessageMeta& meta,
               std::span<const base::QueueId> targets, const queue::PublishOrigin& origin);

  // precondition_failed: the queue retains nothing, or is being rewound.
  void rewind(base::QueueId queue, const OffsetSpec& from, Done<std::uint64_t> done);
  // Rewinds go on, a slice per turn. True: there is more to do.
  bool run();

 private:
  struct Rewind;
  struct Took {
    base::QueueId queue;
    base::Offset next;
  };

  base::Offset next_offset(base::QueueId queue) const;
  void append(base::QueueId queue, const queue::Message& message);
  void append_entry(base::QueueId queue, base::ByteView amqp10, std::string_view filter_value);
  void bring_together(base::QueueId queue, const std::string& directory);
  bool run(Rewind& rewind);
  enum class Again : std::uint8_t { settled, ready, torn };
  void take_again(base::QueueId queue, base::ByteView amqp10, Again what);

  base::Shard& shard_;
  ShardMessaging& messaging_;
  StreamOwner& logs_;
  std::unordered_map<base::QueueId, std::string> directories_;
  std::vector<std::unique_ptr<Rewind>> rewinds_;
  std::vector<Took> took_;  // scratch
  base::ByteBuffer amqp10_;
  StreamMessages::Desk desk_;
  message::ToBasic to_basic_;
};

}  // namespace sluice::broker
