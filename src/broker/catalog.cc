// SPDX-License-Identifier: Apache-2.0
#include "broker/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace sluice::broker {
namespace {

std::string key_of(char table, std::initializer_list<std::string_view> names) {
  std::string key(1, table);
  for (const auto name : names) key.append(name).push_back('\0');
  return key;
}

base::Error not_found(base::Errc code, std::string_view vhost, std::string_view name) {
  return {code, fmt::format("\"{}\" in vhost \"{}\": {}", name, vhost, to_string(code))};
}

// The number after the last '-', as RabbitMQ reads partition names.
std::int32_t trailing_number(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos) return -1;
  std::int32_t number = -1;
  const auto [end, error] = std::from_chars(name.data() + dash + 1, name.data() + name.size(), number);
  return error == std::errc{} && end == name.data() + name.size() && number >= 0 ? number : -1;
}

}  // namespace

base::Result<Changes> Catalog::decide(const Command& command) const {
  return std::visit([&](const auto& each) { return decide_one(each); }, command);
}

base::Result<Changes> Catalog::apply(const Command& command) {
  auto changes = decide(command);
  if (!changes) return changes;
  for (const auto& each : *changes) {
    std::visit([&](const auto& record) { change(record, each.removed); }, each.record);
  }
  return changes;
}

void Catalog::load(Record record) {
  std::visit([&](auto& each) { change(std::move(each), false); }, record);
}

template <class R>
void Catalog::change(R record, bool removed) {
  auto& records = std::get<Table<R>>(tables_);
  auto key = record_key(record);
  if (removed) {
    records.erase(key);
  } else {
    records.insert_or_assign(std::move(key), std::move(record));
  }
}

template <class R>
const R* Catalog::find(std::string_view first, std::string_view second) const {
  constexpr std::size_t names = std::tuple_size_v<decltype(R{}.key())>;
  auto key = key_of(R::table, {});
  if (names > 0) key.append(first).push_back('\0');
  if (names > 1) key.append(second).push_back('\0');
  const auto found = table<R>().find(key);
  return found == table<R>().end() ? nullptr : &found->second;
}

const VhostRecord* Catalog::vhost(std::string_view name) const {
  return find<VhostRecord>(name);
}
const UserRecord* Catalog::user(std::string_view name) const {
  return find<UserRecord>(name);
}
const PermissionRecord* Catalog::permission(std::string_view vhost, std::string_view user) const {
  return find<PermissionRecord>(vhost, user);
}
const QueueRecord* Catalog::queue(std::string_view vhost, std::string_view name) const {
  return find<QueueRecord>(vhost, name);
}
const ExchangeRecord* Catalog::exchange(std::string_view vhost, std::string_view name) const {
  return find<ExchangeRecord>(vhost, name);
}

void Catalog::for_each_queue(const std::function<void(const QueueRecord&)>& visit) const {
  for (const auto& [key, queue] : table<QueueRecord>()) visit(queue);
}

// -- decisions

base::Result<Changes> Catalog::decide_one(const PutVhost& command) const {
  return Changes{{command.record}};
}
base::Result<Changes> Catalog::decide_one(const PutUser& command) const {
  return Changes{{command.record}};
}
base::Result<Changes> Catalog::decide_one(const PutPermission& command) const {
  return Changes{{command.record}};
}

base::Result<> Catalog::check_room(std::uint64_t queue_limit, std::size_t wanted) const {
  if (queue_limit == 0 || queue_count() + wanted <= queue_limit) return {};
  return base::fail(
      base::Errc::precondition_failed,
      fmt::format("there are {} streams; cluster_queue_limit is {}", queue_count(), queue_limit));
}

base::Result<Changes> Catalog::decide_one(const CreateStream& command) const {
  if (!vhost(command.vhost))
    return std::unexpected(not_found(base::Errc::vhost_access_refused, command.vhost, {}));
  if (const auto* found = queue(command.vhost, command.name)) {
    if (found->arguments == command.arguments) {
      return std::unexpected(not_found(base::Errc::stream_exists, command.vhost, command.name));
    }
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("\"{}\" exists with other arguments", command.name));
  }
  TRY_VOID(check_room(command.queue_limit, 1));
  const auto* state = find<StateRecord>({});
  StateRecord next = state ? *state : StateRecord{};
  QueueRecord made{.vhost = command.vhost,
                   .name = command.name,
                   .log_id = next.next_log_id++,
                   .arguments = command.arguments,
                   .owner = command.user,
                   .created_at_ms = command.now_ms};
  return Changes{{next}, {std::move(made)}};
}

base::Result<Changes> Catalog::decide_one(const CreateSuperStream& command) const {
  const auto precondition = [](std::string text) {
    return base::fail(base::Errc::precondition_failed, std::move(text));
  };
  if (!vhost(command.vhost))
    return std::unexpected(not_found(base::Errc::vhost_access_refused, command.vhost, {}));
  if (command.partitions.empty() || command.partitions.size() != command.binding_keys.size()) {
    return precondition(fmt::format("super stream \"{}\": {} partitions and {} binding keys", command.name,
                                    command.partitions.size(), command.binding_keys.size()));
  }
  std::set<std::string_view> names;
  for (const auto& partition : command.partitions) {
    if (!names.insert(partition).second)
      return precondition(fmt::format("partition \"{}\" is given twice", partition));
  }
  TRY_VOID(check_room(command.queue_limit, command.partitions.size()));
  if (exchange(command.vhost, command.name)) {
    return std::unexpected(not_found(base::Errc::stream_exists, command.vhost, command.name));
  }
  for (const auto& partition : command.partitions) {
    if (queue(command.vhost, partition)) {
      return std::unexpected(not_found(base::Errc::stream_exists, command.vhost, partition));
    }
  }

  const auto* state = find<StateRecord>({});
  StateRecord next = state ? *state : StateRecord{};
  Changes changes;
  changes.push_back({ExchangeRecord{
      .vhost = command.vhost, .name = command.name, .super_stream = true, .created_at_ms = command.now_ms}});
  for (std::size_t i = 0; i < command.partitions.size(); ++i) {
    changes.push_back({QueueRecord{.vhost = command.vhost,
                                   .name = command.partitions[i],
                                   .log_id = next.next_log_id++,
                                   .arguments = command.arguments,
                                   .owner = command.user,
                                   .created_at_ms = command.now_ms}});
    changes.push_back({BindingRecord{.vhost = command.vhost,
                                     .source = command.name,
                                     .destination = command.partitions[i],
                                     .routing_key = command.binding_keys[i],
                                     .partition_order = static_cast<std::int64_t>(i)}});
  }
  changes.push_back({next});
  return changes;
}

