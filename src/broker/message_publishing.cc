// SPDX-License-Identifier: Apache-2.0
// Publishing: checks in RabbitMQ's order, the route from this shard's Router, then one direct call for the
// queues of this shard and one entry in the turn's mail for each other shard that has some.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "broker/news.h"
#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

// A batch for another shard is mailed early when it gets this big, so that no buffer has to grow far.
constexpr std::size_t mailed_batch_bytes = 256 << 10;

std::string_view shown_name(std::string_view exchange) {
  return exchange.empty() ? "amq.default" : exchange;
}

// Digits of a timestamp, for exchanges that hash it.
struct TimestampText {
  explicit TimestampText(const message::BasicProperties& properties) {
    if (!properties.timestamp) return;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *properties.timestamp).ptr;
    text = {digits.data(), static_cast<std::size_t>(end - digits.data())};
  }
  std::array<char, 20> digits;
  std::string_view text;
};

// What x-delay asks of exchanges that delay; 0: nothing.
std::int64_t delay_of(const message::BasicProperties& properties) {
  constexpr std::int64_t delay_max_ms = UINT32_MAX;
  if (!properties.headers) return 0;
  const auto delay = message::integer_header(properties, "x-delay").value_or(0);
  return delay > 0 && delay <= delay_max_ms ? delay : 0;
}

queue::Message to_message(const MessageView& from) {
  return {from.exchange, from.routing_key, from.properties, from.body};
}

Outcome<> check_user_id(const message::BasicProperties& properties, const Identity& identity) {
  if (!properties.user_id || *properties.user_id == identity.user) return {};
  if (std::ranges::find(identity.tags, "impersonator") != identity.tags.end()) return {};
  return std::unexpected(
      Refusal{406, fmt::format("user_id property set to '{}' but authenticated user was '{}'",
                               *properties.user_id, identity.user)});
}

}  // namespace

Outcome<Router::Place*> ShardMessaging::find_place(QueueClientState& client, std::string_view exchange) {
  auto& known = client.known;
  const auto generation = broker_.generation();
  if (known.place && known.generation == generation && known.exchange == exchange) return known.place;
  const auto& [id, identity, vhost, notify] = client.caller;
  if (!broker_.check(identity, vhost, Permission::write, shown_name(exchange))) {
    return std::unexpected(
        Refusal{403, fmt::format("write access to {} refused for user '{}'",
                                 exchange_text(vhost, shown_name(exchange)), identity.user)});
  }
  TRY(place, broker_.router().find(vhost, exchange));
  if (place->internal) {
    return std::unexpected(
        Refusal{403, fmt::format("cannot publish to internal {}", exchange_text(vhost, exchange))});
  }
  known.exchange = exchange;
  known.place = place;
  known.checks_topics =
      place->type == "topic" && broker_.access().restricts_topics(identity, vhost, exchange);
  known.generation = generation;
  return place;
}

// All keys of the message being published must be allowed.
Outcome<> ShardMessaging::check_topics(const QueueClientState& client, std::string_view exchange,
                                       std::string_view key) const {
  const Caller& caller = client.caller;
  const auto check = [&](std::string_view one) {
    return broker_.access().check_topic(caller.identity, caller.vhost, exchange, Permission::write, one);
  };
  if (auto allowed = check(key); !allowed) return std::unexpected(to_refusal(allowed.error()));
  for (const auto more : more_keys_) {
    if (auto allowed = check(more); !allowed) return std::unexpected(to_refusal(allowed.error()));
  }
  return {};
}

Outcome<ShardMessaging::Checked> ShardMessaging::check_message(QueueClientState& client,
                                                               const MessageView& message) {
  TRY(place, find_place(client, message.exchange));
  auto decoded = message::decode_properties(message.properties);
  if (!decoded) return std::unexpected(to_refusal(decoded.error()));
  auto meta = meta_of(*decoded);
  if (!meta) return std::unexpected(to_refusal(meta.error()));
  if (auto read = read_more_keys(*decoded); !read) return std::unexpected(to_refusal(read.error()));
  if (client.known.checks_topics) TRY_VOID(check_topics(client, message.exchange, message.routing_key));
  TRY_VOID(check_user_id(*decoded, client.caller.identity));
  const bool reply = place->is_default() && message.routing_key.starts_with(reply_to_prefix);
  return Checked{place, *decoded, *meta, reply};
}

