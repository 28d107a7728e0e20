// SPDX-License-Identifier: Apache-2.0
// Settlements of one connection on their way to the broker. They are collected over a read, so that a client
// that acknowledges one by one costs one call per read and source; flush() hands them on. It must be called
// at the end of a read and before whatever could see the difference: other methods, the end of a channel, of
// the connection. In between nothing lies here, so the memory is the shard's (Context::settle_scratch).
#pragma once

#include "amqp/connection.h"

namespace sluice::amqp {

class Settlements {
 public:
  explicit Settlements(Connection& connection) : connection_(connection) {}

  void collect(const Unsettled::Entry& entry, broker::Settlement settlement);
  void flush();

 private:
  Connection& connection_;
  broker::Settlement collected_as_ = broker::Settlement::accepted;
};

}  // namespace sluice::amqp
