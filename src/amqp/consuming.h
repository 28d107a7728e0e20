// SPDX-License-Identifier: Apache-2.0
// Consumers, deliveries and settlements: basic.qos, consume, cancel, get, ack, nack, reject, recover, and
// what the broker delivers. Called by the session with methods of open channels and with the broker's events.
//
// Deliveries are written straight into the outbox; settlements go through Channels::settlements.
#pragma once

#include "amqp/channels.h"

namespace sluice::amqp {

class Consuming {
 public:
  Consuming(Connection& connection, Channels& channels) : connection_(connection), channels_(channels) {}

  broker::Outcome<> on(Channel& channel, const wire::BasicQos& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicConsume& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicCancel& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicGet& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicAck& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicNack& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicReject& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicRecover& method);
  broker::Outcome<> on(Channel& channel, const wire::BasicRecoverAsync& method);

  void on_delivered(std::uint16_t channel, std::string_view tag, const broker::Delivery& delivery);
  void on_cancelled(std::uint16_t channel, std::string_view tag);
  // Tells the broker when deliveries must stop and may go on.
  void update_ready();

 private:
  broker::Outcome<> consume_replies(Channel& channel, const wire::BasicConsume& method, std::string tag);
  void add_consumer(Channel& channel, std::string_view tag, std::string_view queue, bool no_ack);
  bool forget_consumer(Channel& channel, std::string_view tag);
  void write_got(Channel& channel, const broker::Delivery& delivery, bool no_ack);
  void count(const broker::Delivery& delivery, bool by_get, bool no_ack);
  void remember(Channel& channel, std::uint64_t tag, const broker::Delivery& delivery);
  broker::Outcome<> settle(Channel& channel, std::uint64_t tag, bool multiple, broker::Settlement settlement);
  broker::Outcome<> recover(Channel& channel, bool requeue);

  Connection& connection_;
  Channels& channels_;
  bool ready_ = true;
};

}  // namespace sluice::amqp
