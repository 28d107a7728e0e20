// SPDX-License-Identifier: Apache-2.0
// Start, clients, rights, and the news of logs on their way to clients.
#include "broker/shard_broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace sluice::broker {

ShardBroker::ShardBroker(base::Shard& shard, ShardSet& set)
    : shard_(shard),
      set_(set),
      options_(set.options()),
      metrics_(set.metrics(shard.id)),
      router_(shard.random, shard.shard_count),
      access_(catalog_, options_),
      owner_(shard, set),
      messaging_(shard, set, *this),
      administration_(shard, *this),
      in_flight_(set.shard_count()) {}

ShardBroker::~ShardBroker() = default;

// -- start

base::Result<> ShardBroker::start() {
  TRY_VOID(load_catalog());
  make_limits();
  if (shard_.id == base::ShardId{0}) {
    TRY_VOID(shard_.disk.create_directories(options_.data_dir + "/streams"));
    TRY_VOID(make_defaults());
    writer_ = std::make_unique<MetadataWriter>(shard_, set_, catalog_);
    make_alarms();
    remove_orphans();
  }
  policies_.load(catalog_);
  router_.load(catalog_);
  catalog_.for_each<ExchangeRecord>(
      [&](const auto& exchange) { router_.set_alternate(exchange, policies_.alternate_of(exchange)); });
  // A log that does not open is a stream that is down, not a broker that does not start.
  catalog_.for_each_queue([&](const QueueRecord& queue) {
    if (set_.owner_of(queue.log()) != shard_.id) return;
    if (queue.is_stream()) static_cast<void>(owner_.open(with_policies(queue)));
    if (const auto retained = retained_log_of(queue)) static_cast<void>(owner_.open(*retained));
  });
  return messaging_.start();
}

base::Result<> ShardBroker::load_catalog() {
  base::Result<> result;
  auto scanned = set_.store().scan(storage::MetadataStore::Table::catalog, {}, [&](auto key, auto value) {
    auto record = parse_catalog_record(key, value);
    if (record) {
      catalog_.load(std::move(*record));
    } else if (result) {
      result = std::unexpected(std::move(record).error());
    }
  });
  return scanned ? result : scanned;
}

// What a first start needs; and exchanges that vhosts of earlier versions lack.
base::Result<> ShardBroker::make_defaults() {
  std::vector<Command> commands;
  catalog_.for_each<VhostRecord>([&](const VhostRecord& vhost) {
    if (!catalog_.exchange(vhost.name, "amq.direct")) commands.emplace_back(PutVhost{vhost});
  });
  if (catalog_.empty()) {
    const auto salt = static_cast<std::uint32_t>(shard_.random.next());
    const auto& vhost = options_.default_vhost;
    const auto& user = options_.default_user;
    commands.emplace_back(PutVhost{{.name = vhost, .created_at_ms = shard_.clock.wall_ms()}});
    commands.emplace_back(
        PutUser{{user, hash_password(options_.default_pass, salt), options_.default_user_tags.names}});
    commands.emplace_back(PutPermission{
        {vhost, user, options_.default_configure, options_.default_write, options_.default_read}});
  }
  std::vector<storage::MetadataStore::Change> batch;
  for (const auto& command : commands) {
    TRY(changes, catalog_.apply(command));
    for (auto& change : to_store_changes(changes)) batch.push_back(std::move(change));
  }
  return batch.empty() ? base::Result<>() : set_.store().write(batch, true);
}

// Directories of deleted streams that a kill left behind.
void ShardBroker::remove_orphans() {
  std::map<std::string, bool> known;
  catalog_.for_each_queue([&](const QueueRecord& queue) { known[std::to_string(queue.log_id)] = true; });
  const auto parent = options_.data_dir + "/streams";
  auto names = shard_.disk.list(parent);
  if (!names) return;
  for (const auto& name : *names) {
    const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
    if (known.contains(name) || !is_number) continue;
    shard_.logger.write(base::LogLevel::info, "storage", "removing files of a deleted stream",
                        {{"directory", parent + "/" + name}});
    shard_.background.run(
        [&disk = shard_.disk, path = parent + "/" + name] {
          static_cast<void>(disk.remove_all(path));  // tried again at the next start
        },
        [] {});
  }
}

