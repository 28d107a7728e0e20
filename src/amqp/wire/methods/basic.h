// SPDX-License-Identifier: Apache-2.0
// Methods of class basic (60). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's
// extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct BasicQos {  // from the client
  static constexpr MethodId id{60, 10};
  static constexpr std::string_view name = "basic.qos";
  std::uint32_t prefetch_size = 0;
  std::uint16_t prefetch_count = 0;
  bool global = false;
  static constexpr auto fields() {
    return std::tuple{base::field("prefetch-size", &BasicQos::prefetch_size, "must be 0"),
                      base::field("prefetch-count", &BasicQos::prefetch_count,
                                  "unacknowledged deliveries allowed; 0 is no limit"),
                      base::field("global", &BasicQos::global, "per channel instead of per consumer")};
  }
};

struct BasicQosOk {  // from the server
  static constexpr MethodId id{60, 11};
  static constexpr std::string_view name = "basic.qos-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct BasicConsume {  // from the client
  static constexpr MethodId id{60, 20};
  static constexpr std::string_view name = "basic.consume";
  std::uint16_t reserved_1 = 0;
  std::string_view queue;
  std::string_view consumer_tag;
  bool no_local = false;
  bool no_ack = false;
  bool exclusive = false;
  bool no_wait = false;
  base::FieldTableView arguments;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &BasicConsume::reserved_1, "not used"),
        base::field("queue", &BasicConsume::queue, "name; empty is the last one declared on the channel"),
        base::field("consumer-tag", &BasicConsume::consumer_tag, "name of the consumer on this channel"),
        base::field("no-local", &BasicConsume::no_local, "ignored"),
        base::field("no-ack", &BasicConsume::no_ack, "settled when sent"),
        base::field("exclusive", &BasicConsume::exclusive, ""),
        base::field("no-wait", &BasicConsume::no_wait, "send no answer"),
        base::field("arguments", &BasicConsume::arguments, "x-arguments")};
  }
};

struct BasicConsumeOk {  // from the server
  static constexpr MethodId id{60, 21};
  static constexpr std::string_view name = "basic.consume-ok";
  std::string_view consumer_tag;
  static constexpr auto fields() {
    return std::tuple{
        base::field("consumer-tag", &BasicConsumeOk::consumer_tag, "name of the consumer on this channel")};
  }
};

struct BasicCancel {  // from either side
  static constexpr MethodId id{60, 30};
  static constexpr std::string_view name = "basic.cancel";
  std::string_view consumer_tag;
  bool no_wait = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("consumer-tag", &BasicCancel::consumer_tag, "name of the consumer on this channel"),
        base::field("no-wait", &BasicCancel::no_wait, "send no answer")};
  }
};

struct BasicCancelOk {  // from either side
  static constexpr MethodId id{60, 31};
  static constexpr std::string_view name = "basic.cancel-ok";
  std::string_view consumer_tag;
  static constexpr auto fields() {
    return std::tuple{
        base::field("consumer-tag", &BasicCancelOk::consumer_tag, "name of the consumer on this channel")};
  }
};

struct BasicPublish {  // from the client
  static constexpr MethodId id{60, 40};
  static constexpr std::string_view name = "basic.publish";
  std::uint16_t reserved_1 = 0;
  std::string_view exchange;
  std::string_view routing_key;
  bool mandatory = false;
  bool immediate = false;
  static constexpr auto fields() {
    return std::tuple{base::field("reserved-1", &BasicPublish::reserved_1, "not used"),
                      base::field("exchange", &BasicPublish::exchange, "name; empty is the default exchange"),
                      base::field("routing-key", &BasicPublish::routing_key, "what the exchange looks at"),
                      base::field("mandatory", &BasicPublish::mandatory, "return when no queue takes it"),
                      base::field("immediate", &BasicPublish::immediate, "must be false")};
  }
};

struct BasicReturn {  // from the server
  static constexpr MethodId id{60, 50};
  static constexpr std::string_view name = "basic.return";
  std::uint16_t reply_code = 0;
  std::string_view reply_text;
  std::string_view exchange;
  std::string_view routing_key;
  static constexpr auto fields() {
    return std::tuple{base::field("reply-code", &BasicReturn::reply_code, "see the error table"),
                      base::field("reply-text", &BasicReturn::reply_text, "code name and explanation"),
                      base::field("exchange", &BasicReturn::exchange, "name; empty is the default exchange"),
                      base::field("routing-key", &BasicReturn::routing_key, "what the exchange looks at")};
  }
};

