// SPDX-License-Identifier: Apache-2.0
// Work queues and exchanges as one shard sees them: what AMQP (and later MQTT and STOMP) sessions call. The
// stream side is broker.h; both are faces of the same broker, share its catalog, access control and clients.
//
// Everything a session asks runs on its own shard's copy of the catalog where it can (routing, rights,
// arguments) and travels as mail to the shard that owns a queue where it must. Errors carry the AMQP meaning
// in Refusal, ready to be put into channel.close or connection.close; the texts are RabbitMQ's.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/field_table.h"
#include "broker/types.h"

namespace sluice::broker {

using QueueId = base::QueueId;

enum class QueueType : std::uint8_t { classic, quorum, stream };

// Direct reply-to: the queue that requesters consume from and name, and what its routing keys begin with.
inline constexpr std::string_view reply_to_name = "amq.rabbitmq.reply-to";
inline constexpr std::string_view reply_to_prefix = "amq.rabbitmq.reply-to.";

// AMQP 0-9-1 reply codes (reference queues-and-amqp.md, section 2). `connection`: closes the connection.
struct Refusal {
  std::uint16_t code = 0;
  std::string text;  // without the code's name, which the session puts before it
  bool connection = false;
};
template <class T = void>
using Outcome = std::expected<T, Refusal>;
template <class T = void>
using Answer = std::move_only_function<void(Outcome<T>)>;

// Who asks: fixed when the connection is open.
struct Caller {
  ClientId client;
  Identity identity;
  std::string vhost;
  // Understands basic.cancel from the server: a timed-out consumer is cancelled, else its channel is refused.
  bool cancel_notify = false;
};

struct ExchangeSpec {
  std::string name, type;
  bool passive = false, durable = false, auto_delete = false, internal = false;
  base::FieldTable arguments;
};
struct QueueSpec {
  std::string name;  // empty: the broker makes one up
  bool passive = false, durable = false, exclusive = false, auto_delete = false;
  base::FieldTable arguments;
};
struct QueueStatus {
  std::string name;
  QueueType type = QueueType::classic;
  std::uint64_t messages_ready = 0;
  std::uint32_t consumers = 0;
};
struct BindingSpec {
  std::string source, destination, key;
  bool destination_is_queue = true;
  base::FieldTable arguments;
};

// A message as it came in AMQP 0-9-1: property flags and values as received, and the body. Views valid during
// the call.
struct MessageView {
  std::string_view exchange, routing_key;
  base::ByteView properties;
  base::ByteView body;
};

struct Destination {
  QueueId queue;
  QueueType type = QueueType::classic;
  base::ShardId owner;
  friend bool operator==(const Destination&, const Destination&) = default;
};

// Where a message goes that passed all checks and is not given to its queues yet: what a transaction keeps.
struct KeptRoute {
  std::vector<Destination> queues;
  std::vector<std::uint64_t> holding, remembering;  // exchanges of the router, by number
  bool reply = false;                               // to a requester, by direct reply-to

  std::size_t bytes() const {
    return queues.size() * sizeof(Destination) + (holding.size() + remembering.size()) * 8;
  }
};

struct PublishRequest {
  MessageView message;
  std::uint16_t channel = 0;
  bool mandatory = false;
  // Confirm number on the channel, 0 when the channel is not in confirm mode.
  std::uint64_t confirm = 0;
};

struct ConsumeRequest {
  std::string queue;
  std::uint16_t channel = 0;
  std::string tag;  // unique on the channel, chosen by the session when the client left it open
  bool no_ack = false, exclusive = false;
  std::uint32_t prefetch = 0;  // unsettled deliveries allowed; 0: no limit
  base::FieldTable arguments;  // x-priority, x-stream-offset, x-stream-filter, ...
};

// A delivery on its way to a session. Owns nothing: valid during on_delivered.
struct Delivery {
  QueueId queue;
  base::Offset offset;  // with queue: what settle() names
  MessageView
      message;  // properties as they must be sent (x-death, x-delivery-count, ... already in the headers)
  bool redelivered = false;
  std::uint32_t messages_left = 0;  // for get
  QueueType queue_type = QueueType::classic;
};

enum class Settlement : std::uint8_t {
  accepted,  // ack
  requeued,  // nack with requeue: given back, which is no failure
  rejected,  // nack or reject without: dead-lettered or dropped
  failed,    // reject with requeue: given back, and counts as a failed delivery of a quorum queue
};

// Events for a session that uses queues. Called on its shard.
class QueueClient {
 public:
  virtual ~QueueClient() = default;
  // Every confirm number is answered once. Numbers in ascending order within a call.
  virtual void on_published(std::uint16_t channel, std::span<const std::uint64_t> confirms,
                            bool accepted) = 0;
  virtual void on_delivered(std::uint16_t channel, std::string_view consumer_tag,
                            const Delivery& delivery) = 0;
  // The server ended a consumer: queue deleted, timed out, failed over.
  virtual void on_consumer_cancelled(std::uint16_t channel, std::string_view consumer_tag) = 0;
  virtual void on_channel_refused(std::uint16_t channel, const Refusal& why) = 0;  // e.g. consumer timeout
  // Memory or disk alarm: nullopt when it is over. reason: "low on memory", "low on disk", "low on memory &
  // disk".
  virtual void on_blocked(std::optional<std::string_view> reason) = 0;
  virtual void on_flow(bool may_publish) = 0;
};

class Messaging {
 public:
  virtual ~Messaging() = default;

