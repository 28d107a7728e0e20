// SPDX-License-Identifier: Apache-2.0
// The consuming half of a session: subscriptions by id, credit, Deliver frames, and the ConsumerUpdate
// exchange of single active consumers. Reference: sections 8 and 10.
//
// A subscription starts to send when its credit is above half of its initial credit and then sends until none
// is left: chunks leave in groups. Nothing is produced while the outbox is above its high-water mark.
#pragma once

#include <memory>
#include <optional>

#include "stream/connection.h"

namespace sluice::stream {

class Consuming {
 public:
  explicit Consuming(Connection& connection) : connection_(connection) {}

  void on(std::uint32_t correlation, const streamproto::Subscribe& request);
  void on(std::uint32_t correlation, const streamproto::Unsubscribe& request);
  void on(const streamproto::Credit& request);
  void on(std::uint32_t correlation, const streamproto::ConsumerUpdateResponse& answer);

  // Events of the broker and of the transport.
  void on_readable(broker::Token token);
  void on_consumer_update(broker::Token token, bool active);
  void on_drained();
  void on_tick(std::int64_t now_ms);

  // The broker has dropped the subscriptions of that stream. True when there were any.
  bool forget_stream(std::string_view stream);
  // Removes subscriptions whose user may no longer read; their streams are added.
  void drop_forbidden(std::vector<std::string>& streams);

  bool is_subscribed(std::string_view stream) const;
  std::size_t count() const { return count_; }
  void list(std::vector<broker::ConsumerRow>& into) const;

 private:
  struct Subscription {
    std::uint8_t id = 0;
    broker::Token token = 0;
    broker::Consumer* consumer = nullptr;  // null until the broker has answered
    std::string stream;
    bool single_active = false;
    bool active = true;    // false: a single active consumer that waits or steps down
    bool flowing = false;  // sends until its credit is used up
    std::uint32_t credit = 0, send_limit = 0;
    std::optional<bool> early_update;  // came before the answer to Subscribe was sent
    std::vector<std::pair<std::string, std::string>> properties;
  };
  struct PendingUpdate {
    std::uint32_t correlation;
    broker::Token token;
    bool active;
    std::int64_t deadline_ms;
  };

  streamproto::ResponseCode refusal(const streamproto::Subscribe& request, std::string_view name) const;
  void subscribed(std::uint32_t correlation, broker::Token token, base::Result<broker::Consumer*> consumer);
  Subscription* find(broker::Token token);
  Subscription* find_id(std::uint8_t id);
  void remove(std::uint8_t id);
  void send_consumer_update(Subscription& subscription, bool active);
  void deliver(Subscription& subscription);

  Connection& connection_;
  // By subscription id; grows to the highest id used, 256 at most.
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::vector<PendingUpdate> pending_updates_;
  std::size_t count_ = 0, next_turn_ = 0;
  std::uint32_t generation_ = 0;          // upper bits of a token
  std::uint32_t server_correlation_ = 0;  // of requests to the client
  bool adding_ = false;                   // inside Broker::add_consumer
};

}  // namespace sluice::stream