// Message interceptors. What they change stays valid until the next message.
void ShardMessaging::intercept(Checked& checked, MessageView& message) {
  const auto& options = set_.options();
  const auto wants = [](Interceptor interceptor, bool there) {
    return interceptor == Interceptor::overwrites || (interceptor == Interceptor::keeps && !there);
  };
  const auto has = [&](std::string_view header) {
    return checked.properties.headers && checked.properties.headers->contains(header);
  };
  const auto now_ms = checked.meta.received_at_ms;
  if (!editor_.begin(message.properties)) return;  // was decoded before
  if (wants(options.header_timestamp, has("timestamp_in_ms"))) editor_.set_header("timestamp_in_ms", now_ms);
  if (wants(options.header_timestamp, checked.properties.timestamp.has_value())) {
    editor_.properties().timestamp = static_cast<std::uint64_t>(now_ms / 1000);
  }
  if (wants(options.header_routing_node, has("x-routed-by"))) {
    editor_.set_header("x-routed-by", options.node_name);
  }
  intercepted_.clear();
  editor_.write(intercepted_);
  message.properties = intercepted_;
  const auto decoded = message::decode_properties(message.properties);
  INVARIANT(decoded, "properties that were just written: {}", decoded.error().text);
  checked.properties = *decoded;
}

Outcome<bool> ShardMessaging::publish(const Caller& caller, const PublishRequest& published) {
  auto& client = client_of(caller);
  auto checked = check_message(client, published.message);
  if (!checked) return std::unexpected(checked.error());
  auto request = published;
  if (intercepts_) intercept(*checked, request.message);
  if (checked->reply) return give_reply(client, request, checked->meta);
  const auto route = route_read(*checked->place, request.message.routing_key, checked->properties);
  return give_routed(client, request, checked->meta, route);
}

Outcome<KeptRoute> ShardMessaging::route_message(const Caller& caller, MessageView& message) {
  auto checked = check_message(client_of(caller), message);
  if (!checked) return std::unexpected(checked.error());
  if (intercepts_) intercept(*checked, message);
  KeptRoute kept;
  kept.reply = checked->reply;
  if (kept.reply) return kept;
  const auto route = route_read(*checked->place, message.routing_key, checked->properties);
  kept.queues.assign(route.queues.begin(), route.queues.end());
  for (const auto* place : route.holding) kept.holding.push_back(place->number);
  for (const auto* place : route.remembering) kept.remembering.push_back(place->number);
  return kept;
}

bool ShardMessaging::publish_routed(const Caller& caller, const PublishRequest& request,
                                    const KeptRoute& kept) {
  auto& client = client_of(caller);
  const auto properties = message::decode_properties(request.message.properties);
  INVARIANT(properties, "properties of a message that was checked: {}", properties.error().text);
  const auto meta = meta_of(*properties);
  INVARIANT(meta, "properties of a message that was checked: {}", meta.error().text);
  if (kept.reply) return give_reply(client, request, *meta);
  delay_ms_ = delay_of(*properties);
  std::vector<Router::Place*> holding, remembering;  // those that are still there
  for (const auto number : kept.holding) {
    if (auto* place = broker_.router().place(number)) holding.push_back(place);
  }
  for (const auto number : kept.remembering) {
    if (auto* place = broker_.router().place(number)) remembering.push_back(place);
  }
  return give_routed(client, request, *meta, {kept.queues, holding, remembering});
}