// -- clients and rights

ClientId ShardBroker::add_client(Client& client) {
  const ClientId id{make_client_id(shard_.id, next_client_++)};
  clients_.add(id, client);
  return id;
}

void ShardBroker::remove_client(ClientId client) {
  auto* state = clients_.find(client.value);
  if (!state) return;
  messaging_.remove_client(client);
  while (!state->publishers.empty()) {
    drop_publisher(*state, {client.value, state->publishers.begin()->first}, true);
  }
  while (!state->consumers.empty()) {
    drop_consumer(*state, {client.value, state->consumers.begin()->first}, true);
  }
  clients_.remove(client);
}

std::string ShardBroker::connection_name(ClientId client) const {
  const auto found = clients_.all().find(client.value);
  return found == clients_.all().end() ? std::string() : found->second.client->describe().conn_name;
}

std::size_t ShardBroker::close_connections(const std::function<bool(const ConnectionRow&)>& wanted,
                                           std::string_view reason) {
  std::vector<std::uint64_t> found;  // first all, then the calls: they change the list
  for (const auto& [id, state] : clients_.all()) {
    if (wanted(state.client->describe())) found.push_back(id);
  }
  for (const auto id : found) {
    if (auto* state = clients_.find(id)) state->client->on_close_requested(reason);
  }
  return found.size();
}

base::Result<Identity> ShardBroker::authenticate(const Credentials& credentials) {
  auto identity = access_.authenticate(credentials);
  metrics_.auth_attempts.add();
  (identity ? metrics_.auth_succeeded : metrics_.auth_failed).add();
  return identity;
}

base::Result<> ShardBroker::open_vhost(const Identity& identity, std::string_view vhost) {
  return access_.open_vhost(identity, vhost);
}

base::Result<std::unique_ptr<Occupancy::Place>> ShardBroker::enter_vhost(const Identity& identity,
                                                                         std::string_view vhost) {
  const auto* record = catalog_.vhost(vhost);
  const auto limit = record ? record->connections_max : -1;
  auto place = set_.occupancy().enter(vhost, limit);
  if (place) return place;
  return base::fail(
      base::Errc::vhost_access_refused,
      fmt::format("access to vhost '{}' refused for user '{}': connection limit ({}) is reached", vhost,
                  identity.user, limit));
}

base::Result<> ShardBroker::check(const Identity& identity, std::string_view vhost, Permission permission,
                                  std::string_view resource) const {
  return access_.check(identity, vhost, permission, resource);
}

// -- turns

void ShardBroker::on_turn_end() {
  messaging_.before_turn_end();
  owner_.on_turn_end();
  deliver_news();
  messaging_.on_turn_end();
}

void ShardBroker::on_tick(std::int64_t monotonic_ms) {
  owner_.on_tick(monotonic_ms);
  messaging_.on_tick(monotonic_ms);
  if (disk_source_) spread_alarm(Alarm::disk, disk_source_->on_tick(monotonic_ms));
  if (memory_source_) spread_alarm(Alarm::memory, memory_source_->on_tick(monotonic_ms));
}

void ShardBroker::make_alarms() {
  disk_source_ = std::make_unique<DiskAlarm>(shard_, options_.data_dir, disk_limit_bytes_, metrics_);
  memory_source_ = std::make_unique<MemoryAlarm>(shard_, set_.memory_use, metrics_);
  memory_source_->set_limit(memory_limit_bytes_);
}

// As configured; every shard knows them, so that any can tell.
void ShardBroker::make_limits() {
  std::optional<std::uint64_t> absolute;
  if (options_.memory_watermark_absolute.value > 0) absolute = options_.memory_watermark_absolute.value;
  memory_limit_bytes_ = to_bytes({absolute, options_.memory_watermark.value});
  disk_limit_bytes_ =
      std::max(options_.disk_free_limit.value, to_bytes({{}, options_.disk_free_relative.value}));
}

