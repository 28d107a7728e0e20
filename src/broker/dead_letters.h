// SPDX-License-Identifier: Apache-2.0
// Dead letters of the queues one shard owns: each is published again through its queue's dead letter exchange
// and leaves the queue when those it reached have confirmed it. Owned by ShardMessaging.
//
// At most once: a message that cannot be routed, or that a queue refuses, is dropped. At least once: it stays
// and is tried again. WorkQueues bounds how many of one queue are under way.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/deaths.h"
#include "broker/messaging_clients.h"
#include "broker/queue_settings.h"
#include "message/properties.h"

namespace sluice::broker {

class ShardMessaging;

class DeadLetters {
 public:
  explicit DeadLetters(ShardMessaging& messaging) : messaging_(messaging) {}

  // Inside a call of the queues: only copies. True when there was none before.
  bool note(const queue::WorkDelivery& dead, queue::DeadReason reason);
  // Publishes what was noted.
  void publish_noted();
  void on_confirm(const queue::Confirm& confirm);
  void on_tick(std::int64_t monotonic_ms);  // those to be tried again

 private:
  static constexpr std::int64_t retry_ms = 1000;
  struct Letter {
    base::QueueId queue;
    base::Offset offset;
    queue::DeadReason reason = queue::DeadReason::rejected;
    queue::MessageMeta meta;
    std::string exchange, routing_key;
    base::ByteBuffer properties, body;
  };
  struct Waiting {  // for confirms
    base::QueueId queue;
    base::Offset offset;
    std::unique_ptr<Letter> letter;  // at least once
    bool failed = false;             // a journal did not take it
  };

  void publish(Letter letter);
  // Which queues get it; writes properties_.
  Router::Route route(const Letter& letter, const OwnedQueue& from);
  void failed(Letter letter, bool try_again);
  void done(base::QueueId queue, base::Offset offset);

  ShardMessaging& messaging_;
  std::vector<Letter> noted_, noted_before_, retries_;
  std::map<std::uint64_t, Waiting> waiting_;
  ConfirmCounts counts_;
  std::uint64_t next_number_ = 1;
  std::int64_t next_retry_ms_ = 0;
  message::PropertiesEditor editor_;
  base::ByteBuffer properties_;
  std::vector<Death> deaths_;
  std::vector<Destination> destinations_;
};

}  // namespace sluice::broker
