// SPDX-License-Identifier: Apache-2.0
#include "amqp/publishing.h"

#include <algorithm>

#include "message/properties.h"

namespace sluice::amqp {

using namespace wire;

// ---- frames

void Publishing::on(Channel& channel, const BasicPublish& method, FrameReader& behind) {
  FrameReader ahead = behind;
  Frame header, body;
  if (ahead.next(connection_.frame_bytes, header) == FrameReader::Status::frame &&
      header.type == FrameType::header && header.channel == channel.number) {
    const auto content = decode_content_header(header.payload);
    const bool whole = content && content->class_id == BasicPublish::id.class_id &&
                       (content->body_bytes == 0 ||
                        (ahead.next(connection_.frame_bytes, body) == FrameReader::Status::frame &&
                         body.type == FrameType::body && body.channel == channel.number &&
                         body.payload.size() == content->body_bytes));
    if (whole) {
      behind = ahead;
      if (const auto fits = check_size(content->body_bytes); !fits) {
        return channels_.fail(channel, fits.error(), BasicPublish::id);
      }
      return publish(channel, method, content->properties, body.payload);
    }
  }
  channel.assembly = take_assembly();
  channel.assembly->exchange = method.exchange;
  channel.assembly->routing_key = method.routing_key;
  channel.assembly->mandatory = method.mandatory;
  channel.assembly->immediate = method.immediate;
}

void Publishing::on_content(Channel& channel, const Frame& frame) {
  if (!channel.assembly) return unexpected("expected method frame, got non method frame instead", {});
  if (frame.type == FrameType::header) return on_header(channel, frame);
  return on_body(channel, frame);
}

void Publishing::on_missing_content(const Channel& channel) {
  unexpected(channel.assembly->has_header
                 ? "expected content body, got non content body frame instead"
                 : "expected content header for class 60, got non content header frame instead",
             BasicPublish::id);
}

void Publishing::on_header(Channel& channel, const Frame& frame) {
  Assembly& assembly = *channel.assembly;
  if (assembly.has_header) return on_missing_content(channel);
  const auto header = decode_content_header(frame.payload);
  if (!header) {
    return connection_.close_with(refuse(ReplyCode::frame_error, "{}", header.error().text).error(),
                                  BasicPublish::id);
  }
  if (header->class_id != BasicPublish::id.class_id) {
    return unexpected(
        fmt::format("expected content header for class 60, got one for class {} instead", header->class_id),
        BasicPublish::id);
  }
  if (const auto fits = check_size(header->body_bytes); !fits) {
    return channels_.fail(channel, fits.error(), BasicPublish::id);
  }
  assembly.has_header = true;
  assembly.body_bytes = header->body_bytes;
  assembly.properties.assign(header->properties.begin(), header->properties.end());
  if (header->body_bytes == 0) finish_assembly(channel, {});
}

void Publishing::on_body(Channel& channel, const Frame& frame) {
  Assembly& assembly = *channel.assembly;
  if (!assembly.has_header) return on_missing_content(channel);
  if (frame.payload.size() > assembly.body_bytes - assembly.body.size()) {
    return unexpected("content body is larger than its header says", BasicPublish::id);
  }
  if (assembly.body.empty() && frame.payload.size() == assembly.body_bytes) {
    return finish_assembly(channel, frame.payload);  // where it lies
  }
  const std::uint64_t most = std::max(assembling_bytes_max, 2 * connection_.options().max_message_size.value);
  if (channels_.assembling_bytes + frame.payload.size() > most) {
    const auto why = refuse(ReplyCode::resource_error,
                            "more than {} bytes of unfinished messages on the connection's channels", most);
    return connection_.close_with(why.error(), BasicPublish::id);
  }
  channels_.assembling_bytes += frame.payload.size();
  assembly.body.insert(assembly.body.end(), frame.payload.begin(), frame.payload.end());
  if (assembly.body.size() == assembly.body_bytes) finish_assembly(channel, assembly.body);
}

// `body` may lie in the assembly.
void Publishing::finish_assembly(Channel& channel, base::ByteView body) {
  channels_.assembling_bytes -= channel.assembly->body.size();
  const std::unique_ptr<Assembly> done = std::move(channel.assembly);
  BasicPublish method;
  method.exchange = done->exchange;
  method.routing_key = done->routing_key;
  method.mandatory = done->mandatory;
  method.immediate = done->immediate;
  publish(channel, method, done->properties, body);
  done->clear();
  std::unique_ptr<Assembly>& spare = connection_.context().spare_assembly;
  if (!spare) spare = std::make_unique<Assembly>();
  std::swap(*spare, *done);
}

std::unique_ptr<Assembly> Publishing::take_assembly() {
  if (connection_.context().spare_assembly) return std::move(connection_.context().spare_assembly);
  return std::make_unique<Assembly>();
}

void Publishing::unexpected(std::string_view what, MethodId method) {
  connection_.close_with(refuse(ReplyCode::unexpected_frame, "{}", what).error(), method);
}

broker::Outcome<> Publishing::check_size(std::uint64_t body_bytes) const {
  const std::uint64_t most = connection_.options().max_message_size.value;
  if (body_bytes <= most) return {};
  return refuse(ReplyCode::precondition_failed, "message size {} is larger than configured max size {}",
                body_bytes, most);
}

// ---- the message

void Publishing::publish(Channel& channel, const BasicPublish& method, base::ByteView properties,
                         base::ByteView body) {
  Metrics& metrics = connection_.metrics();
  metrics.messages_received.add();
  if (channel.confirming) metrics.messages_received_confirm.add();
  broker::MessageView message{method.exchange, method.routing_key, properties, body};
  const auto outcome = [&]() -> broker::Outcome<> {
    if (method.immediate) return refuse(ReplyCode::not_implemented, "immediate=true");
    if (auto inserted = insert_reply_key(channel, message); !inserted) return inserted;
    return hand_over(channel, message, method.mandatory);
  }();
  if (!outcome) channels_.fail(channel, outcome.error(), BasicPublish::id);
}

// Direct reply-to: points message.properties at rewritten ones, which stay until the next message. All other
// checks of a message are the broker's, in the documented order.
broker::Outcome<> Publishing::insert_reply_key(Channel& channel, broker::MessageView& message) {
  const auto flags = base::load_be<std::uint16_t>(message.properties.data());
  if ((flags & static_cast<std::uint16_t>(message::Property::reply_to)) == 0) return {};
  const auto properties = message::decode_properties(message.properties);
  if (!properties || properties->reply_to != broker::reply_to_name) return {};
  if (!channel.reply_consumer) {
    return refuse(ReplyCode::precondition_failed, "fast reply consumer does not exist");
  }
  message::PropertiesEditor editor;
  if (!editor.begin(message.properties)) return {};
  editor.properties().reply_to = channel.reply_consumer->key;
  base::ByteBuffer& rewritten = connection_.context().properties_scratch;
  rewritten.clear();
  editor.write(rewritten);
  message.properties = rewritten;
  return {};
}

broker::Outcome<> Publishing::hand_over(Channel& channel, broker::MessageView& message, bool mandatory) {
  if (channel.transaction) {
    TRY(route, connection_.messaging().route_message(connection_.caller, message));
    if (channel.transaction->add(message, mandatory, std::move(route))) return {};
    return refuse(ReplyCode::precondition_failed, "the transaction is larger than {} bytes or {} messages",
                  transaction_bytes_max, transaction_publishes_max);
  }
  const std::uint64_t number = channel.confirming ? channel.confirms.take() : 0;
  const broker::PublishRequest request{message, channel.number, mandatory, number};
  TRY(taken, connection_.messaging().publish(connection_.caller, request));
  if (mandatory && !taken) send_return(channel, message);
  return {};
}

void Publishing::send_return(const Channel& channel, const broker::MessageView& message) {
  connection_.metrics().messages_returned.add();
  base::ByteBuffer& out = connection_.begin();
  write_method(channel.number,
               BasicReturn{static_cast<std::uint16_t>(ReplyCode::no_route), name_of(312), message.exchange,
                           message.routing_key},
               out);
  write_content(channel.number, message.properties, message.body, connection_.frame_bytes, out);
  connection_.end();
}

// ---- confirms

broker::Outcome<> Publishing::on(Channel& channel, const ConfirmSelect& method) {
  if (channel.transaction) {
    return refuse(ReplyCode::precondition_failed, "cannot switch from tx to confirm mode");
  }
  channel.confirming = true;
  if (!method.no_wait) connection_.send(channel.number, ConfirmSelectOk{});
  return {};
}

void Publishing::on_published(std::uint16_t number, std::span<const std::uint64_t> numbers, bool accepted) {
  Channel* const channel = channels_.find_open(number);
  if (channel == nullptr || !connection_.is_open()) return;
  if (channel->transaction) return on_committed(*channel, numbers.size(), accepted);
  if (!channel->confirming) return;
  if (accepted) connection_.metrics().messages_confirmed.add(numbers.size());
  base::ByteBuffer& out = connection_.begin();
  channel->confirms.answer(numbers, [&](std::uint64_t tag, bool multiple) {
    if (accepted) {
      write_method(number, BasicAck{tag, multiple}, out);
    } else {
      write_method(number, BasicNack{tag, multiple, false}, out);
    }
  });
  connection_.end();
}

// ---- transactions

broker::Outcome<> Publishing::on(Channel& channel, const TxSelect&) {
  if (channel.confirming) {
    return refuse(ReplyCode::precondition_failed, "cannot switch from confirm to tx mode");
  }
  if (!channel.transaction) channel.transaction = std::make_unique<Transaction>();
  connection_.send(channel.number, TxSelectOk{});
  return {};
}

// Publishes first, then settlements: who consumes and publishes in one transaction may see a message twice
// after a crash, but loses none.
broker::Outcome<> Publishing::on(Channel& channel, const TxCommit&) {
  if (!channel.transaction) return refuse(ReplyCode::precondition_failed, "channel is not transactional");
  Transaction& transaction = *channel.transaction;
  const std::size_t publishes = transaction.publishes();
  if (publishes > 0) {
    transaction.committing = publishes;
    connection_.begin_wait();
  }
  transaction.for_each(
      [&](const broker::MessageView& message, bool mandatory, const broker::KeptRoute& route) {
        const broker::PublishRequest request{message, channel.number, mandatory, channel.confirms.take()};
        const bool taken = connection_.messaging().publish_routed(connection_.caller, request, route);
        if (mandatory && !taken) send_return(channel, message);
      });
  for (const Transaction::Settled& settled : transaction.settled) {
    connection_.messaging().settle(connection_.caller, settled.source, std::span(&settled.offset, 1),
                                   settled.settlement);
  }
  channel.unsettled.drop_marked();
  if (publishes == 0) end_commit(channel);
  return {};
}

void Publishing::on_committed(Channel& channel, std::size_t answered, bool accepted) {
  Transaction& transaction = *channel.transaction;
  if (!transaction.committing) return;
  if (!accepted) transaction.refused = true;
  *transaction.committing -= std::min<std::uint64_t>(*transaction.committing, answered);
  if (*transaction.committing > 0) return;
  if (transaction.refused) {
    return channels_.fail(channel, refuse(ReplyCode::precondition_failed, "partial tx completion").error(),
                          TxCommit::id);
  }
  connection_.end_wait();
  end_commit(channel);
}

void Publishing::end_commit(Channel& channel) {
  channel.transaction->clear();
  connection_.metrics().transactions_committed.add();
  connection_.send(channel.number, TxCommitOk{});
}

broker::Outcome<> Publishing::on(Channel& channel, const TxRollback&) {
  if (!channel.transaction) return refuse(ReplyCode::precondition_failed, "channel is not transactional");
  const std::size_t before = channel.unsettled.size();
  channel.unsettled.unmark_all();
  channels_.unsettled += channel.unsettled.size() - before;
  channel.transaction->clear();
  connection_.send(channel.number, TxRollbackOk{});
  return {};
}

}  // namespace sluice::amqp