bool ShardMessaging::give_reply(QueueClientState& client, const PublishRequest& request,
                                const queue::MessageMeta& meta) {
  reply(to_message(request.message), meta);
  if (request.confirm != 0) {
    confirm_later(client, request.channel, client.channel(request.channel), request.confirm, true);
  }
  return true;
}

// False: it was mandatory, and nobody takes it.
bool ShardMessaging::give_routed(QueueClientState& client, const PublishRequest& request,
                                 const queue::MessageMeta& meta, const Router::Route& route) {
  auto& channel = client.channel(request.channel);
  const auto origin = origin_of(client, channel, request);
  const auto parts = give(to_message(request.message), meta, route, origin);
  if (parts == 0) {
    if (!request.mandatory) metrics_.unroutable_dropped.add();
    if (request.confirm != 0) confirm_later(client, request.channel, channel, request.confirm, true);
    return !request.mandatory;
  }
  metrics_.routed.add(route.queues.size());
  if (parts > 1 && request.confirm != 0) channel.counts.expect(origin.number, parts);
  note_flow(client, route);
  return true;
}

std::optional<base::ShardId> ShardMessaging::home_of(const Caller& caller, std::string_view exchange,
                                                     std::string_view routing_key) {
  auto& client = client_of(caller);
  if (client.declared_exclusive || !client.stopped.empty()) return std::nullopt;
  const bool idle = std::ranges::all_of(client.channels, [](const auto& channel) {
    return channel.second.sources.empty() && channel.second.counts.size() == 0 && !channel.second.told;
  });
  const auto place = broker_.router().find(caller.vhost, exchange);
  if (!idle || !place || (*place)->delays()) return std::nullopt;
  const auto destinations = broker_.router().route(**place, {routing_key, {}, {}, {}, {}}).queues;
  if (destinations.empty() || destinations[0].owner == shard_.id) return std::nullopt;
  const auto same = [&](const Destination& each) { return each.owner == destinations[0].owner; };
  if (!std::ranges::all_of(destinations, same)) return std::nullopt;
  return destinations[0].owner;
}

queue::PublishOrigin ShardMessaging::origin_of(const QueueClientState& client, const ChannelState& channel,
                                               const PublishRequest& request) const {
  const auto number = request.confirm == 0 ? 0 : with_generation(request.confirm, channel.generation);
  return {shard_.id, client.caller.client.value, request.channel, number};
}

base::Result<queue::MessageMeta> ShardMessaging::meta_of(const message::BasicProperties& properties) const {
  TRY(expiration, message::expiration_ms(properties));
  queue::MessageMeta meta;
  meta.received_at_ms = shard_.clock.wall_ms();
  if (expiration) meta.expires_at_ms = meta.received_at_ms + static_cast<std::int64_t>(*expiration);
  meta.has_priority = properties.priority.has_value();
  meta.priority = properties.priority.value_or(0);
  meta.persistent = properties.persistent();
  if (properties.headers && properties.headers->contains("BCC")) meta.flags |= meta_has_bcc;
  return meta;
}

Router::Route ShardMessaging::route_read(Router::Place& place, std::string_view key,
                                         const message::BasicProperties& properties) {
  delay_ms_ = broker_.router().any_delays() ? delay_of(properties) : 0;
  const TimestampText timestamp(properties);
  const exchange::RoutingData routing{key, properties.headers.value_or(base::FieldTableView{}),
                                      properties.message_id.value_or(std::string_view{}),
                                      properties.correlation_id.value_or(std::string_view{}), timestamp.text};
  return broker_.router().route(place, routing, more_keys_, delay_ms_ > 0);
}

Router::Route ShardMessaging::route(Router::Place& place, std::string_view key,
                                    const message::BasicProperties& properties) {
  static_cast<void>(read_more_keys(properties));  // was checked when it was published
  return route_read(place, key, properties);
}

base::Result<> ShardMessaging::read_more_keys(const message::BasicProperties& properties) {
  more_keys_.clear();
  if (!properties.headers) return {};
  return message::for_each_sender_selected(properties,
                                           [&](std::string_view key) { more_keys_.push_back(key); });
}

