// SPDX-License-Identifier: Apache-2.0
// A World (world.h) with AMQP sessions in it: FakeQueueClient writes down what it is told.
#pragma once

#include "broker/queue_arguments.h"
#include "message/properties.h"
#include "support/field_tables.h"
#include "unit/broker/world.h"

namespace sluice::test {

inline void ignore(broker::Outcome<>) {}

struct Got {
  base::QueueId source;
  base::Offset offset;
  std::string body, exchange, key, properties, tag;
  bool redelivered = false;
};

class FakeQueueClient final : public broker::QueueClient {
 public:
  void on_published(std::uint16_t channel, std::span<const std::uint64_t> confirms, bool accepted) override {
    REQUIRE(std::ranges::is_sorted(confirms));
    for (const auto each : confirms) {
      events.push_back(fmt::format("{}{}:{}", accepted ? "ack" : "nack", channel, each));
    }
  }
  void on_delivered(std::uint16_t channel, std::string_view tag, const broker::Delivery& delivery) override {
    got.push_back(to_got(tag, delivery));
    events.push_back(
        fmt::format("{}{}:{}{}", tag, channel, got.back().body, delivery.redelivered ? "!" : ""));
    if (when_delivered) when_delivered();
  }
  void on_consumer_cancelled(std::uint16_t channel, std::string_view tag) override {
    events.push_back(fmt::format("cancelled {}:{}", channel, tag));
  }
  void on_channel_refused(std::uint16_t channel, const broker::Refusal& why) override {
    events.push_back(fmt::format("refused {}:{}", channel, why.code));
  }
  void on_blocked(std::optional<std::string_view> reason) override {
    events.push_back(reason ? fmt::format("blocked {}", *reason) : "unblocked");
  }
  void on_flow(bool may_publish) override { events.push_back(may_publish ? "go" : "stop"); }

  static Got to_got(std::string_view tag, const broker::Delivery& from) {
    const auto& message = from.message;
    return {from.queue,
            from.offset,
            std::string(base::as_text(message.body)),
            std::string(message.exchange),
            std::string(message.routing_key),
            std::string(base::as_text(message.properties)),
            std::string(tag),
            from.redelivered};
  }
  std::string take() {
    std::string text;
    for (const auto& event : events) text += (text.empty() ? "" : ", ") + event;
    events.clear();
    return text;
  }

  std::vector<Got> got;
  std::vector<std::string> events;
  std::function<void()> when_delivered;
};

// One session on a shard, with shorthands for what a client does.
class TestSession {
 public:
  TestSession(World& world, std::uint32_t shard) : world_(world), shard_(shard) {
    caller.client = world.at(shard).add_client(client_);
    caller.identity = guest;
    caller.vhost = "/";
    messaging().attach(caller, events);
  }
  void disconnect() { world_.at(shard_).remove_client(caller.client); }
  broker::Messaging& messaging() { return world_.at(shard_).messaging(); }

