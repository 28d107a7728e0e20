// SPDX-License-Identifier: Apache-2.0
// Methods of class confirm (85). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's
// extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct ConfirmSelect {  // from the client
  static constexpr MethodId id{85, 10};
  static constexpr std::string_view name = "confirm.select";
  bool no_wait = false;
  static constexpr auto fields() {
    return std::tuple{base::field("no-wait", &ConfirmSelect::no_wait, "send no answer")};
  }
};

struct ConfirmSelectOk {  // from the server
  static constexpr MethodId id{85, 11};
  static constexpr std::string_view name = "confirm.select-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

}  // namespace sluice::amqp::wire
