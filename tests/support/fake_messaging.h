// SPDX-License-Identifier: Apache-2.0
// FakeMessaging: a broker::Messaging for tests of sessions. Queues are lists in memory, only the default
// exchange routes, and everything that must come in a later turn comes when the test calls turn(). It notes
// what it was asked; answers can be held back or be refusals.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "broker/messaging.h"

namespace sluice::test {

class FakeMessaging final : public broker::Messaging {
 public:
  struct Message {
    std::string exchange, key;
    base::ByteBuffer properties;
    std::string body;
    bool redelivered = false;
  };
  struct Queue {
    std::uint64_t id = 0;
    std::deque<std::pair<std::uint64_t, Message>> ready;  // by offset
    std::map<std::uint64_t, Message> unsettled;
    std::uint64_t next_offset = 0;
  };
  struct ConsumerState {
    broker::ConsumeRequest request;
  };

  // ---- set by the test
  std::optional<broker::Refusal> next_refusal;  // of the next call that answers
  std::optional<base::ShardId> home;            // what home_of says
  bool hold_answers = false;
  bool accept_publishes = true;
  std::set<std::string> exchanges{"", "amq.direct", "amq.topic", "amq.fanout"};

  // ---- seen by the test
  broker::QueueClient* client = nullptr;
  broker::Caller caller;
  std::map<std::string, Queue> queues;
  std::vector<ConsumerState> consumers;
  std::vector<std::string> calls;  // one line per call that changes something
  std::vector<std::pair<std::uint64_t, broker::Settlement>> settlements;
  std::size_t settle_calls = 0;
  bool settled_before_close = false;
  bool ready = true;
  base::FieldTable arguments;
  std::vector<std::function<void()>> held;

  void answer_held() {
    const auto answers = std::move(held);
    held.clear();
    for (const auto& answer : answers) answer();
  }
  // The end of a turn: confirms, then deliveries, one message per consumer and round.
  void turn() {
    for (auto& [channel, numbers] : std::exchange(published_, {})) {
      client->on_published(channel, numbers, accept_publishes);
    }
    for (bool progress = true; progress && ready;) {
      progress = false;
      for (std::size_t i = 0; i < consumers.size() && ready; ++i)
        progress |= deliver_one(consumers[i].request);
    }
  }

