// SPDX-License-Identifier: Apache-2.0
// Streams for the AMQP 0-9-1 clients of one shard: publishing converts to AMQP 1.0 and appends, consuming
// reads, unpacks and converts back (reference queues-and-amqp.md, sections 7 and 8). Owned by ShardMessaging,
// used on its shard only.
//
// It stands on the stream side of the same broker, as a stream session does: each AMQP client that uses
// streams has one inner Client there, so that rights of place, mail, confirms, views and flow are the ones
// streams have anyway. Messages published in a turn are kept until flush() and then given to each log at
// once; deliveries are made in run(). Neither happens inside a call of a session.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/broker.h"
#include "broker/client.h"
#include "broker/messaging.h"
#include "broker/records.h"
#include "broker/stream_messages.h"
#include "broker/work_news.h"
#include "message/amqp10.h"

namespace sluice::broker {

class AmqpStreams {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual void note_confirm(const queue::Confirm& confirm) = 0;
    // Hands it to the session, whose source it fills in.
    virtual void deliver_stream(SourceId source, Delivery& delivery) = 0;
    // The stream is gone, or cannot be read: the source delivers nothing more.
    virtual void note_lost(SourceId source) = 0;
    virtual void note_stream_flow(std::uint64_t client, bool may_publish) = 0;
    // Whether the client's session takes deliveries; set_ready() when it does again.
    virtual bool is_ready(std::uint64_t client) = 0;
    virtual void for_each_stream(const std::function<void(const QueueRecord&)>& visit) const = 0;
  };

  AmqpStreams(base::Shard& shard, Broker& broker, Host& host);
  ~AmqpStreams();

  // One note_confirm follows when the origin has a number; refused when the stream is not there.
  void publish(base::QueueId stream, const queue::Message& message, const queue::PublishOrigin& origin);

  // Refuses what a stream does not do; else the answer comes when the reader stands where it shall begin.
  void consume(SourceId source, std::uint64_t client, std::string_view vhost, const ConsumeRequest& request,
               std::uint32_t channel_prefetch, Answer<> answer);
  void remove_consumer(SourceId source);
  // Room for as many more; an accepted or rejected message counts as read where the place is tracked.
  void settle(SourceId source, std::span<const base::Offset> offsets, Settlement settlement);
  void set_ready(std::uint64_t client);
  void remove_client(std::uint64_t client);

  void flush();  // before the logs' turn ends
  void run();    // after it. Asks for another turn when there is more to do
  bool may_publish(std::uint64_t client) const;

 private:
  class Side;
  struct Publisher;
  struct Reader;

  struct StreamName {
    std::string vhost, name;
  };

  Side& side(std::uint64_t client);
  const StreamName* name_of(base::QueueId stream);
  void on_place(SourceId source, const base::Result<std::uint64_t>& stored);
  void start(Reader& reader);
  void on_consumer(SourceId source, const base::Result<Consumer*>& consumer);
  void note_due(Reader& reader);
  void deliver(Reader& reader);
  void hand_over(Reader& reader, const StreamMessages::Message& message);
  void fail(Reader& reader, const base::Error& error);
  void drop(Reader& reader);

  base::Shard& shard_;
  Broker& broker_;
  Host& host_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Side>> sides_;  // by AMQP client
  std::unordered_map<SourceId, std::unique_ptr<Reader>> readers_;
  std::unordered_map<base::QueueId, StreamName> names_;  // as far as they were asked for
  std::vector<queue::PublishOrigin> refused_;
  std::vector<Publisher*> filled_;  // with messages of this turn
  std::vector<SourceId> due_, due_before_;
  StreamMessages::Desk desk_;
  message::ToBasic to_basic_;
};

}  // namespace sluice::broker
