// SPDX-License-Identifier: Apache-2.0
// Methods of class exchange (40). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's
// extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct ExchangeDeclare {  // from the client
  static constexpr MethodId id{40, 10};
  static constexpr std::string_view name = "exchange.declare";
  std::uint16_t reserved_1 = 0;
  std::string_view exchange;
  std::string_view type;
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  bool no_wait = false;
  base::FieldTableView arguments;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &ExchangeDeclare::reserved_1, "not used"),
        base::field("exchange", &ExchangeDeclare::exchange, "name; empty is the default exchange"),
        base::field("type", &ExchangeDeclare::type, ""),
        base::field("passive", &ExchangeDeclare::passive, "only look whether it is there"),
        base::field("durable", &ExchangeDeclare::durable, "survives a restart"),
        base::field("auto-delete", &ExchangeDeclare::auto_delete, "goes when its last user goes"),
        base::field("internal", &ExchangeDeclare::internal, "clients may not publish to it"),
        base::field("no-wait", &ExchangeDeclare::no_wait, "send no answer"),
        base::field("arguments", &ExchangeDeclare::arguments, "x-arguments")};
  }
};

struct ExchangeDeclareOk {  // from the server
  static constexpr MethodId id{40, 11};
  static constexpr std::string_view name = "exchange.declare-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct ExchangeDelete {  // from the client
  static constexpr MethodId id{40, 20};
  static constexpr std::string_view name = "exchange.delete";
  std::uint16_t reserved_1 = 0;
  std::string_view exchange;
  bool if_unused = false;
  bool no_wait = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &ExchangeDelete::reserved_1, "not used"),
        base::field("exchange", &ExchangeDelete::exchange, "name; empty is the default exchange"),
        base::field("if-unused", &ExchangeDelete::if_unused, ""),
        base::field("no-wait", &ExchangeDelete::no_wait, "send no answer")};
  }
};

struct ExchangeDeleteOk {  // from the server
  static constexpr MethodId id{40, 21};
  static constexpr std::string_view name = "exchange.delete-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct ExchangeBind {  // from the client
  static constexpr MethodId id{40, 30};
  static constexpr std::string_view name = "exchange.bind";
  std::uint16_t reserved_1 = 0;
  std::string_view destination;
  std::string_view source;
  std::string_view routing_key;
  bool no_wait = false;
  base::FieldTableView arguments;
  static constexpr auto fields() {
    return std::tuple{base::field("reserved-1", &ExchangeBind::reserved_1, "not used"),
                      base::field("destination", &ExchangeBind::destination, ""),
                      base::field("source", &ExchangeBind::source, ""),
                      base::field("routing-key", &ExchangeBind::routing_key, "what the exchange looks at"),
                      base::field("no-wait", &ExchangeBind::no_wait, "send no answer"),
                      base::field("arguments", &ExchangeBind::arguments, "x-arguments")};
  }
};

struct ExchangeBindOk {  // from the server
  static constexpr MethodId id{40, 31};
  static constexpr std::string_view name = "exchange.bind-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct ExchangeUnbind {  // from the client
  static constexpr MethodId id{40, 40};
  static constexpr std::string_view name = "exchange.unbind";
  std::uint16_t reserved_1 = 0;
  std::string_view destination;
  std::string_view source;
  std::string_view routing_key;
  bool no_wait = false;
  base::FieldTableView arguments;
  static constexpr auto fields() {
    return std::tuple{base::field("reserved-1", &ExchangeUnbind::reserved_1, "not used"),
                      base::field("destination", &ExchangeUnbind::destination, ""),
                      base::field("source", &ExchangeUnbind::source, ""),
                      base::field("routing-key", &ExchangeUnbind::routing_key, "what the exchange looks at"),
                      base::field("no-wait", &ExchangeUnbind::no_wait, "send no answer"),
                      base::field("arguments", &ExchangeUnbind::arguments, "x-arguments")};
  }
};

struct ExchangeUnbindOk {  // from the server
  static constexpr MethodId id{40, 51};
  static constexpr std::string_view name = "exchange.unbind-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

}  // namespace sluice::amqp::wire
