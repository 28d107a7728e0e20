// SPDX-License-Identifier: Apache-2.0
// Methods of class access (30). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's
// extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct AccessRequest {  // from the client
  static constexpr MethodId id{30, 10};
  static constexpr std::string_view name = "access.request";
  std::string_view realm;
  bool exclusive = false;
  bool passive = false;
  bool active = false;
  bool write = false;
  bool read = false;
  static constexpr auto fields() {
    return std::tuple{base::field("realm", &AccessRequest::realm, ""),
                      base::field("exclusive", &AccessRequest::exclusive, ""),
                      base::field("passive", &AccessRequest::passive, "only look whether it is there"),
                      base::field("active", &AccessRequest::active, "false asks to stop"),
                      base::field("write", &AccessRequest::write, ""),
                      base::field("read", &AccessRequest::read, "")};
  }
};

struct AccessRequestOk {  // from the server
  static constexpr MethodId id{30, 11};
  static constexpr std::string_view name = "access.request-ok";
  std::uint16_t ticket = 0;
  static constexpr auto fields() { return std::tuple{base::field("ticket", &AccessRequestOk::ticket, "")}; }
};

}  // namespace sluice::amqp::wire
