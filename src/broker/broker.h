// SPDX-License-Identifier: Apache-2.0
// The broker as one shard sees it: what protocols call. One instance per shard, used on that shard only. It
// reads its own copy of the catalog without asking anybody; what belongs to another shard travels as mail and
// comes back as a Done or a Client event.
//
// Errors carry the Errc of base/error.h; each protocol maps them to its own codes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client.h"
#include "broker/consumer.h"
#include "broker/occupancy.h"
#include "broker/types.h"

namespace sluice::broker {

class Administration;
class Messaging;

class Broker {
 public:
  virtual ~Broker() = default;

  // Work queues and exchanges (messaging.h), for clients of this broker.
  virtual Messaging& messaging() = 0;
  // What operators ask (administration.h); null: nothing can be asked here.
  virtual Administration* administration() { return nullptr; }

  // -- sessions

  virtual ClientId add_client(Client& client) = 0;
  // Drops all its publishers and subscriptions; no event reaches the client afterwards.
  virtual void remove_client(ClientId client) = 0;

  // -- access

  virtual base::Result<Identity> authenticate(const Credentials& credentials) = 0;
  // vhost exists, and the user has some permission in it.
  virtual base::Result<> open_vhost(const Identity& identity, std::string_view vhost) = 0;
  // Counts a connection in the vhost for as long as what it answers lives. vhost_access_refused, with
  // RabbitMQ's text: there are as many as the vhost may have.
  virtual base::Result<std::unique_ptr<Occupancy::Place>> enter_vhost(const Identity& identity,
                                                                      std::string_view vhost) {
    return static_cast<void>(identity), static_cast<void>(vhost), nullptr;
  }
  virtual base::Result<> check(const Identity& identity, std::string_view vhost, Permission permission,
                               std::string_view resource) const = 0;

  // -- streams

  // Names and rights are checked here; answers as documented for Create, Delete, CreateSuperStream and
  // DeleteSuperStream.
  virtual void create_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                             StreamArguments arguments, Done<> done) = 0;
  virtual void delete_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                             Done<> done) = 0;
  virtual void create_super_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                                   std::vector<std::string> partitions, std::vector<std::string> binding_keys,
                                   StreamArguments arguments, Done<> done) = 0;
  virtual void delete_super_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                                   Done<> done) = 0;

  // Local answers from this shard's catalog copy.
  virtual bool stream_exists(std::string_view vhost, std::string_view name) const = 0;
  virtual StreamPlace locate(const Identity& identity, std::string_view vhost,
                             std::string_view name) const = 0;
  virtual base::Result<std::vector<std::string>> partitions(const Identity& identity, std::string_view vhost,
                                                            std::string_view super_stream) const = 0;
  virtual base::Result<std::vector<std::string>> route(const Identity& identity, std::string_view vhost,
                                                       std::string_view super_stream,
                                                       std::string_view routing_key) const = 0;

  virtual void stream_stats(const Identity& identity, std::string_view vhost, std::string_view name,
                            Done<StreamStats> done) = 0;
  // Chunk id (or next offset) the spec leads to, taking the filter properties into account.
  virtual void resolve_offset(const Identity& identity, SubscribeRequest request,
                              Done<std::uint64_t> done) = 0;

  // -- publishing

  // True while the free-disk alarm is on: declaring publishers answers precondition_failed, publishing
  // sockets are not read.
  virtual bool disk_alarm() const = 0;
  // False: do not read this client's socket, Client::on_flow(true) will come. True for one without
  // publishers.
  virtual bool may_publish(ClientId client) const { return static_cast<void>(client), !disk_alarm(); }
  // The shard that owns the stream's log: publishing from there costs no mail. Nothing for an unknown stream.
  virtual std::optional<base::ShardId> owner_of(std::string_view vhost, std::string_view stream) const {
    return static_cast<void>(vhost), static_cast<void>(stream), std::nullopt;
  }
  // stream_not_found, stream_unavailable. Rights are checked by the caller with check() (order of errors is
  // the protocol's business).
  virtual base::Result<> add_publisher(ClientId client, Token publisher, std::string_view vhost,
                                       std::string_view stream, std::string_view reference) = 0;
  virtual void remove_publisher(ClientId client, Token publisher) = 0;
  // Takes the entries (copies what it keeps). Every publishing id is later confirmed or refused exactly once.
  virtual void publish(ClientId client, Token publisher, std::span<const PublishEntry> entries) = 0;
  // Highest publishing id stored for the reference, 0 when none.
  virtual void publisher_sequence(std::string_view vhost, std::string_view stream, std::string_view reference,
                                  Done<std::uint64_t> done) = 0;

  // -- consuming

  // The consumer is owned by the broker and valid until remove_consumer, on_stream_lost or remove_client. A
  // single active consumer delivers nothing until consumer_updated() answered its on_consumer_update. Errors:
  // stream_not_found, stream_unavailable, precondition_failed (bad filter expression, with position; SAC
  // without name or with another partition index).
  virtual void add_consumer(ClientId client, Token subscription, SubscribeRequest request,
                            Done<Consumer*> done) = 0;
  virtual void remove_consumer(ClientId client, Token subscription) = 0;
  // The client's answer to on_consumer_update: start there (nullopt: keep the spec of the subscription).
  // Answering an update with active = false completes the stepping down.
  virtual void consumer_updated(ClientId client, Token subscription, std::optional<OffsetSpec> from) = 0;

  // -- offset tracking

  virtual void store_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                            std::uint64_t offset) = 0;
  virtual void query_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                            Done<std::uint64_t> done) = 0;
  virtual void reset_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                            Done<> done) = 0;

  // A queue with x-retain has its settled messages ready again, from an offset or a time on. How many.
  // not_found; precondition_failed: it retains nothing.
  virtual void rewind_queue(std::string_view vhost, std::string_view queue, const OffsetSpec& from,
                            Done<std::uint64_t> done) {
    static_cast<void>(vhost), static_cast<void>(queue), static_cast<void>(from);
    done(base::fail(base::Errc::internal, "no queues are served"));
  }

  // -- listings, over all shards

  virtual void list_connections(Done<std::vector<ConnectionRow>> done) = 0;
  virtual void list_publishers(Done<std::vector<PublisherRow>> done) = 0;
  virtual void list_consumers(Done<std::vector<ConsumerRow>> done) = 0;
  virtual void list_channels(Done<std::vector<ChannelRow>> done) = 0;
  virtual void list_streams(Done<std::vector<StreamRow>> done) = 0;
  virtual void list_groups(Done<std::vector<GroupRow>> done) = 0;
  virtual void list_group_members(std::string_view vhost, std::string_view stream, std::string_view reference,
                                  Done<std::vector<GroupMemberRow>> done) = 0;
  virtual void list_tracking(std::string_view vhost, std::string_view stream,
                             Done<std::vector<TrackingRow>> done) = 0;

  // What the alarms watch for, and whether they are on.
  virtual ResourceLimits limits() const { return {}; }

  // -- driven by the runtime

  virtual void on_turn_end() = 0;                       // flush the turn's chunks
  virtual void on_tick(std::int64_t monotonic_ms) = 0;  // about ten times a second
};

}  // namespace sluice::broker
