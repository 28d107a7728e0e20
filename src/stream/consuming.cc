// SPDX-License-Identifier: Apache-2.0
#include "stream/consuming.h"

#include <algorithm>

#include "stream/convert.h"

namespace sluice::stream {

using namespace streamproto;

namespace {

constexpr std::uint32_t credit_max = 1U << 30;

// Chunks of one consumer as Deliver frames.
class DeliverSink final : public broker::ChunkSink {
 public:
  DeliverSink(Connection& connection, std::uint8_t subscription_id, const broker::Consumer& consumer)
      : connection_(connection), consumer_(consumer), subscription_id_(subscription_id) {}

  void file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                  std::uint32_t records) override {
    begin(size, records);
    connection_.end_frame();
    connection_.outbox().write_file(std::move(file), position, size);
  }

  void memory_chunk(std::span<const base::ByteView> parts, std::uint32_t records) override {
    std::size_t size = 0;
    for (const base::ByteView part : parts) size += part.size();
    base::ByteBuffer& to = begin(size, records);
    for (const base::ByteView part : parts) to.insert(to.end(), part.begin(), part.end());
    connection_.end_frame();
  }

  bool full() const override { return connection_.outbox().above_high_water(); }

 private:
  base::ByteBuffer& begin(std::size_t chunk_bytes, std::uint32_t records) {
    Metrics& metrics = connection_.metrics();
    metrics.chunks_delivered.add();
    metrics.messages_delivered.add(records);
    base::ByteBuffer& to = connection_.begin_frame();
    write_deliver_prefix(connection_.deliver_version, subscription_id_, consumer_.committed_chunk_id(),
                         chunk_bytes, to);
    return to;
  }

  Connection& connection_;
  const broker::Consumer& consumer_;
  std::uint8_t subscription_id_;
};

}  // namespace

Consuming::Subscription* Consuming::find_id(std::uint8_t id) {
  return id < subscriptions_.size() ? subscriptions_[id].get() : nullptr;
}

Consuming::Subscription* Consuming::find(broker::Token token) {
  Subscription* found = find_id(static_cast<std::uint8_t>(token & 0xFF));
  return found != nullptr && found->token == token ? found : nullptr;
}

void Consuming::remove(std::uint8_t id) {
  const broker::Token token = subscriptions_[id]->token;
  std::erase_if(pending_updates_, [token](const PendingUpdate& update) { return update.token == token; });
  subscriptions_[id].reset();
  --count_;
}

// ---- subscribing

// In the order in which RabbitMQ tells its errors; ok when there is none that this side can see.
ResponseCode Consuming::refusal(const Subscribe& request, std::string_view name) const {
  if (count_ >= subscriptions_max) return ResponseCode::precondition_failed;
  if (!connection_.allowed(broker::Permission::read, request.stream)) return ResponseCode::access_refused;
  if (name.size() > reference_bytes_max) return ResponseCode::precondition_failed;
  if (!connection_.broker().stream_exists(connection_.vhost, request.stream)) {
    return ResponseCode::stream_does_not_exist;
  }
  const auto place = connection_.broker().locate(connection_.identity, connection_.vhost, request.stream);
  if (place.error == base::Errc::stream_unavailable) return ResponseCode::stream_not_available;
  const std::uint8_t id = request.subscription_id;
  if (id < subscriptions_.size() && subscriptions_[id]) return ResponseCode::subscription_id_already_exists;
  if (request.offset_spec.type == OffsetType::none) return ResponseCode::precondition_failed;
  if (is_single_active(request.properties) && name.empty()) return ResponseCode::precondition_failed;
  return ResponseCode::ok;
}

