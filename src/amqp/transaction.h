// SPDX-License-Identifier: Apache-2.0
// The open transaction of a channel: publishes, checked and routed, kept as bytes and settlements kept as
// marks until tx.commit hands them to the broker or tx.rollback forgets them. Atomic per queue only, as in
// RabbitMQ. Bounded by limits.h.
#pragma once

#include <optional>
#include <vector>

#include "amqp/limits.h"
#include "amqp/unsettled.h"

namespace sluice::amqp {

class Transaction {
 public:
  struct Settled {
    Unsettled::Source source;
    base::Offset offset;
    broker::Settlement settlement;
  };

  // False: it is full.
  bool add(const broker::MessageView& message, bool mandatory, broker::KeptRoute route);
  std::vector<Settled> settled;

  std::size_t publishes() const { return publishes_.size(); }
  // Calls f(message, mandatory, route) for each publish in order; views valid during the call.
  template <class F>
  void for_each(F&& f) const {
    std::size_t at = 0;
    for (const Publish& publish : publishes_) {
      const auto next = [&](std::size_t size) {
        const base::ByteView part = base::ByteView(bytes_).subspan(at, size);
        at += size;
        return part;
      };
      broker::MessageView message;
      message.exchange = base::as_text(next(publish.exchange_bytes));
      message.routing_key = base::as_text(next(publish.key_bytes));
      message.properties = next(publish.properties_bytes);
      message.body = next(publish.body_bytes);
      f(message, publish.mandatory, publish.route);
    }
  }
  // Commit is under way: so many publishes are not answered yet.
  std::optional<std::uint64_t> committing;
  bool refused = false;  // one of them was

  void clear();

 private:
  struct Publish {
    std::uint32_t properties_bytes, body_bytes;
    std::uint8_t exchange_bytes, key_bytes;
    bool mandatory;
    broker::KeptRoute route;
  };
  std::vector<Publish> publishes_;
  std::size_t route_bytes_ = 0;
  base::ByteBuffer bytes_;
};

}  // namespace sluice::amqp
