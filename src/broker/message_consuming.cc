// SPDX-License-Identifier: Apache-2.0
// Consumers, gets, deliveries and settlements: what a session asks goes to the shard that owns the queue, at
// once when it is this one.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "broker/news.h"
#include "broker/queue_arguments.h"
#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

base::Result<std::int64_t> number_argument(std::string_view name, const base::FieldValue& value,
                                           const std::string& queue, std::int64_t min) {
  const auto number = value.integer();
  if (!number) {
    return precondition(fmt::format("invalid arg '{}' for {}: \"expected integer, got {}\"", name, queue,
                                    base::type_name(value)));
  }
  if (*number < min) {
    return precondition(fmt::format("invalid arg '{}' for {}: {{value_negative,{}}}", name, queue, *number));
  }
  return *number;
}

// What x- arguments of basic.consume mean to a work queue.
base::Result<queue::ConsumerOptions> to_options(std::string_view vhost, const ConsumeRequest& request,
                                                QueueType type) {
  const std::string queue = queue_text(vhost, request.queue);
  queue::ConsumerOptions options;
  options.no_ack = request.no_ack;
  options.exclusive = request.exclusive && type == QueueType::classic;  // quorum queues take no notice
  options.prefetch = request.no_ack ? 0 : request.prefetch;
  for (const auto& [name, value] : request.arguments.entries) {
    if (name == "x-priority") {
      TRY(priority, number_argument(name, value, queue, INT64_MIN));
      options.priority = static_cast<std::int32_t>(std::clamp<std::int64_t>(priority, INT32_MIN, INT32_MAX));
    } else if (name == "x-consumer-timeout" && type == QueueType::quorum) {
      TRY(timeout_ms, number_argument(name, value, queue, 0));
      options.timeout_ms = timeout_ms;
    } else if (name == "x-consumer-timeout" || name.starts_with("x-stream-")) {
      return precondition(
          fmt::format("invalid arg '{}' for {} of queue type rabbit_{}_queue", name, queue, to_word(type)));
    }
  }
  return options;
}

}  // namespace

Outcome<const QueueRecord*> ShardMessaging::find_readable(const Caller& caller, std::string_view name) {
  const auto* record = broker_.catalog().queue(caller.vhost, name);
  if (!broker_.check(caller.identity, caller.vhost, Permission::read, name)) {
    return std::unexpected(Refusal{403, fmt::format("read access to {} refused for user '{}'",
                                                    queue_text(caller.vhost, name), caller.identity.user)});
  }
  if (!record) return std::unexpected(to_refusal(no_such_queue(caller.vhost, name).error()));
  if (record->exclusive() && record->exclusive_owner != caller.client.value) {
    return std::unexpected(to_refusal(queue_locked(caller.vhost, name).error()));
  }
  return record;
}

// -- consumers

void ShardMessaging::consume(const Caller& caller, ConsumeRequest request, Answer<> answer) {
  auto& client = client_of(caller);
  const auto found = find_readable(caller, request.queue);
  if (!found) return answer(std::unexpected(found.error()));
  const auto& record = **found;
  const auto type = queue_type_of(record.type);
  const bool wants_history = std::ranges::any_of(
      request.arguments.entries, [](const auto& each) { return each.first.starts_with("x-stream-"); });
  if (type == QueueType::stream || (wants_history && record.retains()))
    return consume_stream(client, record, std::move(request), std::move(answer));
  if (request.exclusive && type == QueueType::classic && is_single_active(record.table_arguments)) {
    return answer(
        std::unexpected(Refusal{403, queue_text(caller.vhost, request.queue) + " in exclusive use"}));
  }
  auto options = to_options(caller.vhost, request, type);
  if (!options) return answer(std::unexpected(to_refusal(options.error())));
  auto& channel = client.channel(request.channel);
  if (type == QueueType::quorum && channel.prefetch > 0) {
    return answer(std::unexpected(
        Refusal{540, queue_text(caller.vhost, request.queue) + " does not support global qos", true}));
  }
  auto& source = clients_.add_source(client, request.channel, base::QueueId{record.log_id});
  source.type = type;
  source.owner = set_.owner_of(record.log());
  source.no_ack = request.no_ack;
  source.single_active = is_single_active(record.table_arguments);
  source.active = !source.single_active;  // until the queue says that it is its turn
  source.exclusive = options->exclusive;
  source.prefetch = request.prefetch;
  source.tag = std::move(request.tag);
  source.arguments = std::move(request.arguments);
  source.asking = 1;
  auto added = new_source(source, channel.prefetch, *options);
  on_shard(source.owner, [home = shard_.id, added, name = std::move(request.queue),
                          answer = std::move(answer)](ShardMessaging& there) mutable {
    auto result = there.owner_.add_consumer(added);
    there.on_shard(home, [id = added.id, result = std::move(result), name = std::move(name),
                          answer = std::move(answer)](ShardMessaging& here) mutable {
      here.on_consumer_added(id, std::move(result), name, std::move(answer));
    });
  });
}