std::uint64_t ShardBroker::to_bytes(const MemoryPart& limit) const {
  if (limit.bytes) return *limit.bytes;
  auto total = options_.memory_total_override.value;
  if (total == 0 && set_.memory_use) total = set_.memory_use().total_bytes;
  return static_cast<std::uint64_t>(static_cast<double>(total) * limit.part);
}

void ShardBroker::set_limit(Alarm alarm, const MemoryPart& limit) {
  const auto bytes = to_bytes(limit);
  (alarm == Alarm::disk ? disk_limit_bytes_ : memory_limit_bytes_) = bytes;
  if (alarm == Alarm::disk && disk_source_) disk_source_->set_limit(bytes);
  if (alarm == Alarm::memory && memory_source_) memory_source_->set_limit(bytes);
}

ResourceLimits ShardBroker::limits() const {
  return {memory_limit_bytes_, disk_limit_bytes_, memory_alarm_, disk_alarm_};
}

void ShardBroker::spread_alarm(Alarm alarm, std::optional<bool> on) {
  if (!on) return;
  for (std::uint32_t i = 0; i < set_.shard_count(); ++i) {
    on_shard(base::ShardId{i}, [alarm, on = *on](ShardBroker& there) { there.set_alarm(alarm, on); });
  }
}

void ShardBroker::set_alarm(Alarm alarm, bool on) {
  (alarm == Alarm::disk ? disk_alarm_ : memory_alarm_) = on;
  flow_changed_ = true;
  messaging_.set_alarms(memory_alarm_, disk_alarm_);
}

void ShardBroker::deliver_news() {
  auto& all = owner_.news();
  const auto self = shard_.id.value;
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (i == self || all[i].empty()) continue;
    on_shard(base::ShardId{i}, [from = shard_.id, news = std::exchange(all[i], {})](
                                   ShardBroker& there) mutable { there.on_news(from, std::move(news)); });
  }
  if (!all[self].empty()) {
    std::swap(own_news_, all[self]);
    take_news(own_news_);
    own_news_.clear();
  }
  if (flow_changed_) tell_flow();
  // What clients did in answer makes news of its own; the loop may have nothing else to wake for.
  const bool more = flow_changed_ || std::ranges::any_of(all, [](const News& each) { return !each.empty(); });
  if (more) shard_.mail.send(shard_.id, [] {});
}

void ShardBroker::on_news(base::ShardId from, News news) {
  auto& in_flight = in_flight_[from.value];
  INVARIANT(in_flight.bytes >= news.taken_bytes, "shard {} took more than it was sent", from.value);
  in_flight.bytes -= news.taken_bytes;
  if (in_flight.full && in_flight.bytes < in_flight_bytes_max / 2) {
    in_flight.full = false;
    flow_changed_ = true;
  }
  take_news(news);
}

// In this order: a client hears what became of its messages before it loses the stream.
void ShardBroker::take_news(const News& news) {
  tell_confirmed(news.confirmed);
  for (const auto& refused : news.refused) tell_refused(refused);
  for (const auto& grown : news.grown) tell_grown(grown);
  for (const auto& each : news.full) {
    auto* stream = clients_.stream(each.log);
    if (!stream || stream->full == each.full) continue;
    stream->full = each.full;
    flow_changed_ = true;
  }
  for (const auto& notice : news.notices) tell_notice(notice);
  for (const auto& offline : news.offline) {
    down_[offline.log] = offline.reason;
    lose_stream(offline.log);
  }
}

void ShardBroker::tell_confirmed(const log::Confirms& confirmed) {
  confirmed.for_each([&](log::Origin origin, std::span<const std::uint64_t> ids) {
    auto* state = clients_.find(origin.client);
    if (state && state->publishers.contains(origin.token)) state->client->on_confirmed(origin.token, ids);
  });
}

