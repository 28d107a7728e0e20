// SPDX-License-Identifier: Apache-2.0
#include "amqp/transaction.h"

namespace sluice::amqp {

bool Transaction::add(const broker::MessageView& message, bool mandatory, broker::KeptRoute route) {
  const std::size_t size = message.exchange.size() + message.routing_key.size() + message.properties.size() +
                           message.body.size() + route.bytes();
  if (bytes_.size() + route_bytes_ + size > transaction_bytes_max ||
      publishes_.size() >= transaction_publishes_max) {
    return false;
  }
  route_bytes_ += route.bytes();
  publishes_.push_back({static_cast<std::uint32_t>(message.properties.size()),
                        static_cast<std::uint32_t>(message.body.size()),
                        static_cast<std::uint8_t>(message.exchange.size()),
                        static_cast<std::uint8_t>(message.routing_key.size()), mandatory, std::move(route)});
  base::ByteWriter writer(bytes_);
  writer.write_bytes(base::as_bytes(message.exchange));
  writer.write_bytes(base::as_bytes(message.routing_key));
  writer.write_bytes(message.properties);
  writer.write_bytes(message.body);
  return true;
}

void Transaction::clear() {
  settled.clear();
  publishes_.clear();
  route_bytes_ = 0;
  base::ByteBuffer().swap(bytes_);
  committing.reset();
  refused = false;
}

}  // namespace sluice::amqp
