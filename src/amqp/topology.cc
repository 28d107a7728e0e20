// SPDX-License-Identifier: Apache-2.0
#include "amqp/topology.h"

namespace sluice::amqp {

using namespace wire;

namespace {

broker::Outcome<base::FieldTable> arguments_of(const base::FieldTableView& view) {
  auto table = base::decode_field_table(view.bytes());
  if (!table) return refuse(ReplyCode::syntax_error, "{}", table.error().text);
  return std::move(*table);
}

}  // namespace

template <class Method, class Ok>
broker::Answer<> Topology::answer_with(const Channel& channel, bool quiet, Ok ok) {
  return channels_.await<void>(channel, Method::id, [this, quiet, ok](Channel& to) {
    if (!quiet) connection_.send(to.number, ok);
  });
}

broker::Outcome<> Topology::on(Channel& channel, const ExchangeDeclare& method) {
  TRY(arguments, arguments_of(method.arguments));
  broker::ExchangeSpec spec;
  spec.name = method.exchange;
  spec.type = method.type;
  spec.passive = method.passive;
  spec.durable = method.durable;
  spec.auto_delete = method.auto_delete;
  spec.internal = method.internal;
  spec.arguments = std::move(arguments);
  connection_.messaging().declare_exchange(
      connection_.caller, std::move(spec),
      answer_with<ExchangeDeclare>(channel, method.no_wait, ExchangeDeclareOk{}));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const ExchangeDelete& method) {
  connection_.messaging().delete_exchange(
      connection_.caller, std::string(method.exchange), method.if_unused,
      answer_with<ExchangeDelete>(channel, method.no_wait, ExchangeDeleteOk{}));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const ExchangeBind& method) {
  TRY(arguments, arguments_of(method.arguments));
  connection_.messaging().bind(connection_.caller,
                               {std::string(method.source), std::string(method.destination),
                                std::string(method.routing_key), false, std::move(arguments)},
                               answer_with<ExchangeBind>(channel, method.no_wait, ExchangeBindOk{}));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const ExchangeUnbind& method) {
  TRY(arguments, arguments_of(method.arguments));
  connection_.messaging().unbind(connection_.caller,
                                 {std::string(method.source), std::string(method.destination),
                                  std::string(method.routing_key), false, std::move(arguments)},
                                 answer_with<ExchangeUnbind>(channel, method.no_wait, ExchangeUnbindOk{}));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const QueueDeclare& method) {
  TRY(arguments, arguments_of(method.arguments));
  broker::QueueSpec spec;
  spec.name = method.queue;
  spec.passive = method.passive;
  spec.durable = method.durable;
  spec.exclusive = method.exclusive;
  spec.auto_delete = method.auto_delete;
  spec.arguments = std::move(arguments);
  connection_.messaging().declare_queue(
      connection_.caller, std::move(spec),
      channels_.await<broker::QueueStatus>(
          channel, QueueDeclare::id, [this, quiet = method.no_wait](Channel& to, broker::QueueStatus status) {
            to.last_queue = std::move(status.name);
            if (quiet) return;
            const auto ready =
                static_cast<std::uint32_t>(std::min<std::uint64_t>(status.messages_ready, UINT32_MAX));
            connection_.send(to.number, QueueDeclareOk{to.last_queue, ready, status.consumers});
          }));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const QueueBind& method) {
  TRY(queue, queue_or_last(channel, method.queue));
  TRY(arguments, arguments_of(method.arguments));
  // Without queue and key, the key is the queue's name.
  const bool by_name = method.queue.empty() && method.routing_key.empty();
  std::string key = by_name ? queue : std::string(method.routing_key);
  connection_.messaging().bind(
      connection_.caller,
      {std::string(method.exchange), std::move(queue), std::move(key), true, std::move(arguments)},
      answer_with<QueueBind>(channel, method.no_wait, QueueBindOk{}));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const QueueUnbind& method) {
  TRY(queue, queue_or_last(channel, method.queue));
  TRY(arguments, arguments_of(method.arguments));
  const bool by_name = method.queue.empty() && method.routing_key.empty();
  std::string key = by_name ? queue : std::string(method.routing_key);
  connection_.messaging().unbind(
      connection_.caller,
      {std::string(method.exchange), std::move(queue), std::move(key), true, std::move(arguments)},
      answer_with<QueueUnbind>(channel, false, QueueUnbindOk{}));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const QueuePurge& method) {
  TRY(queue, queue_or_last(channel, method.queue));
  connection_.messaging().purge_queue(
      connection_.caller, std::move(queue),
      channels_.await<std::uint64_t>(
          channel, QueuePurge::id, [this, quiet = method.no_wait](Channel& to, std::uint64_t purged) {
            if (!quiet) connection_.send(to.number, QueuePurgeOk{static_cast<std::uint32_t>(purged)});
          }));
  return {};
}

broker::Outcome<> Topology::on(Channel& channel, const QueueDelete& method) {
  TRY(queue, queue_or_last(channel, method.queue));
  connection_.messaging().delete_queue(
      connection_.caller, std::move(queue), method.if_unused, method.if_empty,
      channels_.await<std::uint64_t>(
          channel, QueueDelete::id, [this, quiet = method.no_wait](Channel& to, std::uint64_t deleted) {
            if (!quiet) connection_.send(to.number, QueueDeleteOk{static_cast<std::uint32_t>(deleted)});
          }));
  return {};
}

}  // namespace sluice::amqp
