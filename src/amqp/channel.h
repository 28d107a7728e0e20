// SPDX-License-Identifier: Apache-2.0
// One channel: its modes, consumers, unsettled deliveries, confirm numbers, open transaction and the message
// it is receiving. Plain state with an owner (Channels); the parts of the session act on it. Parts that most
// channels do not use are behind pointers, so that thousands of idle channels cost little.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "amqp/assembly.h"
#include "amqp/confirms.h"
#include "amqp/reply_codes.h"
#include "amqp/transaction.h"
#include "amqp/unsettled.h"

namespace sluice::amqp {

struct Consumer {
  std::string queue;
  bool no_ack = false;
};

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using Consumers = std::unordered_map<std::string, Consumer, StringHash, std::equal_to<>>;

// The consumer of amq.rabbitmq.reply-to.
struct ReplyConsumer {
  std::string tag;
  std::string key;  // what requesters carry as reply-to
};

struct Channel {
  explicit Channel(std::uint16_t in_number) : number(in_number) {}

  std::uint16_t number;
  bool closing = false;  // channel.close is sent: all but the answer is ignored
  bool confirming = false;
  std::uint32_t prefetch = 0, shared_prefetch = 0;  // basic.qos, global = false and true
  std::uint32_t generation = 0;                     // tells channels of the same number apart
  std::uint64_t next_tag = 1;
  Unsettled unsettled;
  Confirms confirms;
  Consumers consumers;
  std::string last_queue;  // declared last: what an empty queue name means
  std::unique_ptr<ReplyConsumer> reply_consumer;
  std::unique_ptr<Transaction> transaction;
  std::unique_ptr<Assembly> assembly;
};

// The queue a method means: an empty name is the one declared last on the channel.
inline broker::Outcome<std::string> queue_or_last(const Channel& channel, std::string_view name) {
  if (!name.empty()) return std::string(name);
  if (channel.last_queue.empty()) return refuse(ReplyCode::not_found, "no previously declared queue");
  return channel.last_queue;
}

}  // namespace sluice::amqp
