// SPDX-License-Identifier: Apache-2.0
// Messaging of one shard: answers AMQP sessions of this shard, routes from this shard's catalog copy, and
// talks to the shards that own the queues. Owned by the shard's ShardBroker, used on its shard only. Its
// parts: shard_messaging.cc (clients, turns, what is mailed), message_*.cc (what a session asks) and
// owned_queues.cc; the queues themselves are with WorkOwner, declarations with Declaring.
//
// Nothing here calls a QueueClient from inside a call that the client's session is making: confirms wait for
// the end of the turn. Deliveries of this shard's queues are made inside WorkQueues::end_turn, where sessions
// may only write and call set_ready.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ports.h"
#include "broker/amqp_streams.h"
#include "broker/client.h"
#include "broker/dead_letters.h"
#include "broker/declaring.h"
#include "broker/messaging.h"
#include "broker/messaging_clients.h"
#include "broker/messaging_metrics.h"
#include "broker/queue_settings.h"
#include "broker/recent_history.h"
#include "broker/retained_logs.h"
#include "broker/router.h"
#include "broker/schedule.h"
#include "broker/shard_set.h"
#include "broker/work_news.h"
#include "broker/work_owner.h"
#include "message/properties.h"

namespace sluice::broker {

class ShardBroker;

// Who publishes on the broker's own account: the channel of such an origin, whose client has number 0.
enum class InternalPublisher : std::uint16_t { dead_letters, schedule, history };

// MessageMeta::flags
inline constexpr std::uint8_t meta_dead_lettered = 1;  // the broker wrote x-death
inline constexpr std::uint8_t meta_has_bcc =
    2;  // its properties have the header BCC, which consumers do not see
inline constexpr std::uint8_t meta_rewound = 4;  // was settled before: redelivered

class ShardMessaging final : public Messaging, public WorkOwner::Host, public AmqpStreams::Host {
 public:
  ShardMessaging(base::Shard& shard, ShardSet& set, ShardBroker& broker);
  ~ShardMessaging() override;
  // Opens the queues of this shard; the catalog is loaded.
  base::Result<> start();

  // -- Messaging
  void attach(const Caller& caller, QueueClient& client) override;
  void renew(const Caller& caller) override;
  void declare_exchange(const Caller& caller, ExchangeSpec spec, Answer<> answer) override;
  void delete_exchange(const Caller& caller, std::string name, bool if_unused, Answer<> answer) override;
  void bind(const Caller& caller, BindingSpec spec, Answer<> answer) override;
  void unbind(const Caller& caller, BindingSpec spec, Answer<> answer) override;
  void declare_queue(const Caller& caller, QueueSpec spec, Answer<QueueStatus> answer) override;
  void delete_queue(const Caller& caller, std::string name, bool if_unused, bool if_empty,
                    Answer<std::uint64_t> answer) override;
  void purge_queue(const Caller& caller, std::string name, Answer<std::uint64_t> answer) override;
  std::optional<base::ShardId> home_of(const Caller& caller, std::string_view exchange,
                                       std::string_view routing_key) override;
  Outcome<bool> publish(const Caller& caller, const PublishRequest& request) override;
  Outcome<KeptRoute> route_message(const Caller& caller, MessageView& message) override;
  bool publish_routed(const Caller& caller, const PublishRequest& request, const KeptRoute& route) override;
  void consume(const Caller& caller, ConsumeRequest request, Answer<> answer) override;
  std::string open_reply_to(const Caller& caller, std::uint16_t channel, std::string_view tag) override;
  void cancel(const Caller& caller, std::uint16_t channel, std::string_view tag, Answer<> answer) override;
  void get(const Caller& caller, std::uint16_t channel, std::string queue, bool no_ack,
           std::move_only_function<void(Outcome<std::optional<Delivery>>)> answer) override;
  void settle(const Caller& caller, QueueId source, std::span<const base::Offset> offsets,
              Settlement settlement) override;
  void set_channel_prefetch(const Caller& caller, std::uint16_t channel, std::uint32_t prefetch) override;
  void set_ready(const Caller& caller, bool ready) override;
  void close_channel(const Caller& caller, std::uint16_t channel, Answer<> answer) override;
  void delete_exclusive_queues(const Caller& caller, Answer<> answer) override;

  // -- for ShardBroker
  void remove_client(ClientId client);
  void before_turn_end() { streams_.flush(); }  // of the logs
  void on_turn_end();
  void on_tick(std::int64_t monotonic_ms);
  void set_alarms(bool memory, bool disk);
  // A queue is gone from the catalog: its consumers hear of it.
  void on_queue_removed(base::QueueId queue);
  // Queues that this shard owns.
  base::Result<> open_queue(const QueueRecord& record, const QueueSettings& settings);
  void change_queue(const QueueRecord& record, const QueueSettings& settings);
  void close_queue(base::QueueId queue);
  // A new binding, just applied: from an exchange that keeps recent messages its destination gets them.
  void on_bound(const BindingRecord& binding);
  // Delayed messages; on shard 0.
  Schedule& schedule() { return *schedule_; }

