// SPDX-License-Identifier: Apache-2.0
// Start, clients, turns, and what travels between the shards.
#include "broker/shard_messaging.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "broker/news.h"
#include "broker/shard_broker.h"

namespace sluice::broker {
namespace {

bool is_internal(const queue::PublishOrigin& origin) {
  return origin.client == make_client_id(origin.shard, 0);  // clients count from 1
}

}  // namespace

ShardMessaging::ShardMessaging(base::Shard& shard, ShardSet& set, ShardBroker& broker)
    : shard_(shard),
      set_(set),
      broker_(broker),
      metrics_(set.messaging_metrics(shard.id)),
      clients_(shard.id),
      declaring_(shard, broker),
      owner_(shard, *this),
      retained_(shard, *this, broker.stream_owner()),
      streams_(shard, broker, *this),
      peers_(set.shard_count()),
      targets_(set.shard_count()),
      intercepts_(set.options().header_timestamp != Interceptor::off ||
                  set.options().header_routing_node != Interceptor::off) {
  if (shard.id == base::ShardId{0}) schedule_ = std::make_unique<Schedule>(shard, set.store(), *this);
}

ShardMessaging::~ShardMessaging() {
  if (owner_.is_open()) owner_.queues().close();
}

// -- clients

void ShardMessaging::count_dead_letter(const OwnedQueue& queue, queue::DeadReason reason) {
  metrics_.count_dead_letter(queue.type, queue.dead_letters->at_least_once, reason);
}

void ShardMessaging::attach(const Caller& caller, QueueClient& client) {
  clients_.add(caller, client);
  if (alarms_ != 0) alarms_changed_ = true;
}

QueueClientState& ShardMessaging::client_of(const Caller& caller) {
  auto* client = clients_.find(caller.client.value);
  INVARIANT(client, "client {} is not attached", caller.client.value);
  return *client;
}

void ShardMessaging::remove_client(ClientId id) {
  auto* client = clients_.find(id.value);
  if (!client) return;
  while (!client->channels.empty())
    close_channel(client->caller, client->channels.begin()->first, [](Outcome<>) {});

  streams_.remove_client(id.value);
  const bool had_exclusive = client->declared_exclusive;
  clients_.remove(id.value);
  if (had_exclusive) broker_.send_command(DeleteExclusiveQueues{id.value}, [](base::Result<>) {});
}

void ShardMessaging::close_channel(const Caller& caller, std::uint16_t channel, Answer<> answer) {
  auto& client = client_of(caller);
  const auto found = client.channels.find(channel);
  if (found == client.channels.end()) return answer({});
  std::vector<base::ShardId> owners;
  while (!found->second.sources.empty()) {
    auto& source = *found->second.sources.back();
    owners.push_back(owner_of(source));
    close_source(source);
  }
  client.channels.erase(found);
  answer_behind(owners, std::move(answer));
}

// Where it is counted. Streams are read here, whichever shard owns them.
base::ShardId ShardMessaging::owner_of(const Source& source) const {
  return source.type == QueueType::stream ? set_.owner_of(base::LogId{source.queue.value}) : source.owner;
}

void ShardMessaging::answer_behind(std::span<const base::ShardId> shards, Answer<> answer) {
  struct Open {
    Answer<> answer;
    std::size_t shards = 0;  // that have not answered; counted here
  };
  std::vector<bool> asked(peers_.size());
  const auto open = std::make_shared<Open>(std::move(answer));
  for (const auto to : shards) {
    if (to == shard_.id || asked[to.value]) continue;
    asked[to.value] = true;
    ++open->shards;
    on_shard(to, [home = shard_.id, open](ShardMessaging& there) {
      there.on_shard(home, [open](ShardMessaging&) {
        if (--open->shards == 0) open->answer({});
      });
    });
  }
  if (open->shards == 0) open->answer({});
}

void ShardMessaging::delete_exclusive_queues(const Caller& caller, Answer<> answer) {
  if (!std::exchange(client_of(caller).declared_exclusive, false)) return answer({});
  broker_.send_command(DeleteExclusiveQueues{caller.client.value},
                       [answer = std::move(answer)](base::Result<>) mutable { answer({}); });
}

Router& ShardMessaging::router() {
  return broker_.router();
}

// -- turns

void ShardMessaging::on_turn_end() {
  delete_unused();
  dead_letters_.publish_noted();
  if (!channels_parked_.empty()) unpark();
  owner_.end_turn(!schedule_ || schedule_->has_room());
  take_internal_confirms();
  streams_.run();
  if (retained_.run()) wake();
  if (schedule_) schedule_->on_turn_end();
  auto& self = peers_[shard_.id.value];
  if (self.queues_full != owner_.full()) {
    self.queues_full = owner_.full();
    flow_changed_ = true;
  }
  for (const auto id : std::exchange(timed_out_, {})) tell_timed_out(id);
  for (const auto id : std::exchange(lost_, {})) tell_lost(id);
  for (const auto id : std::exchange(revoked_, {})) tell_revoked(id);
  tell_confirms();
  if (alarms_changed_) tell_alarms();
  if (flow_changed_) tell_flow();
  for (std::uint32_t i = 0; i < peers_.size(); ++i) flush_requests(base::ShardId{i});
  send_news();
}

void ShardMessaging::wake() {
  shard_.mail.send(shard_.id, [] {});
}

void ShardMessaging::on_tick(std::int64_t monotonic_ms) {
  dead_letters_.on_tick(monotonic_ms);
  if (schedule_) schedule_->on_tick(shard_.clock.wall_ms());
  if (std::exchange(history_generation_, broker_.generation()) != broker_.generation()) {
    history_.forget([&](std::uint64_t number) { return router().has(number); });
  }
  if (owner_.is_open()) owner_.queues().tick(monotonic_ms, shard_.clock.wall_ms());
}

void ShardMessaging::flush_requests(base::ShardId to) {
  auto& peer = peers_[to.value];
  if (peer.requests.empty()) return;
  const auto bytes = peer.requests.published.bytes();
  if (bytes > 0) {
    peer.in_flight_bytes += bytes;
    if (!peer.in_flight_full && peer.in_flight_bytes > in_flight_bytes_max) {
      peer.in_flight_full = flow_changed_ = true;
    }
    metrics_.mailed_publishes.add();
    metrics_.mailed_publish_bytes.add(bytes);
  }
  shard_.mail.send(to, [&set = set_, from = shard_.id, to, requests = std::exchange(peer.requests, {})] {
    set.messaging(to).on_requests(from, requests);
  });
}

void ShardMessaging::send_news() {
  auto& all = owner_.news();
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const base::ShardId to{i};
    if (to == shard_.id || all[i].empty()) continue;
    if (const auto bytes = all[i].deliveries.bytes(); bytes > 0) {
      metrics_.mailed_deliveries.add();
      metrics_.mailed_delivery_bytes.add(bytes);
    }
    shard_.mail.send(to, [&set = set_, from = shard_.id, to, news = std::exchange(all[i], {})] {
      set.messaging(to).on_news(from, news);
    });
  }
  auto own = std::exchange(all[shard_.id.value], {});
  take_deliveries(own.deliveries);  // direct replies
}

