// SPDX-License-Identifier: Apache-2.0
// Methods of class queue (50). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's
// extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct QueueDeclare {  // from the client
  static constexpr MethodId id{50, 10};
  static constexpr std::string_view name = "queue.declare";
  std::uint16_t reserved_1 = 0;
  std::string_view queue;
  bool passive = false;
  bool durable = false;
  bool exclusive = false;
  bool auto_delete = false;
  bool no_wait = false;
  base::FieldTableView arguments;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &QueueDeclare::reserved_1, "not used"),
        base::field("queue", &QueueDeclare::queue, "name; empty is the last one declared on the channel"),
        base::field("passive", &QueueDeclare::passive, "only look whether it is there"),
        base::field("durable", &QueueDeclare::durable, "survives a restart"),
        base::field("exclusive", &QueueDeclare::exclusive, ""),
        base::field("auto-delete", &QueueDeclare::auto_delete, "goes when its last user goes"),
        base::field("no-wait", &QueueDeclare::no_wait, "send no answer"),
        base::field("arguments", &QueueDeclare::arguments, "x-arguments")};
  }
};

struct QueueDeclareOk {  // from the server
  static constexpr MethodId id{50, 11};
  static constexpr std::string_view name = "queue.declare-ok";
  std::string_view queue;
  std::uint32_t message_count = 0;
  std::uint32_t consumer_count = 0;
  static constexpr auto fields() {
    return std::tuple{
        base::field("queue", &QueueDeclareOk::queue, "name; empty is the last one declared on the channel"),
        base::field("message-count", &QueueDeclareOk::message_count, "messages ready in the queue"),
        base::field("consumer-count", &QueueDeclareOk::consumer_count, "")};
  }
};

struct QueueBind {  // from the client
  static constexpr MethodId id{50, 20};
  static constexpr std::string_view name = "queue.bind";
  std::uint16_t reserved_1 = 0;
  std::string_view queue;
  std::string_view exchange;
  std::string_view routing_key;
  bool no_wait = false;
  base::FieldTableView arguments;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &QueueBind::reserved_1, "not used"),
        base::field("queue", &QueueBind::queue, "name; empty is the last one declared on the channel"),
        base::field("exchange", &QueueBind::exchange, "name; empty is the default exchange"),
        base::field("routing-key", &QueueBind::routing_key, "what the exchange looks at"),
        base::field("no-wait", &QueueBind::no_wait, "send no answer"),
        base::field("arguments", &QueueBind::arguments, "x-arguments")};
  }
};

struct QueueBindOk {  // from the server
  static constexpr MethodId id{50, 21};
  static constexpr std::string_view name = "queue.bind-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct QueuePurge {  // from the client
  static constexpr MethodId id{50, 30};
  static constexpr std::string_view name = "queue.purge";
  std::uint16_t reserved_1 = 0;
  std::string_view queue;
  bool no_wait = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &QueuePurge::reserved_1, "not used"),
        base::field("queue", &QueuePurge::queue, "name; empty is the last one declared on the channel"),
        base::field("no-wait", &QueuePurge::no_wait, "send no answer")};
  }
};

struct QueuePurgeOk {  // from the server
  static constexpr MethodId id{50, 31};
  static constexpr std::string_view name = "queue.purge-ok";
  std::uint32_t message_count = 0;
  static constexpr auto fields() {
    return std::tuple{
        base::field("message-count", &QueuePurgeOk::message_count, "messages ready in the queue")};
  }
};

struct QueueDelete {  // from the client
  static constexpr MethodId id{50, 40};
  static constexpr std::string_view name = "queue.delete";
  std::uint16_t reserved_1 = 0;
  std::string_view queue;
  bool if_unused = false;
  bool if_empty = false;
  bool no_wait = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &QueueDelete::reserved_1, "not used"),
        base::field("queue", &QueueDelete::queue, "name; empty is the last one declared on the channel"),
        base::field("if-unused", &QueueDelete::if_unused, ""),
        base::field("if-empty", &QueueDelete::if_empty, ""),
        base::field("no-wait", &QueueDelete::no_wait, "send no answer")};
  }
};

struct QueueDeleteOk {  // from the server
  static constexpr MethodId id{50, 41};
  static constexpr std::string_view name = "queue.delete-ok";
  std::uint32_t message_count = 0;
  static constexpr auto fields() {
    return std::tuple{
        base::field("message-count", &QueueDeleteOk::message_count, "messages ready in the queue")};
  }
};

struct QueueUnbind {  // from the client
  static constexpr MethodId id{50, 50};
  static constexpr std::string_view name = "queue.unbind";
  std::uint16_t reserved_1 = 0;
  std::string_view queue;
  std::string_view exchange;
  std::string_view routing_key;
  base::FieldTableView arguments;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &QueueUnbind::reserved_1, "not used"),
        base::field("queue", &QueueUnbind::queue, "name; empty is the last one declared on the channel"),
        base::field("exchange", &QueueUnbind::exchange, "name; empty is the default exchange"),
        base::field("routing-key", &QueueUnbind::routing_key, "what the exchange looks at"),
        base::field("arguments", &QueueUnbind::arguments, "x-arguments")};
  }
};

struct QueueUnbindOk {  // from the server
  static constexpr MethodId id{50, 51};
  static constexpr std::string_view name = "queue.unbind-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

}  // namespace sluice::amqp::wire
