// SPDX-License-Identifier: Apache-2.0
#include "amqp/consuming.h"

#include <algorithm>

#include "amqp/wire/deliver.h"
#include "base/random_name.h"

namespace sluice::amqp {

using namespace wire;

namespace {

std::unexpected<broker::Refusal> unknown_tag(std::uint64_t tag) {
  return refuse(ReplyCode::precondition_failed, "unknown delivery tag {}", tag);
}

}  // namespace

// ---- consumers

broker::Outcome<> Consuming::on(Channel& channel, const BasicQos& method) {
  if (method.prefetch_size != 0) {
    return refuse(ReplyCode::not_implemented, "prefetch_size!=0 ({})", method.prefetch_size);
  }
  if (method.global) {
    channel.shared_prefetch = method.prefetch_count;
    connection_.messaging().set_channel_prefetch(connection_.caller, channel.number, method.prefetch_count);
  } else {
    channel.prefetch = method.prefetch_count;
  }
  connection_.send(channel.number, BasicQosOk{});
  return {};
}

broker::Outcome<> Consuming::on(Channel& channel, const BasicConsume& method) {
  std::string tag = method.consumer_tag.empty()
                        ? base::random_name("amq.ctag-", connection_.context().shard.random)
                        : std::string(method.consumer_tag);
  const std::uint32_t most = connection_.options().consumer_max_per_channel;
  if (most != 0 && channel.consumers.size() >= most && !channel.consumers.contains(tag)) {
    return refuse(ReplyCode::not_allowed, "reached maximum ({}) of consumers per channel", most);
  }
  if (method.queue == broker::reply_to_name) return consume_replies(channel, method, std::move(tag));
  TRY(queue, queue_or_last(channel, method.queue));
  if (channel.consumers.contains(tag)) {
    return refuse(ReplyCode::not_allowed, "attempt to reuse consumer tag '{}'", tag);
  }
  auto arguments = base::decode_field_table(method.arguments.bytes());
  if (!arguments) return refuse(ReplyCode::syntax_error, "{}", arguments.error().text);
  broker::ConsumeRequest request;
  request.queue = queue;
  request.channel = channel.number;
  request.tag = tag;
  request.no_ack = method.no_ack;
  request.exclusive = method.exclusive;
  request.prefetch = channel.prefetch;
  request.arguments = std::move(*arguments);
  connection_.messaging().consume(
      connection_.caller, std::move(request),
      channels_.await<void>(channel, BasicConsume::id,
                            [this, tag, queue, no_ack = method.no_ack, quiet = method.no_wait](Channel& to) {
                              add_consumer(to, tag, queue, no_ack);
                              if (!quiet) connection_.send(to.number, BasicConsumeOk{tag});
                            }));
  return {};
}

broker::Outcome<> Consuming::consume_replies(Channel& channel, const BasicConsume& method, std::string tag) {
  if (channel.reply_consumer) return refuse(ReplyCode::precondition_failed, "reply consumer already set");
  if (!method.no_ack) return refuse(ReplyCode::precondition_failed, "reply consumer cannot acknowledge");
  if (channel.consumers.contains(tag)) {
    return refuse(ReplyCode::not_allowed, "attempt to reuse consumer tag '{}'", tag);
  }
  std::string key = connection_.messaging().open_reply_to(connection_.caller, channel.number, tag);
  add_consumer(channel, tag, broker::reply_to_name, true);
  channel.reply_consumer = std::make_unique<ReplyConsumer>(ReplyConsumer{tag, std::move(key)});
  if (!method.no_wait) connection_.send(channel.number, BasicConsumeOk{tag});
  return {};
}

void Consuming::add_consumer(Channel& channel, std::string_view tag, std::string_view queue, bool no_ack) {
  channel.consumers.emplace(tag, Consumer{std::string(queue), no_ack});
  connection_.metrics().consumers.add();
}

bool Consuming::forget_consumer(Channel& channel, std::string_view tag) {
  const auto found = channel.consumers.find(tag);
  if (found == channel.consumers.end()) return false;
  if (channel.reply_consumer && channel.reply_consumer->tag == tag) channel.reply_consumer.reset();
  channel.consumers.erase(found);
  connection_.metrics().consumers.sub();
  return true;
}

broker::Outcome<> Consuming::on(Channel& channel, const BasicCancel& method) {
  const std::string tag(method.consumer_tag);
  if (!forget_consumer(channel, tag)) {
    if (!method.no_wait) connection_.send(channel.number, BasicCancelOk{tag});
    return {};
  }
  connection_.messaging().cancel(
      connection_.caller, channel.number, tag,
      channels_.await<void>(channel, BasicCancel::id, [this, tag, quiet = method.no_wait](Channel& to) {
        if (!quiet) connection_.send(to.number, BasicCancelOk{tag});
      }));
  return {};
}

void Consuming::on_cancelled(std::uint16_t number, std::string_view tag) {
  Channel* const channel = channels_.find_open(number);
  if (channel == nullptr || !forget_consumer(*channel, tag)) return;
  if (connection_.caller.cancel_notify) connection_.send(number, BasicCancel{tag, true});
}

// ---- deliveries

void Consuming::on_delivered(std::uint16_t number, std::string_view tag, const broker::Delivery& delivery) {
  Channel* const channel = channels_.find_open(number);
  if (channel == nullptr || !connection_.is_open()) return;
  const auto consumer = channel->consumers.find(tag);
  if (consumer == channel->consumers.end()) return;
  const std::uint64_t delivery_tag = channel->next_tag++;
  base::ByteBuffer& out = connection_.begin();
  const broker::MessageView& message = delivery.message;
  write_deliver(number, {tag, delivery_tag, delivery.redelivered, message.exchange, message.routing_key},
                message.properties, message.body, connection_.frame_bytes, out);
  connection_.end();
  if (!consumer->second.no_ack) remember(*channel, delivery_tag, delivery);
  count(delivery, false, consumer->second.no_ack);
  update_ready();
}

broker::Outcome<> Consuming::on(Channel& channel, const BasicGet& method) {
  TRY(queue, queue_or_last(channel, method.queue));
  connection_.messaging().get(
      connection_.caller, channel.number, std::move(queue), method.no_ack,
      channels_.await<std::optional<broker::Delivery>>(
          channel, BasicGet::id,
          [this, no_ack = method.no_ack](Channel& to, std::optional<broker::Delivery> delivery) {
            if (delivery) return write_got(to, *delivery, no_ack);
            connection_.metrics().get_empty.add();
            connection_.send(to.number, BasicGetEmpty{});
          }));
  return {};
}

void Consuming::write_got(Channel& channel, const broker::Delivery& delivery, bool no_ack) {
  const std::uint64_t tag = channel.next_tag++;
  base::ByteBuffer& out = connection_.begin();
  write_method(channel.number,
               BasicGetOk{tag, delivery.redelivered, delivery.message.exchange, delivery.message.routing_key,
                          delivery.messages_left},
               out);
  write_content(channel.number, delivery.message.properties, delivery.message.body, connection_.frame_bytes,
                out);
  connection_.end();
  if (!no_ack) remember(channel, tag, delivery);
  count(delivery, true, no_ack);
}

void Consuming::remember(Channel& channel, std::uint64_t tag, const broker::Delivery& delivery) {
  channel.unsettled.add(tag, delivery.queue, delivery.offset);
  ++channels_.unsettled;
}

void Consuming::count(const broker::Delivery& delivery, bool by_get, bool no_ack) {
  connection_.metrics().delivered(delivery.queue_type, [&](auto& counters) {
    if (delivery.redelivered) counters.redelivered.add();
    if (by_get) return (no_ack ? counters.get_auto_ack : counters.get_manual_ack).add();
    counters.delivered.add();
    (no_ack ? counters.consume_auto_ack : counters.consume_manual_ack).add();
  });
}

void Consuming::update_ready() {
  const std::size_t pending = connection_.outbox().pending_bytes();
  const bool full = pending >= base::Outbox::high_water_bytes || channels_.unsettled >= unsettled_max;
  const bool roomy = pending <= base::Outbox::low_water_bytes && channels_.unsettled <= unsettled_resume;
  if (ready_ ? !full : !roomy) return;
  ready_ = !ready_;
  connection_.messaging().set_ready(connection_.caller, ready_);
}

// ---- settlements

broker::Outcome<> Consuming::on(Channel& channel, const BasicAck& method) {
  return settle(channel, method.delivery_tag, method.multiple, broker::Settlement::accepted);
}

broker::Outcome<> Consuming::on(Channel& channel, const BasicNack& method) {
  return settle(channel, method.delivery_tag, method.multiple,
                method.requeue ? broker::Settlement::requeued : broker::Settlement::rejected);
}

broker::Outcome<> Consuming::on(Channel& channel, const BasicReject& method) {
  return settle(channel, method.delivery_tag, false,
                method.requeue ? broker::Settlement::failed : broker::Settlement::rejected);
}

broker::Outcome<> Consuming::settle(Channel& channel, std::uint64_t tag, bool multiple,
                                    broker::Settlement settlement) {
  const std::size_t before = channel.unsettled.size();
  const auto take = [&](const Unsettled::Entry& entry) {
    if (channel.transaction) {
      channel.transaction->settled.push_back({entry.source, entry.offset, settlement});
    } else {
      channels_.settlements.collect(entry, settlement);
    }
  };
  const bool known = channel.transaction ? channel.unsettled.mark(tag, multiple, take)
                     : multiple          ? channel.unsettled.settle_up_to(tag, take)
                                         : channel.unsettled.settle(tag, take);
  if (!known) return unknown_tag(tag);
  const std::size_t settled = before - channel.unsettled.size();
  channels_.unsettled -= settled;
  if (settlement == broker::Settlement::accepted) connection_.metrics().messages_settled.add(settled);
  return {};
}

broker::Outcome<> Consuming::on(Channel& channel, const BasicRecover& method) {
  auto outcome = recover(channel, method.requeue);
  if (outcome) connection_.send(channel.number, BasicRecoverOk{});
  return outcome;
}

broker::Outcome<> Consuming::on(Channel& channel, const BasicRecoverAsync& method) {
  return recover(channel, method.requeue);
}

broker::Outcome<> Consuming::recover(Channel& channel, bool requeue) {
  if (!requeue) return refuse(ReplyCode::not_implemented, "requeue=false");
  channels_.unsettled -= channel.unsettled.size();
  channel.unsettled.settle_up_to(0, [&](const Unsettled::Entry& entry) {
    channels_.settlements.collect(entry, broker::Settlement::requeued);
  });
  channels_.settlements.flush();
  update_ready();
  return {};
}

}  // namespace sluice::amqp
