// SPDX-License-Identifier: Apache-2.0
// Methods of class tx (90). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct TxSelect {  // from the client
  static constexpr MethodId id{90, 10};
  static constexpr std::string_view name = "tx.select";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct TxSelectOk {  // from the server
  static constexpr MethodId id{90, 11};
  static constexpr std::string_view name = "tx.select-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct TxCommit {  // from the client
  static constexpr MethodId id{90, 20};
  static constexpr std::string_view name = "tx.commit";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct TxCommitOk {  // from the server
  static constexpr MethodId id{90, 21};
  static constexpr std::string_view name = "tx.commit-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct TxRollback {  // from the client
  static constexpr MethodId id{90, 30};
  static constexpr std::string_view name = "tx.rollback";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct TxRollbackOk {  // from the server
  static constexpr MethodId id{90, 31};
  static constexpr std::string_view name = "tx.rollback-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

}  // namespace sluice::amqp::wire