  // For listings: visit(const Source&).
  template <class Visit>
  void for_each_consumer(Visit&& visit) {
    clients_.for_each_source([&](const Source& source) {
      if (source.kind == Source::Kind::consumer && !source.cancelled) visit(source);
    });
  }

  // -- for its parts
  const OwnedQueue* owned_queue(base::QueueId queue) const;
  Router& router();
  std::int64_t wall_ms() const { return shard_.clock.wall_ms(); }
  void count_dead_letter(const OwnedQueue& queue, queue::DeadReason reason);
  base::Result<queue::MessageMeta> meta_of(const message::BasicProperties& properties) const;
  // Valid until the next call.
  Router::Route route(Router::Place& place, std::string_view key, const message::BasicProperties& properties);
  // The properties as others see them. Valid until the next call.
  base::ByteView without_bcc(base::ByteView properties);
  // The publisher may be on any shard.
  void confirm_origin(const queue::Confirm& confirm);
  void count_letter_confirmed() { metrics_.kept_confirmed.add(); }
  // As publish() of a session: how many confirms will come, to the part that the publisher names.
  std::uint32_t give_internal(const queue::Message& message, const queue::MessageMeta& meta,
                              const Router::Route& route, InternalPublisher publisher, std::uint64_t number);

  // -- for the messaging of other shards, in mailed tasks
  void on_requests(base::ShardId from, const WorkRequests& requests) { owner_.take_requests(from, requests); }
  void on_news(base::ShardId from, const WorkNews& news);
  WorkOwner& owner() { return owner_; }
  RetainedLogs& retained() { return retained_; }
  void wake();  // another turn, though nothing has arrived

  // -- WorkOwner::Host
  bool deliver(Source& source, const queue::WorkDelivery& delivery) override;
  void note_confirm(const queue::Confirm& confirm) override;
  void note_dead(const queue::WorkDelivery& dead, queue::DeadReason reason) override {
    if (dead_letters_.note(dead, reason)) wake();
  }
  void note_active(SourceId source, bool active) override;
  void note_timed_out(SourceId source) override { timed_out_.push_back(source); }
  void note_unused(base::QueueId queue, bool expired) override;
  void note_offline(const base::Error& error) override;
  void publish_owned(const queue::Message& message, const queue::MessageMeta& meta,
                     std::span<const base::QueueId> targets, const queue::PublishOrigin& origin) override {
    retained_.publish(message, meta, targets, origin);
  }

  // -- AmqpStreams::Host, which shares note_confirm
  void deliver_stream(SourceId source, Delivery& delivery) override;
  void note_lost(SourceId source) override { lost_.push_back(source); }  // of both hosts
  void note_stream_flow(std::uint64_t client, bool may_publish) override;
  bool is_ready(std::uint64_t client) override;
  void for_each_stream(const std::function<void(const QueueRecord&)>& visit) const override;

 private:
  struct Peer {  // another shard, as a place where queues are
    WorkRequests requests;
    std::uint64_t in_flight_bytes = 0;  // published there and not yet in its journal
    bool in_flight_full = false, queues_full = false;
    bool full() const { return in_flight_full || queues_full; }
  };

  // Runs f(messaging of that shard): at once when it is this one, else by mail, behind what was asked before.
  template <class F>
  void on_shard(base::ShardId to, F f);
  void flush_requests(base::ShardId to);
  void send_news();

  struct Got;

  void delete_unused();
  void take_internal_confirms();

  QueueClientState& client_of(const Caller& caller);
  void take_deliveries(const DeliveryBatch& batch);
  void confirm_later(QueueClientState& client, std::uint16_t number, ChannelState& channel,
                     std::uint64_t confirm, bool accepted);
  void tell_confirms();
  void tell_lost(SourceId id);
  void tell_timed_out(SourceId id);
  void tell_revoked(SourceId id);
  bool flow_of(const QueueClientState& client) const;
  void tell_flow();
  void tell_alarms();

