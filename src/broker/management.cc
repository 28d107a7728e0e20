// SPDX-License-Identifier: Apache-2.0
// Streams and superstreams: checks in the documented order, then a command for shard 0; and what each shard
// does when a command is applied.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "broker/arguments.h"
#include "broker/queue_arguments.h"
#include "broker/shard_broker.h"

namespace sluice::broker {

base::Result<const QueueRecord*> ShardBroker::find_queue(std::string_view vhost,
                                                         std::string_view name) const {
  const auto* queue = catalog_.queue(vhost, name);
  if (queue && (queue->is_stream() || queue->retains())) return queue;
  return base::fail(base::Errc::stream_not_found,
                    fmt::format("no stream \"{:.64}\" in vhost \"{:.64}\"", name, vhost));
}

void ShardBroker::send_command(Command command, Done<> done) {
  const auto number = next_command_++;
  commands_.emplace(number, PendingCommand{std::move(done), {}});
  on_shard(base::ShardId{0}, [source = CommandSource{shard_.id, number}, command = std::move(command)](
                                 ShardBroker& first) mutable { first.submit(source, std::move(command)); });
}

void ShardBroker::create_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                                StreamArguments arguments, Done<> done) {
  auto made = [&]() -> base::Result<CreateStream> {
    TRY(plain, normalise_name(name));
    TRY_VOID(access_.check(identity, vhost, Permission::configure, plain));
    TRY(kept, normalise_arguments(arguments));
    return CreateStream{std::string(vhost), std::move(plain),       std::move(kept),
                        identity.user,      shard_.clock.wall_ms(), options_.queue_limit};
  }();
  if (!made) return done(std::unexpected(std::move(made).error()));
  send_command(std::move(*made), std::move(done));
}

void ShardBroker::delete_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                                Done<> done) {
  if (auto allowed = access_.check(identity, vhost, Permission::configure, name); !allowed) {
    return done(std::move(allowed));
  }
  send_command(DeleteStream{std::string(vhost), std::string(name)}, std::move(done));
}

void ShardBroker::create_super_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                                      std::vector<std::string> partitions,
                                      std::vector<std::string> binding_keys, StreamArguments arguments,
                                      Done<> done) {
  auto made = [&]() -> base::Result<CreateSuperStream> {
    TRY(plain, normalise_name(name));
    TRY_VOID(access_.check(identity, vhost, Permission::configure, plain));
    TRY_VOID(access_.check(identity, vhost, Permission::read, plain));
    for (const auto& partition : partitions) {
      TRY_VOID(access_.check(identity, vhost, Permission::configure, partition));
      TRY_VOID(access_.check(identity, vhost, Permission::write, partition));
    }
    if (partitions.size() > options_.super_stream_partitions_max) {
      return base::fail(base::Errc::precondition_failed,
                        fmt::format("{} partitions; stream.max_super_stream_partitions is {}",
                                    partitions.size(), options_.super_stream_partitions_max));
    }
    for (auto& partition : partitions) {
      TRY(plain_partition, normalise_name(partition));
      partition = std::move(plain_partition);
    }
    TRY(kept, normalise_arguments(arguments));
    return CreateSuperStream{std::string(vhost),      std::move(plain),    std::move(partitions),
                             std::move(binding_keys), std::move(kept),     identity.user,
                             shard_.clock.wall_ms(),  options_.queue_limit};
  }();
  if (!made) return done(std::unexpected(std::move(made).error()));
  send_command(std::move(*made), std::move(done));
}

void ShardBroker::delete_super_stream(const Identity& identity, std::string_view vhost, std::string_view name,
                                      Done<> done) {
  auto allowed = [&]() -> base::Result<> {
    TRY_VOID(access_.check(identity, vhost, Permission::configure, name));
    TRY(streams, catalog_.partitions(vhost, name));
    for (const auto& stream : streams) {
      TRY_VOID(access_.check(identity, vhost, Permission::configure, stream));
    }
    return {};
  }();
  if (!allowed) return done(std::move(allowed));
  send_command(DeleteSuperStream{std::string(vhost), std::string(name)}, std::move(done));
}

// -- commands come back

void ShardBroker::apply_commands(const CommandList& commands) {
  CommandErrors errors;
  for (std::size_t i = 0; i < commands->size(); ++i) {
    const auto& each = (*commands)[i];
    if (auto applied = apply_command(each.source, each.command); !applied) {
      errors.emplace_back(i, std::move(applied).error());
    }
  }
  on_shard(base::ShardId{0}, [errors = std::move(errors)](ShardBroker& first) { first.on_applied(errors); });
}

base::Result<> ShardBroker::apply_command(CommandSource source, const Command& command) {
  auto changes = catalog_.apply(command);
  INVARIANT(changes.has_value(), "a command that shard 0 decided is refused here: {}", changes.error().text);
  metrics_.commands_applied.add();
  ++generation_;
  router_.apply(catalog_, *changes);
  apply_policies(*changes);
  base::Result<> result;
  std::vector<QueueRecord> removed;
  for (const auto& change : *changes) {
    const auto* binding = std::get_if<BindingRecord>(&change.record);
    if (binding && !change.removed) messaging_.on_bound(*binding);
    const auto* queue = std::get_if<QueueRecord>(&change.record);
    if (!queue) continue;
    if (change.removed) {
      remove_queue(*queue);
      removed.push_back(*queue);
    } else if (auto opened = open_queue(*queue); !opened && result) {
      result = std::move(opened);
    }
  }
  // On the shard that asked, the answer goes before the news.
  const auto pending = commands_.find(source.number);
  if (source.shard == shard_.id && pending != commands_.end()) {
    pending->second.removed = std::move(removed);
  } else {
    for (const auto& queue : removed) lose_stream(queue.log());
  }
  return result;
}