  // ---- broker::Messaging
  void attach(const broker::Caller& who, broker::QueueClient& attached) override {
    caller = who;
    client = &attached;
  }
  void renew(const broker::Caller& who) override {
    caller = who;
    calls.push_back("renew " + who.identity.user);
  }
  void declare_exchange(const broker::Caller&, broker::ExchangeSpec spec, broker::Answer<> answer) override {
    calls.push_back("declare exchange " + spec.name + " " + spec.type);
    arguments = std::move(spec.arguments);
    if (!next_refusal) exchanges.insert(spec.name);
    reply(std::move(answer));
  }
  void delete_exchange(const broker::Caller&, std::string name, bool, broker::Answer<> answer) override {
    calls.push_back("delete exchange " + name);
    exchanges.erase(name);
    reply(std::move(answer));
  }
  void bind(const broker::Caller&, broker::BindingSpec spec, broker::Answer<> answer) override {
    calls.push_back("bind " + to_text(spec));
    reply(std::move(answer));
  }
  void unbind(const broker::Caller&, broker::BindingSpec spec, broker::Answer<> answer) override {
    calls.push_back("unbind " + to_text(spec));
    reply(std::move(answer));
  }
  void declare_queue(const broker::Caller&, broker::QueueSpec spec,
                     broker::Answer<broker::QueueStatus> answer) override {
    if (spec.name.empty() && !spec.passive) spec.name = "amq.gen-" + std::to_string(queues.size());
    calls.push_back("declare queue " + spec.name + (spec.passive ? " passive" : ""));
    arguments = std::move(spec.arguments);
    if (spec.passive && !queues.contains(spec.name)) {
      return reply(std::move(answer), {}, missing(spec.name));
    }
    if (!next_refusal && !spec.passive) add_queue(spec.name);
    reply(std::move(answer),
          {spec.name, broker::QueueType::classic, queues[spec.name].ready.size(), consumers_of(spec.name)});
  }
  void delete_queue(const broker::Caller&, std::string name, bool, bool,
                    broker::Answer<std::uint64_t> answer) override {
    calls.push_back("delete queue " + name);
    const std::uint64_t count = queues.contains(name) ? queues[name].ready.size() : 0;
    queues.erase(name);
    reply(std::move(answer), count);
  }
  void purge_queue(const broker::Caller&, std::string name, broker::Answer<std::uint64_t> answer) override {
    calls.push_back("purge queue " + name);
    const std::uint64_t count = std::exchange(queues[name].ready, {}).size();
    reply(std::move(answer), count);
  }
  std::optional<base::ShardId> home_of(const broker::Caller&, std::string_view exchange,
                                       std::string_view routing_key) override {
    calls.push_back(fmt::format("home of {}:{}", exchange, routing_key));
    return home;
  }
  broker::Outcome<bool> publish(const broker::Caller&, const broker::PublishRequest& request) override {
    const broker::MessageView& message = request.message;
    if (!exchanges.contains(std::string(message.exchange))) {
      return std::unexpected(
          broker::Refusal{404, "no exchange '" + std::string(message.exchange) + "' in vhost '/'", false});
    }
    if (request.confirm != 0) published_[request.channel].push_back(request.confirm);
    const auto found = queues.find(std::string(message.routing_key));
    if (found == queues.end()) return !request.mandatory;
    Message kept{std::string(message.exchange),
                 std::string(message.routing_key),
                 {message.properties.begin(), message.properties.end()},
                 std::string(base::as_text(message.body))};
    found->second.ready.emplace_back(found->second.next_offset++, std::move(kept));
    return true;
  }
  broker::Outcome<broker::KeptRoute> route_message(const broker::Caller& who,
                                                   broker::MessageView& message) override {
    if (!exchanges.contains(std::string(message.exchange))) {
      return std::unexpected(publish(who, {message}).error());
    }
    return broker::KeptRoute();
  }
  bool publish_routed(const broker::Caller& who, const broker::PublishRequest& request,
                      const broker::KeptRoute&) override {
    return *publish(who, request);
  }
  void consume(const broker::Caller&, broker::ConsumeRequest request, broker::Answer<> answer) override {
    calls.push_back("consume " + request.queue + " prefetch " + std::to_string(request.prefetch));
    if (!next_refusal && !queues.contains(request.queue)) next_refusal = missing(request.queue);
    arguments = request.arguments;
    if (!next_refusal) consumers.push_back({std::move(request)});
    reply(std::move(answer));
  }
  std::string open_reply_to(const broker::Caller&, std::uint16_t channel, std::string_view tag) override {
    broker::ConsumeRequest request;
    request.queue = "amq.rabbitmq.reply-to.opaque" + std::to_string(channel);
    request.channel = channel;
    request.tag = tag;
    request.no_ack = true;
    add_queue(request.queue);
    consumers.push_back({request});
    return request.queue;
  }
  void cancel(const broker::Caller&, std::uint16_t channel, std::string_view tag,
              broker::Answer<> answer) override {
    calls.push_back("cancel " + std::string(tag));
    std::erase_if(consumers, [&](const ConsumerState& one) {
      return one.request.channel == channel && one.request.tag == tag;
    });
    reply(std::move(answer));
  }
  void get(const broker::Caller&, std::uint16_t, std::string queue, bool no_ack,
           std::move_only_function<void(broker::Outcome<std::optional<broker::Delivery>>)> answer) override {
    calls.push_back("get " + queue);
    if (!queues.contains(queue)) return answer(std::unexpected(missing(queue)));
    Queue& from = queues[queue];
    if (from.ready.empty()) return answer(std::optional<broker::Delivery>());
    auto [offset, message] = std::move(from.ready.front());
    from.ready.pop_front();
    answer(std::optional(view(from, offset, message)));
    if (!no_ack) from.unsettled.emplace(offset, std::move(message));
  }
  using Source = decltype(broker::Delivery::queue);
  void settle(const broker::Caller&, Source source, std::span<const base::Offset> offsets,
              broker::Settlement settlement) override {
    ++settle_calls;
    for (auto& [name, queue] : queues) {
      if (queue.id != source.value) continue;
      for (auto offset = offsets.rbegin(); offset != offsets.rend(); ++offset) {
        const auto found = queue.unsettled.find(offset->value);
        if (found == queue.unsettled.end()) continue;
        if (settlement == broker::Settlement::requeued || settlement == broker::Settlement::failed) {
          found->second.redelivered = true;
          const auto place = std::ranges::find_if(
              queue.ready, [&](const auto& waiting) { return waiting.first > offset->value; });
          queue.ready.emplace(place, offset->value, std::move(found->second));
        }
        queue.unsettled.erase(found);
      }
    }
    for (const base::Offset offset : offsets) settlements.emplace_back(offset.value, settlement);
  }
  void set_channel_prefetch(const broker::Caller&, std::uint16_t, std::uint32_t prefetch) override {
    calls.push_back("channel prefetch " + std::to_string(prefetch));
  }
  void delete_exclusive_queues(const broker::Caller&, broker::Answer<> answer) override {
    calls.emplace_back("delete exclusive queues");
    reply(std::move(answer));
  }
  void set_ready(const broker::Caller&, bool now_ready) override { ready = now_ready; }
  void close_channel(const broker::Caller&, std::uint16_t channel, broker::Answer<> answer) override {
    calls.push_back("close channel " + std::to_string(channel));
    settled_before_close = !settlements.empty();
    std::erase_if(consumers, [&](const ConsumerState& one) { return one.request.channel == channel; });
    reply(std::move(answer));
  }