struct BasicDeliver {  // from the server
  static constexpr MethodId id{60, 60};
  static constexpr std::string_view name = "basic.deliver";
  std::string_view consumer_tag;
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange;
  std::string_view routing_key;
  static constexpr auto fields() {
    return std::tuple{
        base::field("consumer-tag", &BasicDeliver::consumer_tag, "name of the consumer on this channel"),
        base::field("delivery-tag", &BasicDeliver::delivery_tag, "number of the delivery on this channel"),
        base::field("redelivered", &BasicDeliver::redelivered, "was delivered before"),
        base::field("exchange", &BasicDeliver::exchange, "name; empty is the default exchange"),
        base::field("routing-key", &BasicDeliver::routing_key, "what the exchange looks at")};
  }
};

struct BasicGet {  // from the client
  static constexpr MethodId id{60, 70};
  static constexpr std::string_view name = "basic.get";
  std::uint16_t reserved_1 = 0;
  std::string_view queue;
  bool no_ack = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reserved-1", &BasicGet::reserved_1, "not used"),
        base::field("queue", &BasicGet::queue, "name; empty is the last one declared on the channel"),
        base::field("no-ack", &BasicGet::no_ack, "settled when sent")};
  }
};

struct BasicGetOk {  // from the server
  static constexpr MethodId id{60, 71};
  static constexpr std::string_view name = "basic.get-ok";
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange;
  std::string_view routing_key;
  std::uint32_t message_count = 0;
  static constexpr auto fields() {
    return std::tuple{
        base::field("delivery-tag", &BasicGetOk::delivery_tag, "number of the delivery on this channel"),
        base::field("redelivered", &BasicGetOk::redelivered, "was delivered before"),
        base::field("exchange", &BasicGetOk::exchange, "name; empty is the default exchange"),
        base::field("routing-key", &BasicGetOk::routing_key, "what the exchange looks at"),
        base::field("message-count", &BasicGetOk::message_count, "messages ready in the queue")};
  }
};

struct BasicGetEmpty {  // from the server
  static constexpr MethodId id{60, 72};
  static constexpr std::string_view name = "basic.get-empty";
  std::string_view reserved_1;
  static constexpr auto fields() {
    return std::tuple{base::field("reserved-1", &BasicGetEmpty::reserved_1, "not used")};
  }
};

struct BasicAck {  // from either side
  static constexpr MethodId id{60, 80};
  static constexpr std::string_view name = "basic.ack";
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("delivery-tag", &BasicAck::delivery_tag, "number of the delivery on this channel"),
        base::field("multiple", &BasicAck::multiple, "all up to and including the tag")};
  }
};

struct BasicReject {  // from the client
  static constexpr MethodId id{60, 90};
  static constexpr std::string_view name = "basic.reject";
  std::uint64_t delivery_tag = 0;
  bool requeue = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("delivery-tag", &BasicReject::delivery_tag, "number of the delivery on this channel"),
        base::field("requeue", &BasicReject::requeue, "put back instead of dead-lettering")};
  }
};

struct BasicRecoverAsync {  // from the client
  static constexpr MethodId id{60, 100};
  static constexpr std::string_view name = "basic.recover-async";
  bool requeue = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("requeue", &BasicRecoverAsync::requeue, "put back instead of dead-lettering")};
  }
};

struct BasicRecover {  // from the client
  static constexpr MethodId id{60, 110};
  static constexpr std::string_view name = "basic.recover";
  bool requeue = false;
  static constexpr auto fields() {
    return std::tuple{base::field("requeue", &BasicRecover::requeue, "put back instead of dead-lettering")};
  }
};

struct BasicRecoverOk {  // from the server
  static constexpr MethodId id{60, 111};
  static constexpr std::string_view name = "basic.recover-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct BasicNack {  // from either side
  static constexpr MethodId id{60, 120};
  static constexpr std::string_view name = "basic.nack";
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  bool requeue = false;
  static constexpr auto fields() {
    return std::tuple{
        base::field("delivery-tag", &BasicNack::delivery_tag, "number of the delivery on this channel"),
        base::field("multiple", &BasicNack::multiple, "all up to and including the tag"),
        base::field("requeue", &BasicNack::requeue, "put back instead of dead-lettering")};
  }
};

}  // namespace sluice::amqp::wire