  // "ok", "returned" or the refusal's code.
  std::string publish(std::string_view exchange, std::string_view key, std::string_view body,
                      std::uint64_t confirm = 0, const message::BasicProperties& with = {},
                      bool mandatory = false, std::uint16_t channel = 1) {
    base::ByteBuffer properties;
    message::encode_properties(with, properties);
    broker::PublishRequest request;
    request.message = {exchange, key, properties, base::as_bytes(body)};
    request.channel = channel;
    request.confirm = confirm;
    request.mandatory = mandatory;
    const auto result = messaging().publish(caller, request);
    if (!result) return std::to_string(result.error().code);
    return *result ? "ok" : "returned";
  }
  std::string consume(std::string_view queue, std::string_view tag, std::uint32_t prefetch = 0,
                      bool no_ack = false, bool exclusive = false, std::uint16_t channel = 1) {
    broker::ConsumeRequest request;
    request.queue = queue;
    request.channel = channel;
    request.tag = tag;
    request.prefetch = prefetch;
    request.no_ack = no_ack;
    request.exclusive = exclusive;
    return ask<>([&](auto answer) { messaging().consume(caller, request, std::move(answer)); });
  }
  std::string get(std::string_view queue, bool no_ack = false, std::uint16_t channel = 1) {
    std::string text;
    messaging().get(caller, channel, std::string(queue), no_ack,
                    [&](broker::Outcome<std::optional<broker::Delivery>> answer) {
                      REQUIRE(text.empty());
                      if (!answer) {
                        text = std::to_string(answer.error().code);
                      } else if (!*answer) {
                        text = "empty";
                      } else {
                        events.got.push_back(FakeQueueClient::to_got("", **answer));
                        text = fmt::format("{}+{}", events.got.back().body, (*answer)->messages_left);
                      }
                    });
    world_.settle();
    REQUIRE_FALSE(text.empty());
    return text;
  }
  void settle(const Got& got, broker::Settlement settlement = broker::Settlement::accepted) {
    messaging().settle(caller, got.source, {&got.offset, 1}, settlement);
    world_.settle();
  }
  template <class T = void, class F>
  std::string ask(F call) {
    std::string text;
    call([&](broker::Outcome<T> answer) {
      REQUIRE(text.empty());
      text = answer ? "ok" : std::to_string(answer.error().code);
    });
    world_.settle();
    REQUIRE_FALSE(text.empty());
    return text;
  }

  broker::Caller caller;
  FakeQueueClient events;

 private:
  World& world_;
  std::uint32_t shard_;
  FakeClient client_;
};

// A queue by command, as a declaration makes it. Queues made one after the other are on alternating shards.
inline void make_queue(World& world, std::string_view name, base::FieldTable arguments = {},
                       std::string_view type = "classic", bool auto_delete = false) {
  broker::QueueRecord record;
  record.vhost = "/";
  record.name = name;
  record.type = type;
  record.auto_delete = auto_delete;
  record.table_arguments = std::move(arguments);
  auto& first = world.set().broker(base::ShardId{0});
  REQUIRE(world.ask([&](auto done) { first.send_command(broker::DeclareQueue{record}, std::move(done)); }));
}
inline void remove_queue(World& world, std::string_view name) {
  auto& first = world.set().broker(base::ShardId{0});
  REQUIRE(world.ask([&](auto done) {
    first.send_command(broker::DeleteQueue{"/", std::string(name), 0}, std::move(done));
  }));
}

inline void make_exchange(World& world, std::string_view name, std::string_view type,
                          base::FieldTable arguments = {}) {
  broker::ExchangeRecord record;
  record.vhost = "/";
  record.name = name;
  record.type = type;
  record.table_arguments = std::move(arguments);
  auto& first = world.set().broker(base::ShardId{0});
  REQUIRE(
      world.ask([&](auto done) { first.send_command(broker::DeclareExchange{record}, std::move(done)); }));
}

inline void bind(World& world, std::string_view source, std::string_view destination,
                 std::string_view key = "", bool to_exchange = false) {
  broker::BindingRecord record;
  record.vhost = "/";
  record.source = source;
  record.destination = destination;
  record.to_exchange = to_exchange;
  record.routing_key = key;
  auto& first = world.set().broker(base::ShardId{0});
  REQUIRE(world.ask([&](auto done) { first.send_command(broker::Bind{record}, std::move(done)); }));
}

// Headers of properties as a client gets them.
inline base::FieldTable headers_of(const std::string& properties) {
  const auto decoded = message::decode_properties(base::as_bytes(properties));
  REQUIRE(decoded);
  if (!decoded->headers) return {};
  auto headers = base::decode_field_table(decoded->headers->bytes());
  REQUIRE(headers);
  return *headers;
}

struct WithHeaders {
  explicit WithHeaders(const base::FieldTable& headers) {
    base::ByteWriter writer(encoded);
    base::write_field_table(writer, headers);
    properties.headers = base::FieldTableView(base::ByteView(encoded).subspan(4));
  }
  base::ByteBuffer encoded;
  message::BasicProperties properties;
};

}  // namespace sluice::test
