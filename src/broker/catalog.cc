// SPDX-License-Identifier: Apache-2.0
// Tables, indexes and the stored form. Decisions: catalog_streams.cc, catalog_queues.cc, catalog_draft.cc.
#include "broker/catalog.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/catalog_draft.h"
#include "broker/queue_arguments.h"

namespace sluice::broker {
namespace {

template <class... Names>
std::string key_of(char table, const Names&... names) {
  std::string key(1, table);
  (append_key_name(key, names), ...);
  return key;
}

}  // namespace

std::string Catalog::Draft::destination_prefix(std::string_view vhost, bool to_exchange,
                                               std::string_view destination) {
  std::string key;
  append_key_name(key, vhost);
  append_key_name(key, to_exchange ? "x" : "q");
  append_key_name(key, destination);
  return key;
}

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

Changes Catalog::make(const Changes& changes) {
  Changes back;
  for (const auto& each : changes) {
    std::visit(
        [&]<class R>(const R& record) {
          const auto found = table<R>().find(record_key(record));
          if (found != table<R>().end()) {
            back.push_back({found->second, false});
          } else {
            back.push_back({record, true});
          }
          change(record, each.removed);
        },
        each.record);
  }
  std::ranges::reverse(back);
  return back;
}

// Records of earlier versions are completed here; queue ids go on with a fresh block.
void Catalog::load(Record record) {
  if (auto* queue = std::get_if<QueueRecord>(&record); queue && queue->table_arguments.empty()) {
    if (queue->is_stream()) queue->table_arguments = to_table_arguments(queue->arguments);
  }
  if (auto* exchange = std::get_if<ExchangeRecord>(&record); exchange && exchange->super_stream) {
    exchange->table_arguments.set("x-super-stream", true);
  }
  if (auto* state = std::get_if<StateRecord>(&record)) {
    state->next_log_id = (state->next_log_id + log_id_block - 1) / log_id_block * log_id_block;
  }
  std::visit([&](auto& each) { change(std::move(each), false); }, record);
}

template <class R>
void Catalog::change(R record, bool removed) {
  auto& records = std::get<Table<R>>(tables_);
  auto key = record_key(record);
  if constexpr (std::is_same_v<R, BindingRecord>) {
    auto entry = Draft::destination_prefix(record.vhost, record.to_exchange, record.destination) + key;
    removed ? static_cast<void>(by_destination_.erase(entry))
            : static_cast<void>(by_destination_.insert(std::move(entry)));
  }
  if constexpr (std::is_same_v<R, QueueRecord>) {
    if (record.exclusive()) {
      removed ? static_cast<void>(exclusive_.erase({record.exclusive_owner, key}))
              : static_cast<void>(exclusive_.insert({record.exclusive_owner, key}));
    }
  }
  if (removed) {
    records.erase(key);
  } else {
    records.insert_or_assign(std::move(key), std::move(record));
  }
}

template <class R>
const R* Catalog::find(std::string_view first, std::string_view second, std::string_view third) const {
  constexpr std::size_t names = std::tuple_size_v<decltype(R{}.key())>;
  std::string key(1, R::table);
  if (names > 0) append_key_name(key, first);
  if (names > 1) append_key_name(key, second);
  if (names > 2) append_key_name(key, third);
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
const TopicPermissionRecord* Catalog::topic_permission(std::string_view vhost, std::string_view user,
                                                       std::string_view exchange) const {
  return find<TopicPermissionRecord>(vhost, user, exchange);
}
const QueueRecord* Catalog::queue(std::string_view vhost, std::string_view name) const {
  return find<QueueRecord>(vhost, name);
}
const QueueRecord* Catalog::stream(std::string_view vhost, std::string_view name) const {
  const auto* found = queue(vhost, name);
  return found && found->is_stream() ? found : nullptr;
}
const ExchangeRecord* Catalog::exchange(std::string_view vhost, std::string_view name) const {
  return find<ExchangeRecord>(vhost, name);
}
const BindingRecord* Catalog::binding(const BindingRecord& like) const {
  const auto found = table<BindingRecord>().find(record_key(like));
  return found == table<BindingRecord>().end() ? nullptr : &found->second;
}

StateRecord Catalog::state() const {
  const auto* found = find<StateRecord>({});
  return found ? *found : StateRecord{};
}

bool Catalog::has_bindings(std::string_view vhost, std::string_view source) const {
  const auto prefix = key_of(BindingRecord::table, vhost, source);
  const auto at = table<BindingRecord>().lower_bound(prefix);
  return at != table<BindingRecord>().end() && at->first.starts_with(prefix);
}

std::vector<const BindingRecord*> Catalog::bindings_of(std::string_view vhost,
                                                       std::string_view source) const {
  const auto& bindings = table<BindingRecord>();
  const auto prefix = key_of(BindingRecord::table, vhost, source);
  std::vector<const BindingRecord*> found;
  for (auto at = bindings.lower_bound(prefix); at != bindings.end() && at->first.starts_with(prefix); ++at) {
    found.push_back(&at->second);
  }
  return found;
}

std::vector<const BindingRecord*> Catalog::bindings_to(std::string_view vhost, bool to_exchange,
                                                       std::string_view destination) const {
  const auto prefix = Draft::destination_prefix(vhost, to_exchange, destination);
  std::vector<const BindingRecord*> found;
  for (auto at = by_destination_.lower_bound(prefix); at != by_destination_.end() && at->starts_with(prefix);
       ++at) {
    found.push_back(&table<BindingRecord>().find(std::string_view(*at).substr(prefix.size()))->second);
  }
  return found;
}

std::vector<const QueueRecord*> Catalog::exclusive_queues_of(std::uint64_t client) const {
  std::vector<const QueueRecord*> found;
  for (auto at = exclusive_.lower_bound({client, {}}); at != exclusive_.end() && at->first == client; ++at) {
    found.push_back(&table<QueueRecord>().find(at->second)->second);
  }
  return found;
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