void Catalog::remove_stream(const QueueRecord& queue, Changes& changes) const {
  changes.push_back({queue, true});
  const auto& bindings = table<BindingRecord>();
  const auto prefix = key_of(BindingRecord::table, {queue.vhost});
  for (auto at = bindings.lower_bound(prefix); at != bindings.end() && at->first.starts_with(prefix); ++at) {
    if (at->second.destination == queue.name) changes.push_back({at->second, true});
  }
}

base::Result<Changes> Catalog::decide_one(const DeleteStream& command) const {
  const auto* found = queue(command.vhost, command.name);
  if (!found) return std::unexpected(not_found(base::Errc::stream_not_found, command.vhost, command.name));
  Changes changes;
  remove_stream(*found, changes);
  return changes;
}

base::Result<Changes> Catalog::decide_one(const DeleteSuperStream& command) const {
  const auto* found = exchange(command.vhost, command.name);
  if (!found)
    return std::unexpected(not_found(base::Errc::superstream_not_found, command.vhost, command.name));
  Changes changes;
  for (const auto* binding : bindings_of(command.vhost, command.name)) {
    changes.push_back({*binding, true});
  }
  TRY(streams, partitions(command.vhost, command.name));
  for (const auto& stream : streams) remove_stream(*queue(command.vhost, stream), changes);
  changes.push_back({*found, true});
  return changes;
}

// -- superstreams

std::vector<const BindingRecord*> Catalog::bindings_of(std::string_view vhost,
                                                       std::string_view source) const {
  const auto& bindings = table<BindingRecord>();
  const auto prefix = key_of(BindingRecord::table, {vhost, source});
  std::vector<const BindingRecord*> found;
  for (auto at = bindings.lower_bound(prefix); at != bindings.end() && at->first.starts_with(prefix); ++at) {
    found.push_back(&at->second);
  }
  std::ranges::sort(found, {}, [](const BindingRecord* each) {
    return std::tie(each->partition_order, each->destination, each->routing_key);
  });
  return found;
}

base::Result<std::vector<std::string>> Catalog::partitions(std::string_view vhost,
                                                           std::string_view exchange_name) const {
  if (!exchange(vhost, exchange_name)) {
    return std::unexpected(not_found(base::Errc::superstream_not_found, vhost, exchange_name));
  }
  std::vector<std::string> names;
  for (const auto* binding : bindings_of(vhost, exchange_name)) {
    const bool seen = std::ranges::find(names, binding->destination) != names.end();
    if (!seen && queue(vhost, binding->destination)) names.push_back(binding->destination);
  }
  return names;
}

base::Result<std::vector<std::string>> Catalog::route(std::string_view vhost, std::string_view exchange_name,
                                                      std::string_view routing_key) const {
  if (!exchange(vhost, exchange_name)) {
    return std::unexpected(not_found(base::Errc::superstream_not_found, vhost, exchange_name));
  }
  std::vector<std::string> names;
  for (const auto* binding : bindings_of(vhost, exchange_name)) {
    if (binding->routing_key == routing_key && queue(vhost, binding->destination)) {
      names.push_back(binding->destination);
    }
  }
  return names;
}

std::int32_t Catalog::partition_index(std::string_view vhost, std::string_view super_stream,
                                      std::string_view stream) const {
  for (const auto* binding : bindings_of(vhost, super_stream)) {
    if (binding->destination != stream) continue;
    return binding->partition_order >= 0 ? static_cast<std::int32_t>(binding->partition_order)
                                         : trailing_number(stream);
  }
  return -1;
}

// -- stored form

namespace {

template <class... Rs>
base::Result<Record> parse_as_one_of(std::string_view key, std::string_view value,
                                     const std::variant<Rs...>*) {
  base::Result<Record> result =
      base::fail(base::Errc::corrupt, fmt::format("catalog: a key of an unknown table: \"{:.32}\"", key));
  const auto try_one = [&]<class R>(const R*) {
    if (key.empty() || key.front() != R::table) return;
    auto record = parse_record<R>(value);
    if (!record) {
      result = std::unexpected(record.error());
    } else if (record_key(*record) != key) {
      result = base::fail(base::Errc::corrupt, "catalog: a record that does not belong to its key");
    } else {
      result = Record(std::move(*record));
    }
  };
  (try_one(static_cast<const Rs*>(nullptr)), ...);
  return result;
}

}  // namespace

base::Result<Record> parse_catalog_record(std::string_view key, std::string_view value) {
  return parse_as_one_of(key, value, static_cast<const Record*>(nullptr));
}

}  // namespace sluice::broker
