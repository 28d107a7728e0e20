// SPDX-License-Identifier: Apache-2.0
// Messaging of one shard: answers AMQP sessions of this shard, routes from this shard's catalog copy, and
// talks to the shards that own the queues. Owned by the shard's ShardBroker, used on its shard only.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/ports.h"
#include "broker/messaging.h"

namespace sluice::broker {

class ShardBroker;

class ShardMessaging final : public Messaging {
 public:
  explicit ShardMessaging(ShardBroker& broker) : broker_(broker) {}

  // -- Messaging
  void attach(const Caller& caller, QueueClient& client) override;
  void declare_exchange(const Caller& caller, ExchangeSpec spec, Answer<> answer) override;
  void delete_exchange(const Caller& caller, std::string name, bool if_unused, Answer<> answer) override;
  void bind(const Caller& caller, BindingSpec spec, Answer<> answer) override;
  void unbind(const Caller& caller, BindingSpec spec, Answer<> answer) override;
  void declare_queue(const Caller& caller, QueueSpec spec, Answer<QueueStatus> answer) override;
  void delete_queue(const Caller& caller, std::string name, bool if_unused, bool if_empty,
                    Answer<std::uint64_t> answer) override;
  void purge_queue(const Caller& caller, std::string name, Answer<std::uint64_t> answer) override;
  Outcome<bool> publish(const Caller& caller, const PublishRequest& request) override;
  void consume(const Caller& caller, ConsumeRequest request, Answer<> answer) override;
  std::string open_reply_to(const Caller& caller, std::uint16_t channel, std::string_view tag) override;
  void cancel(const Caller& caller, std::uint16_t channel, std::string_view tag) override;
  void get(const Caller& caller, std::uint16_t channel, std::string queue, bool no_ack,
           std::move_only_function<void(Outcome<std::optional<Delivery>>)> answer) override;
  void settle(const Caller& caller, QueueId queue, std::span<const base::Offset> offsets,
              Settlement settlement) override;
  void set_channel_prefetch(const Caller& caller, std::uint16_t channel, std::uint32_t prefetch) override;
  void set_ready(const Caller& caller, bool ready) override;
  void close_channel(const Caller& caller, std::uint16_t channel) override;

 private:
  ShardBroker& broker_;
};

}  // namespace sluice::broker