WorkOwner::NewSource ShardMessaging::new_source(Source& source, std::uint32_t shared_prefetch,
                                                const queue::ConsumerOptions& options) const {
  WorkOwner::NewSource added;
  added.id = source.id;
  added.queue = source.queue;
  added.local = source.owner == shard_.id ? &source : nullptr;
  added.client = source.client->caller.client.value;
  added.channel = source.channel;
  added.shared_prefetch = shared_prefetch;
  added.options = options;
  return added;
}

void ShardMessaging::consume_stream(QueueClientState& client, const QueueRecord& record,
                                    ConsumeRequest request, Answer<> answer) {
  auto& source = clients_.add_source(client, request.channel, base::QueueId{record.log_id});
  source.type = QueueType::stream;
  source.owner = shard_.id;  // where the log is read
  source.prefetch = request.prefetch;
  source.tag = request.tag;
  source.arguments = request.arguments;
  source.asking = 1;
  streams_.consume(source.id, client.caller.client.value, client.caller.vhost, request,
                   client.channel(request.channel).prefetch,
                   [this, id = source.id, answer = std::move(answer)](Outcome<> result) mutable {
                     answer_consumer(id, std::move(result), std::move(answer));
                   });
}

void ShardMessaging::answer_consumer(SourceId id, Outcome<> result, Answer<> answer) {
  auto* source = clients_.source(id);
  if (!source) return;  // the channel is closed; the owner has been told
  source->asking = 0;
  if (result) {
    metrics_.consumers.add();
    if (source->lost) lost_.push_back(id);  // its stream has gone meanwhile
    return answer({});
  }
  source->cancelled = true;
  clients_.drop_source(*source);
  answer(std::move(result));
}

void ShardMessaging::on_consumer_added(SourceId id, base::Result<> result, const std::string& name,
                                       Answer<> answer) {
  auto* source = clients_.source(id);
  if (!source) return;  // the channel is closed; the owner has been told
  if (result && source->lost) result = no_such_queue(source->client->caller.vhost, name);
  if (result) return answer_consumer(id, {}, std::move(answer));
  const auto& vhost = source->client->caller.vhost;
  Refusal refusal = to_refusal(result.error());
  if (result.error().code == base::Errc::access_refused) {
    refusal = {403, queue_text(vhost, name) + " in exclusive use"};
  } else if (result.error().code == base::Errc::io_failed) {
    refusal = queue_down(vhost, name);
  }
  answer_consumer(id, std::unexpected(std::move(refusal)), std::move(answer));
}

void ShardMessaging::cancel(const Caller& caller, std::uint16_t channel, std::string_view tag,
                            Answer<> answer) {
  auto& client = client_of(caller);
  auto* source = clients_.find_consumer(client, channel, tag);
  if (!source || source->asking > 0) return answer({});
  if (source->kind == Source::Kind::reply) {
    close_source(*source);
    return answer({});
  }
  metrics_.consumers.sub();
  source->cancelled = true;
  give_back_parked(*source);
  if (source->type == QueueType::stream) {
    const auto owner = owner_of(*source);
    streams_.remove_consumer(source->id);
    source->drained = true;
    drop_if_done(*source);
    return answer_behind({&owner, 1}, std::move(answer));
  }
  // What the queue's shard has sent until it hears of this is given back when it arrives here; the answer
  // comes behind the last of it.
  on_shard(source->owner,
           [home = shard_.id, id = source->id, answer = std::move(answer)](ShardMessaging& there) mutable {
             there.owner_.remove_source(id, false);
             there.on_shard(home, [id, answer = std::move(answer)](ShardMessaging& here) mutable {
               if (auto* cancelled = here.clients_.source(id)) {
                 cancelled->drained = true;
                 here.drop_if_done(*cancelled);
               }
               answer({});
             });
           });
}

void ShardMessaging::drop_if_done(Source& source) {
  if (source.cancelled && source.drained && source.unsettled == 0) close_source(source);
}

// The channel is closed, or nothing is left: what it has unsettled returns to the queue.
void ShardMessaging::close_source(Source& source) {
  if (source.kind == Source::Kind::consumer && !source.cancelled && source.asking == 0)
    metrics_.consumers.sub();
  if (source.type == QueueType::stream) {
    streams_.remove_consumer(source.id);
  } else if (source.kind != Source::Kind::reply) {
    on_shard(source.owner, [id = source.id](ShardMessaging& there) { there.owner_.remove_source(id, true); });
  }
  clients_.drop_source(source);
}

// -- deliveries

Delivery ShardMessaging::to_delivery(const Source& source, const queue::WorkDelivery& from) {
  Delivery delivery;
  delivery.queue = QueueId{source.id.value};
  delivery.offset = from.offset;
  delivery.message = {from.message.exchange, from.message.routing_key, from.message.properties,
                      from.message.body};
  delivery.redelivered = from.redelivered || (from.meta.flags & meta_rewound) != 0;
  delivery.queue_type = source.type;
  delivery.message.properties = edited_properties(source, from);
  return delivery;
}

