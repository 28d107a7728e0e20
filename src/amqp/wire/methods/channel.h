// SPDX-License-Identifier: Apache-2.0
// Methods of class channel (20). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's
// extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct ChannelOpen {  // from the client
  static constexpr MethodId id{20, 10};
  static constexpr std::string_view name = "channel.open";
  std::string_view reserved_1;
  static constexpr auto fields() {
    return std::tuple{base::field("reserved-1", &ChannelOpen::reserved_1, "not used")};
  }
};

struct ChannelOpenOk {  // from the server
  static constexpr MethodId id{20, 11};
  static constexpr std::string_view name = "channel.open-ok";
  std::string_view reserved_1;
  static constexpr auto fields() {
    return std::tuple{base::field("reserved-1", &ChannelOpenOk::reserved_1, "not used", LongString{})};
  }
};

struct ChannelFlow {  // from either side
  static constexpr MethodId id{20, 20};
  static constexpr std::string_view name = "channel.flow";
  bool active = false;
  static constexpr auto fields() {
    return std::tuple{base::field("active", &ChannelFlow::active, "false asks to stop")};
  }
};

struct ChannelFlowOk {  // from either side
  static constexpr MethodId id{20, 21};
  static constexpr std::string_view name = "channel.flow-ok";
  bool active = false;
  static constexpr auto fields() {
    return std::tuple{base::field("active", &ChannelFlowOk::active, "false asks to stop")};
  }
};

struct ChannelClose {  // from either side
  static constexpr MethodId id{20, 40};
  static constexpr std::string_view name = "channel.close";
  std::uint16_t reply_code = 0;
  std::string_view reply_text;
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reply-code", &ChannelClose::reply_code, "see the error table"),
        base::field("reply-text", &ChannelClose::reply_text, "code name and explanation"),
        base::field("class-id", &ChannelClose::class_id, "class of the method that failed, or 0"),
        base::field("method-id", &ChannelClose::method_id, "method that failed, or 0")};
  }
};

struct ChannelCloseOk {  // from either side
  static constexpr MethodId id{20, 41};
  static constexpr std::string_view name = "channel.close-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

}  // namespace sluice::amqp::wire
