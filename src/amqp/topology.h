// SPDX-License-Identifier: Apache-2.0
// Methods of classes exchange and queue: names and arguments as the broker wants them, its answers as the
// client wants them. What may be declared, and by whom, the broker decides. Called by the session with
// methods of open channels.
#pragma once

#include "amqp/channels.h"

namespace sluice::amqp {

class Topology {
 public:
  Topology(Connection& connection, Channels& channels) : connection_(connection), channels_(channels) {}

  broker::Outcome<> on(Channel& channel, const wire::ExchangeDeclare& method);
  broker::Outcome<> on(Channel& channel, const wire::ExchangeDelete& method);
  broker::Outcome<> on(Channel& channel, const wire::ExchangeBind& method);
  broker::Outcome<> on(Channel& channel, const wire::ExchangeUnbind& method);
  broker::Outcome<> on(Channel& channel, const wire::QueueDeclare& method);
  broker::Outcome<> on(Channel& channel, const wire::QueueBind& method);
  broker::Outcome<> on(Channel& channel, const wire::QueueUnbind& method);
  broker::Outcome<> on(Channel& channel, const wire::QueuePurge& method);
  broker::Outcome<> on(Channel& channel, const wire::QueueDelete& method);

 private:
  // An answer without content: sends `ok` unless the client wants none.
  template <class Method, class Ok>
  broker::Answer<> answer_with(const Channel& channel, bool quiet, Ok ok);

  Connection& connection_;
  Channels& channels_;
};

}  // namespace sluice::amqp