void Consuming::on(std::uint32_t correlation, const Subscribe& request) {
  const std::string_view name = find_property(request.properties, "name");
  if (const ResponseCode code = refusal(request, name); code != ResponseCode::ok) {
    SubscribeResponse response;
    response.code = code;
    return connection_.send(response, correlation);
  }
  const std::uint8_t id = request.subscription_id;
  auto subscription = std::make_unique<Subscription>();
  subscription->id = id;
  subscription->token = (++generation_ << 8) | id;
  subscription->stream = request.stream;
  subscription->single_active = is_single_active(request.properties);
  subscription->active = !subscription->single_active;
  subscription->credit = request.credit;
  subscription->send_limit = request.credit / 2U;
  subscription->properties = to_strings(request.properties);
  const broker::Token token = subscription->token;
  if (subscriptions_.size() <= id) subscriptions_.resize(id + std::size_t{1});
  subscriptions_[id] = std::move(subscription);
  ++count_;

  broker::SubscribeRequest subscribe = subscribe_request(
      connection_.vhost, request.stream, request.offset_spec, request.properties, request.credit);
  subscribe.subscription_id = id;
  auto done = connection_.await<broker::Consumer*>(
      [this, correlation, token](base::Result<broker::Consumer*> consumer) {
        subscribed(correlation, token, std::move(consumer));
      });
  adding_ = true;
  connection_.broker().add_consumer(connection_.client, token, std::move(subscribe), std::move(done));
  adding_ = false;
  if (Subscription* added = find(token)) deliver(*added);
}

void Consuming::subscribed(std::uint32_t correlation, broker::Token token,
                           base::Result<broker::Consumer*> consumer) {
  Subscription* subscription = find(token);
  SubscribeResponse response;
  response.code = response_code(consumer);
  if (subscription == nullptr) {
    if (consumer) response.code = ResponseCode::stream_not_available;  // lost in the meantime
    return connection_.send(response, correlation);
  }
  if (!consumer) {
    connection_.log(base::LogLevel::warning, "subscription refused", consumer.error().text);
    remove(subscription->id);
    return connection_.send(response, correlation);
  }
  connection_.send(response, correlation);
  subscription->consumer = *consumer;
  if (subscription->early_update) send_consumer_update(*subscription, *subscription->early_update);
  if (!adding_) deliver(*subscription);
}

void Consuming::on(std::uint32_t correlation, const Unsubscribe& request) {
  UnsubscribeResponse response;
  if (Subscription* subscription = find_id(request.subscription_id)) {
    connection_.broker().remove_consumer(connection_.client, subscription->token);
    remove(subscription->id);
  } else {
    response.code = ResponseCode::subscription_id_does_not_exist;
  }
  connection_.send(response, correlation);
}

// ---- credit and delivery

void Consuming::on(const Credit& request) {
  Subscription* subscription = find_id(request.subscription_id);
  if (subscription == nullptr) {
    return connection_.send(
        CreditResponse{ResponseCode::subscription_id_does_not_exist, request.subscription_id});
  }
  subscription->credit = std::min(credit_max, subscription->credit + request.credit);
  if (!subscription->active) {
    return connection_.send(CreditResponse{ResponseCode::precondition_failed, request.subscription_id});
  }
  deliver(*subscription);
}

void Consuming::deliver(Subscription& subscription) {
  if (subscription.consumer == nullptr || !subscription.active || !connection_.is_open()) return;
  if (subscription.credit > subscription.send_limit) subscription.flowing = true;
  if (!subscription.flowing || connection_.outbox().above_high_water()) return;
  DeliverSink sink(connection_, subscription.id, *subscription.consumer);
  const std::uint32_t sent = subscription.consumer->deliver(subscription.credit, sink);
  subscription.credit -= std::min(sent, subscription.credit);
  if (subscription.credit == 0) subscription.flowing = false;
}

void Consuming::on_readable(broker::Token token) {
  if (Subscription* subscription = find(token)) deliver(*subscription);
}

// Begins with another subscription each time, so that a fast one does not keep the outbox for itself.
void Consuming::on_drained() {
  const std::size_t size = subscriptions_.size();
  for (std::size_t i = 0; i < size && !connection_.outbox().above_high_water(); ++i) {
    next_turn_ = (next_turn_ + 1) % size;
    if (Subscription* subscription = subscriptions_[next_turn_].get()) deliver(*subscription);
  }
}

// ---- single active consumer