void ShardBroker::tell_refused(const News::Refused& refused) {
  auto* state = clients_.find(refused.origin.client);
  if (!state || !state->publishers.contains(refused.origin.token)) return;
  state->client->on_refused(refused.origin.token, refused.publishing_ids, refused.why);
}

void ShardBroker::tell_grown(const News::Grown& grown) {
  auto* stream = clients_.stream(grown.log);
  if (!stream) return;
  stream->view = grown.view;
  ++stream->view_version;
  metrics_.view_updates.add();
  std::vector<log::Origin> readable;  // first all, then the calls: they may change the list
  for (auto* consumer : stream->consumers) {
    if (consumer->take_waiting()) readable.push_back(consumer->origin());
  }
  for (const auto origin : readable) {
    auto* state = clients_.find(origin.client);
    if (state && state->consumers.contains(origin.token)) state->client->on_readable(origin.token);
  }
}

void ShardBroker::tell_notice(const SacGroup::Notice& notice) {
  auto* state = clients_.find(notice.client);
  if (!state) return;
  const auto found = state->consumers.find(notice.token);
  if (found == state->consumers.end() || !found->second) return;
  found->second->note_update(notice.active);
  metrics_.consumer_updates.add();
  state->client->on_consumer_update(notice.token, notice.active);
}

// -- flow

bool ShardBroker::flow_of(const ClientState& state) const {
  if (state.publishers.empty()) return true;
  if (disk_alarm_ || memory_alarm_) return false;
  return std::ranges::none_of(state.publishers, [&](const auto& each) {
    return each.second->full || in_flight_[each.second->owner.value].full;
  });
}

bool ShardBroker::may_publish(ClientId client) const {
  const auto found = clients_.all().find(client.value);
  return found == clients_.all().end() || flow_of(found->second);
}

void ShardBroker::tell_flow() {
  flow_changed_ = false;
  std::vector<std::uint64_t> changed;
  for (const auto& [id, state] : clients_.all()) {
    if (flow_of(state) != state.may_publish) changed.push_back(id);
  }
  for (const auto id : changed) {
    auto* state = clients_.find(id);
    if (!state) continue;
    state->may_publish = flow_of(*state);
    if (!state->may_publish) metrics_.publishers_stopped.add();
    state->client->on_flow(state->may_publish);
  }
}

// -- streams that are gone

void ShardBroker::lose_stream(base::LogId log) {
  const auto* stream = clients_.stream(log);
  if (!stream) return;
  std::vector<std::uint64_t> users;
  for (const auto origin : stream->publishers) users.push_back(origin.client);
  for (const auto* consumer : stream->consumers) users.push_back(consumer->origin().client);
  std::ranges::sort(users);
  users.erase(std::ranges::unique(users).begin(), users.end());
  for (const auto user : users) lose_stream_for(user, log, false);
}

void ShardBroker::lose_stream_for(std::uint64_t client, base::LogId log, bool tell_owner) {
  auto* state = clients_.find(client);
  const auto* stream = clients_.stream(log);
  if (!state || !stream) return;
  const auto vhost = stream->vhost, name = stream->name;
  // The client goes by the name: what it has on a new stream of that name is dropped, too.
  const auto is_lost = [&](const LocalStream& each) { return each.name == name && each.vhost == vhost; };
  std::vector<std::pair<Token, bool>> publishers, consumers;  // token, whether its owner must hear
  for (const auto& [token, used] : state->publishers) {
    if (is_lost(*used)) publishers.emplace_back(token, tell_owner || used != stream);
  }
  for (const auto& [token, consumer] : state->consumers) {
    if (!consumer || !is_lost(consumer->stream())) continue;
    consumers.emplace_back(token, tell_owner || &consumer->stream() != stream);
  }
  for (const auto& [token, tell] : publishers) drop_publisher(*state, {client, token}, tell);
  for (const auto& [token, tell] : consumers) drop_consumer(*state, {client, token}, tell);
  state->client->on_stream_lost(vhost, name);
}

}  // namespace sluice::broker
