// SPDX-License-Identifier: Apache-2.0
// Declarations of AMQP sessions of one shard: exchanges, queues and bindings come and go. Checks what the
// session may and what it says against this shard's catalog copy, in RabbitMQ's order and with its texts;
// what stands answers at once, what changes goes to shard 0 as a command, which decides again. Owned by
// ShardMessaging, which forwards these calls (messaging.h says what they mean).
#pragma once

#include <string>

#include "base/ports.h"
#include "broker/catalog.h"
#include "broker/messaging.h"

namespace sluice::broker {

class ShardBroker;

class Declaring {
 public:
  Declaring(base::Shard& shard, ShardBroker& broker) : shard_(shard), broker_(broker) {}

  void declare_exchange(const Caller& caller, ExchangeSpec spec, Answer<> answer);
  void delete_exchange(const Caller& caller, std::string name, bool if_unused, Answer<> answer);
  void bind(const Caller& caller, const BindingSpec& spec, Answer<> answer);
  void unbind(const Caller& caller, const BindingSpec& spec, Answer<> answer);
  void declare_queue(const Caller& caller, QueueSpec spec, Answer<QueueStatus> answer);
  void delete_queue(const Caller& caller, std::string name, bool if_unused, bool if_empty,
                    Answer<std::uint64_t> answer);

 private:
  const Catalog& catalog() const;
  base::Result<> check_right(const Caller& caller, Permission permission, bool is_queue,
                             std::string_view name) const;
  base::Result<const ExchangeRecord*> find_declared(const Caller& caller, const ExchangeSpec& spec) const;
  base::Result<> check_any_right(const Caller& caller, bool is_queue, std::string_view name) const;
  base::Result<> check_not_locked(const Caller& caller, const BindingRecord& binding) const;
  base::Result<ExchangeRecord> to_record(const Caller& caller, const ExchangeSpec& spec) const;
  base::Result<BindingRecord> to_record(const Caller& caller, const BindingSpec& spec) const;
  base::Result<> check_binding(const BindingRecord& binding) const;
  base::Result<QueueRecord> to_record(const Caller& caller, QueueSpec& spec);
  base::Result<> check_new_queue(const Caller& caller, QueueRecord& record) const;
  base::Result<std::string> choose_type(const Caller& caller, QueueSpec& spec, bool durable) const;
  // Asks the owner shard what the queue holds; a queue that goes meanwhile holds nothing.
  struct Counts {
    std::uint64_t messages = 0;
    std::uint32_t consumers = 0;
  };
  void ask_counts(const QueueRecord& queue, bool touch, std::move_only_function<void(Counts)> done);
  void answer_status(const QueueRecord& queue, Answer<QueueStatus> answer);
  void send(Command command, Answer<> answer);

  base::Shard& shard_;
  ShardBroker& broker_;
};

// A resource's name as AMQP 0-9-1 takes it: without CR and LF.
std::string strip_line_ends(std::string_view name);

}  // namespace sluice::broker