// As the consumer sees them.
base::ByteView ShardMessaging::edited_properties(const Source& source, const queue::WorkDelivery& from) {
  const bool counts =
      source.type == QueueType::quorum && (from.delivery_count > 0 || from.acquired_count > 0);
  if ((from.meta.flags & meta_has_bcc) != 0 && !counts) return without_bcc(from.message.properties);
  if (!counts) return from.message.properties;
  if (!editor_.begin(from.message.properties)) return from.message.properties;
  editor_.remove_header("BCC");
  if (from.delivery_count > 0) {
    editor_.set_header("x-delivery-count", static_cast<std::int64_t>(from.delivery_count));
  }
  if (from.acquired_count > 0) {
    editor_.set_header("x-acquired-count", static_cast<std::int64_t>(from.acquired_count));
  }
  edited_.clear();
  editor_.write(edited_);
  return edited_;
}

void ShardMessaging::deliver_stream(SourceId id, Delivery& delivery) {
  auto* source = clients_.source(id);
  if (!source || source->cancelled) return;
  ++source->unsettled;
  ++source->delivered;
  delivery.queue = QueueId{id.value};
  source->client->events->on_delivered(source->channel, source->tag, delivery);
}

bool ShardMessaging::deliver(Source& source, const queue::WorkDelivery& from) {
  auto& client = *source.client;
  if (!source.no_ack) ++source.unsettled;
  if (source.cancelled) return true;  // WorkQueues has removed it: does not happen on this shard
  if (source.channel_state->prefetch > 0 && !source.no_ack && !hand_out(source, from)) return client.ready;
  ++source.delivered;
  client.events->on_delivered(source.channel, source.tag, to_delivery(source, from));
  if (client.ready) return true;
  if (source.owner == shard_.id) client.stopped.push_back(source.id);
  return false;
}

void ShardMessaging::take_mailed(Source& source, const queue::WorkDelivery& from) {
  auto& client = *source.client;
  const auto weight = DeliveryBatch::weight(from);
  if (source.cancelled) {
    if (!source.no_ack) {
      ++source.unsettled;
      settle_source(source, {&from.offset, 1}, queue::Settlement::requeued);
    }
  } else {
    static_cast<void>(deliver(source, from));
  }
  if (client.ready || source.cancelled) {
    tell_taken(client, source.owner, weight);
  } else {
    client.untold.emplace_back(source.owner, weight);
  }
}

void ShardMessaging::tell_taken(const QueueClientState& client, base::ShardId owner, std::uint64_t bytes) {
  auto& taken = peers_[owner.value].requests.taken;
  const auto id = client.caller.client.value;
  if (!taken.empty() && taken.back().client == id) {
    taken.back().bytes += bytes;
  } else {
    taken.push_back({id, bytes});
  }
}

void ShardMessaging::set_ready(const Caller& caller, bool ready) {
  auto& client = client_of(caller);
  client.ready = ready;
  client.late_reply_bytes = 0;
  if (!ready) return;
  streams_.set_ready(caller.client.value);
  for (const auto& [owner, bytes] : std::exchange(client.untold, {})) tell_taken(client, owner, bytes);
  for (const auto id : std::exchange(client.stopped, {})) {
    const auto* source = clients_.source(id);
    if (source && source->owner == shard_.id) owner_.set_ready(id);
  }
}

// -- settlements

void ShardMessaging::settle(const Caller& caller, QueueId id, std::span<const base::Offset> offsets,
                            Settlement settlement) {
  static_cast<void>(caller);
  auto* source = clients_.source(SourceId{id.value});
  if (!source) return;  // its queue is gone
  if (source->type == QueueType::stream) {
    source->unsettled -= std::min(source->unsettled, static_cast<std::uint32_t>(offsets.size()));
    streams_.settle(source->id, offsets, settlement);
    return drop_if_done(*source);
  }
  settle_source(*source, offsets, static_cast<queue::Settlement>(settlement));
  drop_if_done(*source);
}

void ShardMessaging::settle_source(Source& source, std::span<const base::Offset> offsets,
                                   queue::Settlement settlement) {
  const auto count = std::min(source.unsettled, static_cast<std::uint32_t>(offsets.size()));
  source.unsettled -= count;
  if (source.kind == Source::Kind::consumer)
    source.channel_state->unsettled -= std::min(source.channel_state->unsettled, count);
  owner_settles(source, offsets, settlement);
}

void ShardMessaging::owner_settles(const Source& source, std::span<const base::Offset> offsets,
                                   queue::Settlement settlement) {
  if (source.owner == shard_.id) return owner_.settle(source.id, offsets, settlement);
  peers_[source.owner.value].requests.settle(source.id, offsets, settlement);
}

}  // namespace sluice::broker