base::Result<> ShardBroker::open_queue(const QueueRecord& queue) {
  if (set_.owner_of(queue.log()) != shard_.id) return {};
  if (queue.is_stream()) return owner_.open(with_policies(queue));
  if (const auto retained = retained_log_of(queue)) TRY_VOID(owner_.open(*retained));
  return messaging_.open_queue(queue, settings_of(queue));
}

void ShardBroker::remove_queue(const QueueRecord& queue) {
  const bool ours = set_.owner_of(queue.log()) == shard_.id;
  if (!queue.is_stream()) {
    if (ours) messaging_.close_queue(base::QueueId{queue.log_id});
    if (ours && queue.retains()) owner_.remove(queue.log());
    return messaging_.on_queue_removed(base::QueueId{queue.log_id});
  }
  if (ours) owner_.remove(queue.log());
  down_.erase(queue.log());
}

QueueSettings ShardBroker::settings_of(const QueueRecord& queue) const {
  return to_settings(queue_type_of(queue.type), !is_transient(queue), policies_.effective_arguments(queue),
                     options().consumer_timeout.value);
}

// The stream as its log is opened: with the arguments in effect.
QueueRecord ShardBroker::with_policies(const QueueRecord& stream) const {
  auto record = stream;
  auto kept = normalise_arguments(to_stream_arguments(policies_.effective_arguments(stream)));
  if (kept) record.arguments = std::move(*kept);
  return record;
}

void ShardBroker::apply_policies(const Changes& changes) {
  const auto alternate = [this](const ExchangeRecord& exchange) { return policies_.alternate_of(exchange); };
  const bool changed = std::ranges::any_of(
      changes, [](const auto& each) { return std::holds_alternative<PolicyRecord>(each.record); });
  if (!changed) {
    for (const auto& change : changes) {
      const auto* exchange = std::get_if<ExchangeRecord>(&change.record);
      if (exchange && !change.removed) router_.set_alternate(*exchange, alternate(*exchange));
    }
    return;
  }
  policies_.load(catalog_);
  catalog_.for_each<ExchangeRecord>(
      [&](const auto& exchange) { router_.set_alternate(exchange, alternate(exchange)); });
  catalog_.for_each_queue([&](const QueueRecord& queue) {
    if (set_.owner_of(queue.log()) != shard_.id) return;
    if (queue.is_stream()) {
      owner_.set_arguments(queue.log(), with_policies(queue).arguments);
    } else {
      messaging_.change_queue(queue, settings_of(queue));
    }
  });
}

void ShardBroker::on_command_done(std::uint64_t number, base::Result<> result) {
  const auto found = commands_.find(number);
  INVARIANT(found != commands_.end(), "command {} was answered before", number);
  auto pending = std::move(found->second);
  commands_.erase(found);
  pending.done(std::move(result));
  if (pending.removed.empty()) return;
  // In a turn of its own: the caller may still be inside the call that asked.
  shard_.mail.send(shard_.id, [this, removed = std::move(pending.removed)] {
    for (const auto& queue : removed) lose_stream(queue.log());
  });
}

// -- local answers

bool ShardBroker::stream_exists(std::string_view vhost, std::string_view name) const {
  return find_queue(vhost, name).has_value();
}

StreamPlace ShardBroker::locate(const Identity& identity, std::string_view vhost,
                                std::string_view name) const {
  StreamPlace place{std::string(name), std::nullopt};
  const auto queue = find_queue(vhost, name);
  if (!access_.check(identity, vhost, Permission::read, name) &&
      !access_.check(identity, vhost, Permission::write, name)) {
    place.error = base::Errc::access_refused;
  } else if (!queue) {
    place.error = base::Errc::stream_not_found;
  } else if (down_.contains((*queue)->log())) {
    place.error = base::Errc::stream_unavailable;
  }
  return place;
}

base::Result<std::vector<std::string>> ShardBroker::partitions(const Identity& identity,
                                                               std::string_view vhost,
                                                               std::string_view super_stream) const {
  const auto may_use = [&](std::string_view resource) -> base::Result<> {
    if (access_.check(identity, vhost, Permission::read, resource)) return {};
    return access_.check(identity, vhost, Permission::write, resource);
  };
  TRY_VOID(may_use(super_stream));
  TRY(streams, catalog_.partitions(vhost, super_stream));
  for (const auto& stream : streams) TRY_VOID(may_use(stream));
  return std::move(streams);
}

base::Result<std::vector<std::string>> ShardBroker::route(const Identity& identity, std::string_view vhost,
                                                          std::string_view super_stream,
                                                          std::string_view routing_key) const {
  TRY_VOID(access_.check(identity, vhost, Permission::write, super_stream));
  return catalog_.route(vhost, super_stream, routing_key);
}

}  // namespace sluice::broker
