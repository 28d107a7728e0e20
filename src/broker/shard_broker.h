// SPDX-License-Identifier: Apache-2.0
// The broker of one shard: answers sessions from this shard's catalog copy, asks other shards by mail, and
// carries the news of logs to clients. Its parts: shard_broker.cc (clients, turns, news), management.cc
// (streams and superstreams), publishing.cc, consuming.cc, questions.cc (offsets, statistics, listings).
//
// Nothing here calls a Client from inside a call that the client's session is making, except the getters for
// listings; what must be said then is kept as News for the end of the turn.
#pragma once

#include <memory>
#include <unordered_map>

#include "base/ports.h"
#include "broker/access.h"
#include "broker/broker.h"
#include "broker/catalog.h"
#include "broker/client_registry.h"
#include "broker/disk_alarm.h"
#include "broker/memory_alarm.h"
#include "broker/metadata_writer.h"
#include "broker/policies.h"
#include "broker/queue_settings.h"
#include "broker/router.h"
#include "broker/shard_administration.h"
#include "broker/shard_messaging.h"
#include "broker/shard_set.h"
#include "broker/stream_owner.h"

namespace sluice::broker {

class ShardBroker final : public Broker, public StreamConsumer::Host {
 public:
  ShardBroker(base::Shard& shard, ShardSet& set);
  ~ShardBroker() override;
  // Reads the catalog, opens the logs this shard owns; on shard 0 also makes the defaults of a first start.
  base::Result<> start();

