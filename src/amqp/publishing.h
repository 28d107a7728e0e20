// SPDX-License-Identifier: Apache-2.0
// basic.publish, its content, confirms, mandatory returns and transactions. A message whose frames lie in one
// read goes to the broker from where it lies; else it is put together in an Assembly. Called by the session
// with frames of open channels and with the broker's on_published.
//
// Checked here: the order of frames, size, `immediate`, direct reply-to. Rights, exchanges and properties are
// the broker's to check.
#pragma once

#include "amqp/channels.h"

namespace sluice::amqp {

class Publishing {
 public:
  Publishing(Connection& connection, Channels& channels) : connection_(connection), channels_(channels) {}

  // `behind` stands behind the method's frame; it is moved on when the content lies there, complete.
  void on(Channel& channel, const wire::BasicPublish& method, wire::FrameReader& behind);
  // A header or body frame.
  void on_content(Channel& channel, const wire::Frame& frame);
  // A method frame came where content was due.
  void on_missing_content(const Channel& channel);

  broker::Outcome<> on(Channel& channel, const wire::ConfirmSelect& method);
  broker::Outcome<> on(Channel& channel, const wire::TxSelect& method);
  broker::Outcome<> on(Channel& channel, const wire::TxCommit& method);
  broker::Outcome<> on(Channel& channel, const wire::TxRollback& method);

  void on_published(std::uint16_t channel, std::span<const std::uint64_t> numbers, bool accepted);

 private:
  void on_header(Channel& channel, const wire::Frame& frame);
  void on_body(Channel& channel, const wire::Frame& frame);
  void finish_assembly(Channel& channel, base::ByteView body);
  void unexpected(std::string_view what, wire::MethodId method);
  broker::Outcome<> check_size(std::uint64_t body_bytes) const;
  void publish(Channel& channel, const wire::BasicPublish& method, base::ByteView properties,
               base::ByteView body);
  broker::Outcome<> insert_reply_key(Channel& channel, broker::MessageView& message);
  broker::Outcome<> hand_over(Channel& channel, broker::MessageView& message, bool mandatory);
  void send_return(const Channel& channel, const broker::MessageView& message);
  void on_committed(Channel& channel, std::size_t answered, bool accepted);
  void end_commit(Channel& channel);
  std::unique_ptr<Assembly> take_assembly();

  Connection& connection_;
  Channels& channels_;
};

}  // namespace sluice::amqp