void Consuming::on_consumer_update(broker::Token token, bool active) {
  Subscription* subscription = find(token);
  if (subscription == nullptr) return;
  if (subscription->consumer == nullptr) {
    subscription->early_update = active;
  } else {
    send_consumer_update(*subscription, active);
  }
}

void Consuming::send_consumer_update(Subscription& subscription, bool active) {
  // Not active before the client has answered, and no longer from the moment it is asked to step down.
  subscription.active = false;
  pending_updates_.push_back(
      {server_correlation_, subscription.token, active, connection_.now_ms() + consumer_update_timeout_ms});
  connection_.send(ConsumerUpdate{subscription.id, static_cast<std::uint8_t>(active ? 1 : 0)},
                   server_correlation_);
  ++server_correlation_;
}

void Consuming::on(std::uint32_t correlation, const ConsumerUpdateResponse& answer) {
  const auto found =
      std::find_if(pending_updates_.begin(), pending_updates_.end(),
                   [correlation](const PendingUpdate& update) { return update.correlation == correlation; });
  if (found == pending_updates_.end()) {
    return connection_.log(base::LogLevel::info, "answer to no ConsumerUpdate that is known");
  }
  const PendingUpdate update = *found;
  pending_updates_.erase(found);
  Subscription* subscription = find(update.token);
  if (subscription == nullptr) return;
  if (answer.code != ResponseCode::ok) {
    connection_.log(base::LogLevel::warning, "ConsumerUpdate answered with an error", to_string(answer.code));
  }
  subscription->active = update.active;
  const bool with_offset = update.active && answer.offset_spec.type != OffsetType::none;
  connection_.broker().consumer_updated(
      connection_.client, update.token,
      with_offset ? std::optional(to_broker(answer.offset_spec)) : std::nullopt);
  if (Subscription* still = find(update.token)) deliver(*still);
}

void Consuming::on_tick(std::int64_t now_ms) {
  if (!pending_updates_.empty() && now_ms >= pending_updates_.front().deadline_ms) {
    connection_.drop("no answer to ConsumerUpdate");
  }
}

// ---- streams that go, and listings

bool Consuming::forget_stream(std::string_view stream) {
  bool any = false;
  for (std::size_t id = 0; id < subscriptions_.size(); ++id) {
    if (!subscriptions_[id] || subscriptions_[id]->stream != stream) continue;
    remove(static_cast<std::uint8_t>(id));
    any = true;
  }
  return any;
}

void Consuming::drop_forbidden(std::vector<std::string>& streams) {
  for (std::size_t id = 0; id < subscriptions_.size(); ++id) {
    const Subscription* subscription = subscriptions_[id].get();
    if (subscription == nullptr || connection_.allowed(broker::Permission::read, subscription->stream))
      continue;
    streams.push_back(subscription->stream);
    connection_.broker().remove_consumer(connection_.client, subscription->token);
    remove(static_cast<std::uint8_t>(id));
  }
}

bool Consuming::is_subscribed(std::string_view stream) const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [stream](const auto& subscription) {
    return subscription && subscription->stream == stream;
  });
}

void Consuming::list(std::vector<broker::ConsumerRow>& into) const {
  for (const auto& subscription : subscriptions_) {
    if (!subscription || subscription->consumer == nullptr) continue;
    const broker::ConsumerProgress progress = subscription->consumer->progress();
    broker::ConsumerRow row;
    row.connection = connection_.name();
    row.vhost = connection_.vhost;
    row.stream = subscription->stream;
    row.activity_status = !subscription->single_active ? "up"
                          : subscription->active       ? "single_active"
                                                       : "waiting";
    row.subscription_id = subscription->id;
    row.credits = subscription->credit;
    row.messages_consumed = progress.messages_delivered;
    row.offset = progress.next_offset;
    row.offset_lag = subscription->consumer->offset_lag();
    row.chunks_skipped = progress.chunks_skipped;
    row.segments_skipped = progress.segments_skipped;
    row.active = subscription->active;
    row.properties = subscription->properties;
    into.push_back(std::move(row));
  }
}

}  // namespace sluice::stream