void ShardMessaging::on_news(base::ShardId from, const WorkNews& news) {
  auto& peer = peers_[from.value];
  INVARIANT(peer.in_flight_bytes >= news.taken_bytes, "shard {} took more than it was sent", from.value);
  peer.in_flight_bytes -= news.taken_bytes;
  if (peer.in_flight_full && peer.in_flight_bytes < in_flight_bytes_max / 2) {
    peer.in_flight_full = false;
    flow_changed_ = true;
  }
  if (news.full && *news.full != peer.queues_full) {
    peer.queues_full = *news.full;
    flow_changed_ = true;
  }
  for (const auto& confirm : news.confirms) note_confirm(confirm);
  for (const auto& each : news.active) note_active(each.source, each.active);
  take_deliveries(news.deliveries);
  for (const auto id : news.timed_out) tell_timed_out(id);
  for (const auto id : news.lost) tell_lost(id);
}

void ShardMessaging::take_deliveries(const DeliveryBatch& batch) {
  batch.for_each([&](std::uint64_t id, const queue::WorkDelivery& delivery) {
    auto* source = clients_.source(SourceId{id});
    if (!source) return;  // its channel is closed, which gives the message back
    if (source->kind == Source::Kind::reply) return take_reply(*source, delivery);
    take_mailed(*source, delivery);
  });
}