  // -- Broker
  Messaging& messaging() override { return messaging_; }
  Administration* administration() override { return &administration_; }
  void rewind_queue(std::string_view vhost, std::string_view queue, const OffsetSpec& from,
                    Done<std::uint64_t> done) override;
  ClientId add_client(Client& client) override;
  void remove_client(ClientId client) override;
  base::Result<Identity> authenticate(const Credentials& credentials) override;
  base::Result<> open_vhost(const Identity& identity, std::string_view vhost) override;
  base::Result<std::unique_ptr<Occupancy::Place>> enter_vhost(const Identity& identity,
                                                              std::string_view vhost) override;
  const AccessControl& access() const { return access_; }
  base::Result<> check(const Identity& identity, std::string_view vhost, Permission permission,
                       std::string_view resource) const override;
  void create_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                     StreamArguments arguments, Done<> done) override;
  void delete_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                     Done<> done) override;
  void create_super_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                           std::vector<std::string> partitions, std::vector<std::string> binding_keys,
                           StreamArguments arguments, Done<> done) override;
  void delete_super_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                           Done<> done) override;
  bool stream_exists(std::string_view vhost, std::string_view name) const override;
  StreamPlace locate(const Identity& identity, std::string_view vhost, std::string_view name) const override;
  base::Result<std::vector<std::string>> partitions(const Identity& identity, std::string_view vhost,
                                                    std::string_view super_stream) const override;
  base::Result<std::vector<std::string>> route(const Identity& identity, std::string_view vhost,
                                               std::string_view super_stream,
                                               std::string_view routing_key) const override;
  void stream_stats(const Identity& identity, std::string_view vhost, std::string_view name,
                    Done<StreamStats> done) override;
  void resolve_offset(const Identity& identity, SubscribeRequest request, Done<std::uint64_t> done) override;
  bool disk_alarm() const override { return disk_alarm_; }
  bool may_publish(ClientId client) const override;
  std::optional<base::ShardId> owner_of(std::string_view vhost, std::string_view stream) const override;
  base::Result<> add_publisher(ClientId client, Token publisher, std::string_view vhost,
                               std::string_view stream, std::string_view reference) override;
  void remove_publisher(ClientId client, Token publisher) override;
  void publish(ClientId client, Token publisher, std::span<const PublishEntry> entries) override;
  void publisher_sequence(std::string_view vhost, std::string_view stream, std::string_view reference,
                          Done<std::uint64_t> done) override;
  void add_consumer(ClientId client, Token subscription, SubscribeRequest request,
                    Done<Consumer*> done) override;
  void remove_consumer(ClientId client, Token subscription) override;
  void consumer_updated(ClientId client, Token subscription, std::optional<OffsetSpec> from) override;
  void store_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                    std::uint64_t offset) override;
  void query_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                    Done<std::uint64_t> done) override;
  void reset_offset(std::string_view vhost, std::string_view stream, std::string_view reference,
                    Done<> done) override;
  void list_connections(Done<std::vector<ConnectionRow>> done) override;
  void list_publishers(Done<std::vector<PublisherRow>> done) override;
  void list_consumers(Done<std::vector<ConsumerRow>> done) override;
  void list_channels(Done<std::vector<ChannelRow>> done) override;
  void list_streams(Done<std::vector<StreamRow>> done) override;
  void list_groups(Done<std::vector<GroupRow>> done) override;
  void list_group_members(std::string_view vhost, std::string_view stream, std::string_view reference,
                          Done<std::vector<GroupMemberRow>> done) override;
  void list_tracking(std::string_view vhost, std::string_view stream,
                     Done<std::vector<TrackingRow>> done) override;
  ResourceLimits limits() const override;
  void on_turn_end() override;
  void on_tick(std::int64_t monotonic_ms) override;

  // -- for declarations and administration
  const BrokerOptions& options() const { return options_; }
  base::ShardId shard_id() const { return shard_.id; }
  std::uint32_t shard_count() const { return set_.shard_count(); }
  std::string connection_name(ClientId client) const;
  // Asks the clients whose row is wanted to close; how many.
  std::size_t close_connections(const std::function<bool(const ConnectionRow&)>& wanted,
                                std::string_view reason);
  base::ShardId owner_of(base::LogId log) const { return set_.owner_of(log); }
  // Runs the task with the broker of that shard: at once when it is this one, else by mail.
  void ask_shard(base::ShardId to, std::move_only_function<void(ShardBroker&)> task) {
    on_shard(to, std::move(task));
  }

  // -- for the brokers of other shards, in mailed tasks
  void submit(CommandSource source, Command command) { writer_->submit(source, std::move(command)); }
  void apply_commands(const CommandList& commands);
  void on_applied(const CommandErrors& errors) { writer_->on_applied(errors); }
  void on_command_done(std::uint64_t number, base::Result<> result);
  void on_news(base::ShardId from, News news);
  enum class Alarm : std::uint8_t { memory, disk };
  // An operator moves a limit; on every shard, of which one watches.
  void set_limit(Alarm alarm, const MemoryPart& limit);
  void set_alarm(Alarm alarm, bool on);
  StreamOwner& owner() { return owner_; }
  ShardMessaging& shard_messaging() { return messaging_; }
  StreamOwner& stream_owner() { return owner_; }
  const Catalog& catalog() const { return catalog_; }
  Router& router() { return router_; }
  // Of a work queue: arguments and policies merged.
  QueueSettings settings_of(const QueueRecord& queue) const;
  const Policies& policies() const { return policies_; }
  void send_command(Command command, Done<> done);
  // Counts up with every change of the catalog: what was looked up in it before may be different.
  std::uint64_t generation() const { return generation_; }

 private:
  struct PendingCommand {
    Done<> done;
    std::vector<QueueRecord> removed;  // streams whose clients here hear of it after the answer
  };
  struct Asked;  // a consumer the owner shard was asked about

  // Runs f(broker of that shard): at once when it is this one, else by mail.
  template <class F>
  void on_shard(base::ShardId to, F f);
  // Calls `done` on the shard it came from.
  template <class T>
  void answer(base::ShardId to, Done<T> done, base::Result<T> result);
  // Asks the owner of the stream's log: question(StreamOwner&, LogId) -> Result<T>.
  template <class T, class F>
  void ask_owner(std::string_view vhost, std::string_view stream, Done<T> done, F question);

  base::Result<> make_defaults();
  void make_limits();
  std::uint64_t to_bytes(const MemoryPart& limit) const;
  void make_alarms();
  base::Result<> load_catalog();
  void remove_orphans();
  base::Result<const QueueRecord*> find_queue(std::string_view vhost, std::string_view name) const;

  base::Result<> apply_command(CommandSource source, const Command& command);
  base::Result<> open_queue(const QueueRecord& queue);
  void remove_queue(const QueueRecord& queue);
  // What is in effect on this shard follows the policies.
  void apply_policies(const Changes& changes);
  QueueRecord with_policies(const QueueRecord& stream) const;

  void deliver_news();
  void take_news(const News& news);
  void tell_confirmed(const log::Confirms& confirmed);
  void tell_refused(const News::Refused& refused);
  void tell_grown(const News::Grown& grown);
  void tell_notice(const SacGroup::Notice& notice);
  bool flow_of(const ClientState& state) const;
  void tell_flow();
  void spread_alarm(Alarm alarm, std::optional<bool> on);
  // Drops this shard's publishers and subscriptions of a stream that is gone, and tells their clients.
  void lose_stream(base::LogId log);
  void lose_stream_for(std::uint64_t client, base::LogId log, bool tell_owner);

  base::Result<filters::FilterPlan> plan_for(const SubscribeRequest& request) const;
  void on_attached(Asked asked, base::Result<storage::LogView> view);
  void drop_publisher(ClientState& state, log::Origin origin, bool tell_owner);
  void drop_consumer(ClientState& state, log::Origin origin, bool tell_owner);

  // -- StreamConsumer::Host
  void look_again(log::Origin consumer) override;
  void cannot_read(log::Origin consumer, const base::Error& error) override;
  void look_again_now();

  base::Shard& shard_;
  ShardSet& set_;
  const BrokerOptions& options_;
  BrokerMetrics& metrics_;
  Catalog catalog_;
  Policies policies_;
  Router router_;
  LocalAccess access_;
  StreamOwner owner_;
  ClientRegistry clients_;
  ShardMessaging messaging_;
  ShardAdministration administration_;
  std::unique_ptr<MetadataWriter> writer_;  // shard 0 only
  std::unique_ptr<DiskAlarm> disk_source_;  // shard 0 only
  std::unique_ptr<MemoryAlarm> memory_source_;
  std::unordered_map<base::LogId, std::string> down_;
  std::unordered_map<std::uint64_t, PendingCommand> commands_;
  std::vector<log::Origin> look_again_;
  struct InFlight {
    std::uint64_t bytes = 0;  // mailed publishes that have not reached their log
    bool full = false;
  };
  std::vector<InFlight> in_flight_;  // by owner shard
  News own_news_;                    // kept for its buffers
  std::uint64_t next_client_ = 1, next_command_ = 1;
  std::uint64_t generation_ = 1;
  bool disk_alarm_ = false, memory_alarm_ = false;
  std::uint64_t memory_limit_bytes_ = 0, disk_limit_bytes_ = 0;
  bool flow_changed_ = false;
};

// Bytes of mailed publishes towards one shard above which clients that publish there are not read.
inline constexpr std::uint64_t in_flight_bytes_max = 32 << 20;

template <class F>
void ShardBroker::on_shard(base::ShardId to, F f) {
  if (to == shard_.id) return f(*this);
  shard_.mail.send(to, [&set = set_, to, f = std::move(f)]() mutable { f(set.broker(to)); });
}

template <class T>
void ShardBroker::answer(base::ShardId to, Done<T> done, base::Result<T> result) {
  on_shard(to, [done = std::move(done), result = std::move(result)](ShardBroker&) mutable {
    done(std::move(result));
  });
}

template <class T, class F>
void ShardBroker::ask_owner(std::string_view vhost, std::string_view stream, Done<T> done, F question) {
  auto queue = find_queue(vhost, stream);
  if (!queue) return done(std::unexpected(std::move(queue).error()));
  const auto log = (*queue)->log();
  on_shard(set_.owner_of(log), [home = shard_.id, log, done = std::move(done),
                                question = std::move(question)](ShardBroker& there) mutable {
    auto result = question(there.owner_, log);
    there.answer<T>(home, std::move(done), std::move(result));
  });
}

}  // namespace sluice::broker