  Outcome<Router::Place*> find_place(QueueClientState& client, std::string_view exchange);
  struct Checked {
    Router::Place* place = nullptr;
    message::BasicProperties properties;
    queue::MessageMeta meta;
    bool reply = false;
  };
  // All that is asked of a message before it is routed, in RabbitMQ's order.
  Outcome<Checked> check_message(QueueClientState& client, const MessageView& message);
  void intercept(Checked& checked, MessageView& message);
  bool give_routed(QueueClientState& client, const PublishRequest& request, const queue::MessageMeta& meta,
                   const Router::Route& route);
  bool give_reply(QueueClientState& client, const PublishRequest& request, const queue::MessageMeta& meta);
  queue::PublishOrigin origin_of(const QueueClientState& client, const ChannelState& channel,
                                 const PublishRequest& request) const;
  // The keys of CC and BCC, into more_keys_.
  base::Result<> read_more_keys(const message::BasicProperties& properties);
  Outcome<> check_topics(const QueueClientState& client, std::string_view exchange,
                         std::string_view key) const;
  Router::Route route_read(Router::Place& place, std::string_view key,
                           const message::BasicProperties& properties);
  // On shard 0: what one shard kept at the moment it applied the binding.
  void take_history(const BindingRecord& binding, std::vector<RecentHistory::Kept> kept);
  void replay_history(const BindingRecord& binding, std::vector<RecentHistory::Kept> kept);
  void hold_back(const Router::Place& place, const queue::Message& message, const queue::MessageMeta& meta,
                 const queue::PublishOrigin& origin);
  // Gives the message, just routed, to all on its route; how many confirms will come for it.
  std::uint32_t give(const queue::Message& message, const queue::MessageMeta& meta,
                     const Router::Route& route, const queue::PublishOrigin& origin);
  void give_queues(const queue::Message& message, const queue::MessageMeta& meta, base::ShardId owner,
                   std::span<const base::QueueId> queues, const queue::PublishOrigin& origin);
  void note_flow(QueueClientState& client, const Router::Route& route);
  void note_flow(QueueClientState& client, base::ShardId owner);
  void reply(const queue::Message& message, const queue::MessageMeta& meta);
  void take_reply(Source& source, const queue::WorkDelivery& from);
  void declare_reply_to(const Caller& caller, std::string name, Answer<QueueStatus> answer);

  Outcome<const QueueRecord*> find_readable(const Caller& caller, std::string_view name);
  WorkOwner::NewSource new_source(Source& source, std::uint32_t shared_prefetch,
                                  const queue::ConsumerOptions& options) const;
  void consume_stream(QueueClientState& client, const QueueRecord& record, ConsumeRequest request,
                      Answer<> answer);
  void answer_consumer(SourceId id, Outcome<> result, Answer<> answer);
  void on_consumer_added(SourceId id, base::Result<> result, const std::string& name, Answer<> answer);
  base::ShardId owner_of(const Source& source) const;
  // Answers when the shards have done all that this one asked of them until now.
  void answer_behind(std::span<const base::ShardId> shards, Answer<> answer);
  void drop_if_done(Source& source);
  void close_source(Source& source);
  Delivery to_delivery(const Source& source, const queue::WorkDelivery& from);
  base::ByteView edited_properties(const Source& source, const queue::WorkDelivery& from);
  void take_mailed(Source& source, const queue::WorkDelivery& from);
  void tell_taken(const QueueClientState& client, base::ShardId owner, std::uint64_t bytes);
  void answer_get(Source& source, const queue::WorkDelivery* taken, bool no_ack, std::uint64_t left,
                  std::move_only_function<void(Outcome<std::optional<Delivery>>)>& answer);
  bool hand_out(Source& source, const queue::WorkDelivery& from);
  void give_back_parked(const Source& source);
  void unpark();
  void owner_settles(const Source& source, std::span<const base::Offset> offsets,
                     queue::Settlement settlement);
  void settle_source(Source& source, std::span<const base::Offset> offsets, queue::Settlement settlement);

  base::Shard& shard_;
  ShardSet& set_;
  ShardBroker& broker_;
  MessagingMetrics& metrics_;
  MessagingClients clients_;
  Declaring declaring_;
  WorkOwner owner_;
  RetainedLogs retained_;
  AmqpStreams streams_;
  std::vector<Peer> peers_;  // by shard; the own one only counts as full or not
  std::vector<std::pair<std::uint64_t, std::uint16_t>> channels_told_, channels_before_;
  std::unordered_map<base::QueueId, OwnedQueue> owned_;
  DeadLetters dead_letters_{*this};
  std::unique_ptr<Schedule> schedule_;  // shard 0 only
  RecentHistory history_;
  std::uint64_t history_generation_ = 0;
  struct Collecting {
    std::vector<RecentHistory::Kept> kept;
    std::uint32_t shards = 0;  // that have told
  };
  std::map<std::string, Collecting> collecting_;  // by key of the binding
  std::vector<queue::Confirm> internal_confirms_;
  std::vector<base::QueueId> unused_;
  std::vector<std::pair<std::uint64_t, std::uint16_t>> channels_parked_;
  std::vector<SourceId> timed_out_, lost_, revoked_;
  std::vector<std::uint64_t> confirms_;              // scratch
  std::vector<std::vector<base::QueueId>> targets_;  // of the message being published, by shard; scratch
  std::vector<std::string_view> more_keys_;          // scratch
  std::int64_t delay_ms_ = 0;                        // of the message routed last; 0: none
  message::PropertiesEditor editor_;
  base::ByteBuffer edited_;       // properties as a consumer gets them
  base::ByteBuffer intercepted_;  // properties as message interceptors have them
  bool intercepts_;
  std::uint8_t alarms_ = 0;  // bits as QueueClientState::alarms
  bool flow_changed_ = false, alarms_changed_ = false;
};

template <class F>
void ShardMessaging::on_shard(base::ShardId to, F f) {
  if (to == shard_.id) return f(*this);
  flush_requests(to);
  shard_.mail.send(to, [&set = set_, to, f = std::move(f)]() mutable { f(set.messaging(to)); });
}

}  // namespace sluice::broker