// -- confirms

void ShardMessaging::note_confirm(const queue::Confirm& confirm) {
  const auto& origin = confirm.origin;
  if (is_internal(origin)) return internal_confirms_.push_back(confirm);
  auto* client = clients_.find(origin.client);
  if (!client) return;
  const auto found = client->channels.find(origin.channel);
  if (found == client->channels.end()) return;
  auto& channel = found->second;
  if (channel.generation != generation_of(origin.number)) return;  // of a closed channel of the same number
  const auto done = channel.counts.take(origin.number, confirm.accepted);
  if (done) confirm_later(*client, origin.channel, channel, number_of(origin.number), *done);
}

// Outside of calls into the queues: what comes of them calls the queues again.
void ShardMessaging::take_internal_confirms() {
  for (const auto& confirm : std::exchange(internal_confirms_, {})) {
    switch (static_cast<InternalPublisher>(confirm.origin.channel)) {
      case InternalPublisher::dead_letters:
        dead_letters_.on_confirm(confirm);
        break;
      case InternalPublisher::schedule:
        schedule_->on_confirm(confirm);
        break;
      case InternalPublisher::history:  // wants none
        break;
    }
  }
}

void ShardMessaging::confirm_later(QueueClientState& client, std::uint16_t number, ChannelState& channel,
                                   std::uint64_t confirm, bool accepted) {
  (accepted ? channel.accepted : channel.refused).push_back(confirm);
  if (std::exchange(channel.told, true)) return;
  channels_told_.emplace_back(client.caller.client.value, number);
}

void ShardMessaging::tell_confirms() {
  std::swap(channels_told_, channels_before_);
  for (const auto& [id, number] : channels_before_) {
    for (const bool accepted : {true, false}) {
      auto* client = clients_.find(id);
      if (!client) break;
      const auto found = client->channels.find(number);
      if (found == client->channels.end()) break;
      auto& channel = found->second;
      channel.told = false;
      auto& list = accepted ? channel.accepted : channel.refused;
      if (list.empty()) continue;
      std::swap(list, confirms_);
      if (!std::ranges::is_sorted(confirms_)) std::ranges::sort(confirms_);
      client->events->on_published(number, confirms_, accepted);
      confirms_.clear();
    }
  }
  channels_before_.clear();
}

// -- consumers that the server ends

void ShardMessaging::note_active(SourceId id, bool active) {
  if (auto* source = clients_.source(id)) source->active = active;
}

void ShardMessaging::on_queue_removed(base::QueueId queue) {
  for (const auto id : clients_.sources_of(queue)) lost_.push_back(id);
}

void ShardMessaging::tell_lost(SourceId id) {
  auto* source = clients_.source(id);
  if (!source) return;
  source->lost = true;
  if (source->asking > 0) return;  // hears it as the answer
  auto& events = *source->client->events;
  const bool tell = source->kind == Source::Kind::consumer && !source->cancelled;
  const auto channel = source->channel;
  const auto tag = source->tag;
  close_source(*source);
  if (tell) events.on_consumer_cancelled(channel, tag);
}