base::ByteView ShardMessaging::without_bcc(base::ByteView properties) {
  if (!editor_.begin(properties)) return properties;
  editor_.remove_header("BCC");
  edited_.clear();
  editor_.write(edited_);
  return edited_;
}

std::uint32_t ShardMessaging::give(const queue::Message& message, const queue::MessageMeta& meta,
                                   const Router::Route& route, const queue::PublishOrigin& origin) {
  std::uint32_t parts = 0;
  for (const auto* place : route.holding) {
    hold_back(*place, message, meta, origin);
    ++parts;
  }
  for (const auto* place : route.remembering) history_.remember(*place, message, meta);
  if (route.queues.size() == 1 && route.queues[0].type != QueueType::stream) {
    give_queues(message, meta, route.queues[0].owner, {&route.queues[0].queue, 1}, origin);
    return parts + 1;
  }
  for (const auto& each : route.queues) {
    if (each.type != QueueType::stream) {
      targets_[each.owner.value].push_back(each.queue);
      continue;
    }
    auto seen = message;
    if ((meta.flags & meta_has_bcc) != 0) seen.properties = without_bcc(message.properties);
    streams_.publish(each.queue, seen, origin);
    ++parts;
  }
  for (std::uint32_t i = 0; i < targets_.size(); ++i) {
    if (targets_[i].empty()) continue;
    give_queues(message, meta, base::ShardId{i}, targets_[i], origin);
    targets_[i].clear();
    ++parts;
  }
  return parts;
}

std::uint32_t ShardMessaging::give_internal(const queue::Message& message, const queue::MessageMeta& meta,
                                            const Router::Route& route, InternalPublisher publisher,
                                            std::uint64_t number) {
  return give(message, meta, route,
              {shard_.id, make_client_id(shard_.id, 0), static_cast<std::uint16_t>(publisher), number});
}

void ShardMessaging::give_queues(const queue::Message& message, const queue::MessageMeta& meta,
                                 base::ShardId owner, std::span<const base::QueueId> queues,
                                 const queue::PublishOrigin& origin) {
  if (owner == shard_.id) return retained_.publish(message, meta, queues, origin);
  auto& batch = peers_[owner.value].requests.published;
  batch.add(message, meta, queues, origin);
  if (batch.bytes() >= mailed_batch_bytes) flush_requests(owner);
}

// A message for later, at an x-delayed-message exchange: mailed to shard 0, confirmed when it is stored.
void ShardMessaging::hold_back(const Router::Place& place, const queue::Message& message,
                               const queue::MessageMeta& meta, const queue::PublishOrigin& origin) {
  const auto now = shard_.clock.wall_ms();
  ScheduledRecord record{Router::vhost_of(place),
                         place.name,
                         std::string(message.routing_key),
                         std::string(base::as_text(message.properties)),
                         std::string(base::as_text(message.body)),
                         now,
                         std::string(message.exchange),
                         meta.flags};
  on_shard(base::ShardId{0},
           [due = now + delay_ms_, record = std::move(record), origin](ShardMessaging& there) mutable {
             there.schedule_->add(due, std::move(record), origin);
           });
}

void ShardMessaging::confirm_origin(const queue::Confirm& confirm) {
  const auto home = confirm.origin.shard;
  if (home == shard_.id) return note_confirm(confirm);
  owner_.news()[home.value].confirms.push_back(confirm);
}

// Remembers where the client publishes, so that it is stopped when one of those cannot keep up.
void ShardMessaging::note_flow(QueueClientState& client, const Router::Route& route) {
  for (const auto& each : route.queues) note_flow(client, each.owner);
  if (!route.holding.empty()) note_flow(client, base::ShardId{0});
}

void ShardMessaging::note_flow(QueueClientState& client, base::ShardId owner) {
  if (client.published_to[owner.value]) return;
  client.published_to.set(owner.value);
  if (peers_[owner.value].full()) flow_changed_ = true;
}

}  // namespace sluice::broker
