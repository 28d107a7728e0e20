// SPDX-License-Identifier: Apache-2.0
// Carries out the commands of endpoints.h against the broker of the connection's shard. Whoever may open the
// unix socket acts as administrator: the right to the file is the credential.
#pragma once

#include <memory>

#include "broker/broker.h"
#include "http/endpoints.h"
#include "http/message.h"
#include "http/node.h"

namespace sluice::http {

template <class Row>
using Rows = broker::Done<std::vector<Row>>;

// One sentence, made of the outcome's value.
template <class T, class Say>
broker::Done<T> saying(Rows<TextRow> done, Say say) {
  return [done = std::move(done), say](base::Result<T> outcome) mutable {
    if (!outcome) return done(std::unexpected(std::move(outcome).error()));
    done(std::vector{TextRow{say(*outcome)}});
  };
}

// For what answers no rows: the outcome, without its value.
template <class T>
broker::Done<T> no_rows(Rows<NoRow> done) {
  return [done = std::move(done)](base::Result<T> outcome) mutable {
    if (outcome) {
      done(std::vector<NoRow>{});
    } else {
      done(std::unexpected(std::move(outcome).error()));
    }
  };
}

class Commands {
 public:
  // Both outlive the commands and their answers.
  Commands(const Node& node, broker::Broker& broker) : node_(node), broker_(broker) {}

  void on(const Status::Request& request, Rows<StatusRow> done);
  void on(const Ping::Request& request, Rows<TextRow> done);
  void on(const Version::Request& request, Rows<TextRow> done);
  void on(const Environment::Request& request, Rows<SettingRow> done);
  void on(const ListStreams::Request& request, Rows<broker::StreamRow> done);
  void on(const StreamStatus::Request& request, Rows<StreamStatusRow> done);
  void on(const AddStream::Request& request, Rows<NoRow> done);
  void on(const DeleteStream::Request& request, Rows<NoRow> done);
  void on(const AddSuperStream::Request& request, Rows<NoRow> done);
  void on(const DeleteSuperStream::Request& request, Rows<NoRow> done);
  void on(const ListStreamConnections::Request& request, Rows<broker::ConnectionRow> done);
  void on(const ListStreamPublishers::Request& request, Rows<broker::PublisherRow> done);
  void on(const ListStreamConsumers::Request& request, Rows<broker::ConsumerRow> done);
  void on(const ListStreamConsumerGroups::Request& request, Rows<broker::GroupRow> done);
  void on(const ListStreamGroupConsumers::Request& request, Rows<broker::GroupMemberRow> done);
  void on(const ListStreamTracking::Request& request, Rows<broker::TrackingRow> done);
  void on(const ResetOffset::Request& request, Rows<NoRow> done);

  // queue_commands.cc
  void on(const ListQueues::Request& request, Rows<ListedQueue> done);
  void on(const ListExchanges::Request& request, Rows<broker::ExchangeRow> done);
  void on(const ListBindings::Request& request, Rows<broker::BindingRow> done);
  void on(const ListConsumers::Request& request, Rows<broker::QueueConsumerRow> done);
  void on(const ListConnections::Request& request, Rows<AnyConnectionRow> done);
  void on(const ListChannels::Request& request, Rows<NamedChannelRow> done);
  void on(const PurgeQueue::Request& request, Rows<NoRow> done);
  void on(const RewindQueue::Request& request, Rows<NoRow> done);
  void on(const DeleteQueue::Request& request, Rows<TextRow> done);
  void on(const CloseConnection::Request& request, Rows<NoRow> done);
  void on(const SetPolicy::Request& request, Rows<NoRow> done);
  void on(const ListPolicies::Request& request, Rows<PolicyRow> done);
  void on(const ClearPolicy::Request& request, Rows<NoRow> done);
  void on(const SetOperatorPolicy::Request& request, Rows<NoRow> done);
  void on(const ListOperatorPolicies::Request& request, Rows<PolicyRow> done);
  void on(const ClearOperatorPolicy::Request& request, Rows<NoRow> done);
  void on(const AddVhost::Request& request, Rows<NoRow> done);
  void on(const DeleteVhost::Request& request, Rows<NoRow> done);
  void on(const ListVhosts::Request& request, Rows<broker::VhostRow> done);
  void on(const SetVhostLimits::Request& request, Rows<NoRow> done);
  void on(const ClearVhostLimits::Request& request, Rows<NoRow> done);
  void on(const ListVhostLimits::Request& request, Rows<TextRow> done);
  void on(const SetPermissions::Request& request, Rows<NoRow> done);
  void on(const SetTopicPermissions::Request& request, Rows<NoRow> done);
  void on(const ClearTopicPermissions::Request& request, Rows<NoRow> done);
  void on(const ListTopicPermissions::Request& request, Rows<broker::TopicPermissionRecord> done);

  // node_commands.cc
  void on(const ListDelayedMessages::Request& request, Rows<broker::ScheduledRow> done);
  void on(const CancelDelayedMessage::Request& request, Rows<NoRow> done);
  void on(const SetMemoryWatermark::Request& request, Rows<NoRow> done);
  void on(const SetDiskFreeLimit::Request& request, Rows<NoRow> done);
  void on(const CloseAllConnections::Request& request, Rows<TextRow> done);
  void on(const CloseAllUserConnections::Request& request, Rows<TextRow> done);
  void on(const ListUsers::Request& request, Rows<broker::UserRow> done);
  void on(const ListPermissions::Request& request, Rows<broker::PermissionRecord> done);

 private:
  void set_policy(std::string_view kind, const PolicyRequest& request, Rows<NoRow> done);

  const Node& node_;
  broker::Broker& broker_;
};

// Routes POST /api/command/<name>. `commands` outlives the handler.
Handler command_handler(Commands& commands);

}  // namespace sluice::http