void ShardMessaging::renew(const Caller& caller) {
  auto& client = client_of(caller);
  client.caller = caller;
  client.known = {};
  std::unordered_map<base::QueueId, const QueueRecord*> queues;  // made when there is something to look for
  for (const auto& [number, channel] : client.channels) {
    for (const auto* source : channel.sources) {
      if (source->kind != Source::Kind::consumer || source->cancelled) continue;
      if (queues.empty()) {
        broker_.catalog().for_each_queue(
            [&](const QueueRecord& queue) { queues.emplace(base::QueueId{queue.log_id}, &queue); });
      }
      const auto queue = queues.find(source->queue);
      if (queue == queues.end()) continue;
      if (!broker_.check(caller.identity, caller.vhost, Permission::read, queue->second->name)) {
        revoked_.push_back(source->id);
      }
    }
  }
  if (!revoked_.empty()) wake();
}

// What it holds it may still settle.
void ShardMessaging::tell_revoked(SourceId id) {
  const auto* source = clients_.source(id);
  if (!source || source->cancelled || source->asking > 0) return;
  auto& client = *source->client;
  const auto channel = source->channel;
  const auto tag = source->tag;
  cancel(client.caller, channel, tag, [](const Outcome<>&) {});
  client.events->on_consumer_cancelled(channel, tag);
}

// The queue has taken its messages back already.
void ShardMessaging::tell_timed_out(SourceId id) {
  auto* source = clients_.source(id);
  if (!source) return;
  const auto& caller = source->client->caller;
  auto& events = *source->client->events;
  const bool cancelled = source->cancelled;
  const auto channel = source->channel;
  const auto tag = source->tag;
  close_source(*source);
  if (cancelled) return;
  if (caller.cancel_notify) return events.on_consumer_cancelled(channel, tag);
  events.on_channel_refused(
      channel,
      {406, fmt::format("delivery acknowledgement on channel {} timed out. This timeout value can be "
                        "configured, see consumers doc guide to learn more",
                        channel)});
}

// -- flow

void ShardMessaging::note_stream_flow(std::uint64_t client, bool may_publish) {
  static_cast<void>(client), static_cast<void>(may_publish);  // flow_of() asks
  flow_changed_ = true;
}

bool ShardMessaging::is_ready(std::uint64_t client) {
  const auto* state = clients_.find(client);
  return state && state->ready;
}

void ShardMessaging::for_each_stream(const std::function<void(const QueueRecord&)>& visit) const {
  broker_.catalog().for_each_queue([&](const QueueRecord& record) {
    if (record.is_stream()) visit(record);
  });
}

void ShardMessaging::set_alarms(bool memory, bool disk) {
  alarms_ = static_cast<std::uint8_t>((memory ? 1 : 0) | (disk ? 2 : 0));
  alarms_changed_ = true;
}

void ShardMessaging::tell_alarms() {
  constexpr std::array<std::string_view, 4> reasons{"", "low on memory", "low on disk",
                                                    "low on memory & disk"};
  alarms_changed_ = false;
  std::vector<std::uint64_t> changed;
  for (const auto& [id, client] : clients_.all()) {
    if (client->alarms != alarms_) changed.push_back(id);
  }
  for (const auto id : changed) {
    auto* client = clients_.find(id);
    if (!client) continue;
    client->alarms = alarms_;
    client->events->on_blocked(alarms_ == 0 ? std::nullopt : std::optional(reasons[alarms_]));
  }
}

bool ShardMessaging::flow_of(const QueueClientState& client) const {
  if (!streams_.may_publish(client.caller.client.value)) return false;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i].full() && client.published_to[i]) return false;
  }
  return true;
}

void ShardMessaging::tell_flow() {
  flow_changed_ = false;
  std::vector<std::uint64_t> changed;
  for (const auto& [id, client] : clients_.all()) {
    if (flow_of(*client) != client->may_publish) changed.push_back(id);
  }
  for (const auto id : changed) {
    auto* client = clients_.find(id);
    if (!client) continue;
    client->may_publish = flow_of(*client);
    if (client->may_publish) client->published_to.reset();
    if (!client->may_publish) metrics_.stopped.add();
    client->events->on_flow(client->may_publish);
  }
}

}  // namespace sluice::broker