  // The client must be registered with Broker::add_client first. Removing the client there returns what it
  // had unsettled and deletes its exclusive queues.
  virtual void attach(const Caller& caller, QueueClient& client) = 0;

  // What the caller may do has changed: consumers of queues that it may no longer read are cancelled.
  virtual void renew(const Caller& caller) = 0;

  virtual void declare_exchange(const Caller& caller, ExchangeSpec spec, Answer<> answer) = 0;
  virtual void delete_exchange(const Caller& caller, std::string name, bool if_unused, Answer<> answer) = 0;
  virtual void bind(const Caller& caller, BindingSpec spec, Answer<> answer) = 0;
  virtual void unbind(const Caller& caller, BindingSpec spec, Answer<> answer) = 0;
  virtual void declare_queue(const Caller& caller, QueueSpec spec, Answer<QueueStatus> answer) = 0;
  virtual void delete_queue(const Caller& caller, std::string name, bool if_unused, bool if_empty,
                            Answer<std::uint64_t> answer) = 0;
  virtual void purge_queue(const Caller& caller, std::string name, Answer<std::uint64_t> answer) = 0;

  // Where a client that is about to publish so should go on: the one other shard with all queues that such a
  // message reaches (the default exchange and a queue's name: that queue). nullopt: here, several, none, or
  // something of the client, such as an exclusive queue, is bound to this shard.
  virtual std::optional<base::ShardId> home_of(const Caller& caller, std::string_view exchange,
                                               std::string_view routing_key) = 0;

  // Routes and hands to the queues (copies what it keeps). Returns false when the message was mandatory and
  // nothing took it: the session sends basic.return; the confirm comes all the same. Refusals: 404, 403, 406.
  virtual Outcome<bool> publish(const Caller& caller, const PublishRequest& request) = 0;

  // publish() in two steps, for transactions: all checks and the route now, the queues later, whatever has
  // become of rights, exchanges and bindings meanwhile. `message` may come back with other properties, which
  // are valid until the next message.
  virtual Outcome<KeptRoute> route_message(const Caller& caller, MessageView& message) = 0;
  virtual bool publish_routed(const Caller& caller, const PublishRequest& request,
                              const KeptRoute& route) = 0;

  // No delivery before the answer.
  virtual void consume(const Caller& caller, ConsumeRequest request, Answer<> answer) = 0;
  // Direct reply-to: `tag` on the channel consumes replies from now on. Returns the routing key that
  // requesters put in place of amq.rabbitmq.reply-to: "amq.rabbitmq.reply-to.<opaque>", where opaque leads to
  // shard, client and channel and cannot be guessed. Ended by cancel and close_channel like any consumer; at
  // most one per channel (the session sees to that). publish() to the default exchange with such a key, from
  // any shard, becomes on_delivered (queue id 0, never settled) when the requester is still there and nothing
  // when it is not: at most once, confirmed at once. declare_queue, passive, of such a name answers 404 or an
  // empty queue with one consumer.
  virtual std::string open_reply_to(const Caller& caller, std::uint16_t channel, std::string_view tag) = 0;
  // Answered when the queue counts the consumer no more. Until then deliveries on their way may still come;
  // the session drops those.
  virtual void cancel(const Caller& caller, std::uint16_t channel, std::string_view tag, Answer<> answer) = 0;
  // nullopt: empty.
  virtual void get(const Caller& caller, std::uint16_t channel, std::string queue, bool no_ack,
                   std::move_only_function<void(Outcome<std::optional<Delivery>>)> answer) = 0;
  virtual void settle(const Caller& caller, QueueId queue, std::span<const base::Offset> offsets,
                      Settlement settlement) = 0;
  // Shared limit of the channel (basic.qos global), 0 none.
  virtual void set_channel_prefetch(const Caller& caller, std::uint16_t channel, std::uint32_t prefetch) = 0;
  // The session has room again after its outbox was full; deliveries to it go on.
  virtual void set_ready(const Caller& caller, bool ready) = 0;
  // Consumers go, what is unsettled returns; answered when the queues have seen to it.
  virtual void close_channel(const Caller& caller, std::uint16_t channel, Answer<> answer) = 0;
  // The client says goodbye: answered when its exclusive queues are gone, so that it may declare them again
  // over its next connection at once.
  virtual void delete_exclusive_queues(const Caller& caller, Answer<> answer) = 0;
};

}  // namespace sluice::broker