  Queue& add_queue(const std::string& name) {
    Queue& queue = queues[name];
    if (queue.id == 0) queue.id = ++queue_ids_;
    return queue;
  }

 private:
  static std::string to_text(const broker::BindingSpec& spec) {
    return spec.source + " -> " + (spec.destination_is_queue ? "queue " : "exchange ") + spec.destination +
           " by '" + spec.key + "'";
  }
  static broker::Refusal missing(const std::string& queue) {
    return {404, "no queue '" + queue + "' in vhost '/'", false};
  }
  std::uint32_t consumers_of(const std::string& queue) const {
    std::uint32_t count = 0;
    for (const auto& one : consumers) count += one.request.queue == queue ? 1 : 0;
    return count;
  }
  static broker::Delivery view(const Queue& queue, std::uint64_t offset, const Message& message) {
    broker::Delivery delivery;
    delivery.queue = Source{queue.id};
    delivery.offset = base::Offset{offset};
    delivery.message = {message.exchange, message.key, message.properties, base::as_bytes(message.body)};
    delivery.redelivered = message.redelivered;
    delivery.messages_left = static_cast<std::uint32_t>(queue.ready.size());
    return delivery;
  }
  bool deliver_one(const broker::ConsumeRequest& request) {
    const auto found = queues.find(request.queue);
    if (found == queues.end() || found->second.ready.empty()) return false;
    Queue& queue = found->second;
    if (!request.no_ack && request.prefetch != 0 && queue.unsettled.size() >= request.prefetch) return false;
    auto [offset, message] = std::move(queue.ready.front());
    queue.ready.pop_front();
    client->on_delivered(request.channel, request.tag, view(queue, offset, message));
    if (!request.no_ack) queue.unsettled.emplace(offset, std::move(message));
    return true;
  }
  template <class T = void, class... Value>
  void reply(broker::Answer<T> answer, Value... value) {
    broker::Outcome<T> outcome;
    if constexpr (sizeof...(Value) > 0) outcome = broker::Outcome<T>(std::move(value)...);
    finish(std::move(answer), std::move(outcome));
  }
  void reply(broker::Answer<broker::QueueStatus> answer, broker::QueueStatus status,
             std::optional<broker::Refusal> refusal = {}) {
    broker::Outcome<broker::QueueStatus> outcome(std::move(status));
    if (refusal) outcome = std::unexpected(*refusal);
    finish(std::move(answer), std::move(outcome));
  }
  template <class T>
  void finish(broker::Answer<T> answer, broker::Outcome<T> outcome) {
    if (next_refusal) outcome = std::unexpected(*std::exchange(next_refusal, std::nullopt));
    if (!hold_answers) return answer(std::move(outcome));
    auto kept = std::make_shared<broker::Answer<T>>(std::move(answer));
    held.push_back([kept, outcome] { (*kept)(outcome); });
  }

  std::map<std::uint16_t, std::vector<std::uint64_t>> published_;
  std::uint64_t queue_ids_ = 0;
};

}  // namespace sluice::test
