// SPDX-License-Identifier: Apache-2.0
// Decisions of the catalog about streams and superstreams, as the stream protocol makes them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "broker/catalog.h"
#include "broker/catalog_draft.h"
#include "broker/queue_arguments.h"

namespace sluice::broker {
namespace {

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

base::Result<Changes> Catalog::decide_one(const CreateStream& command) const {
  if (!vhost(command.vhost))
    return std::unexpected(not_found(base::Errc::vhost_access_refused, command.vhost, {}));
  if (const auto* found = queue(command.vhost, command.name)) {
    if (found->is_stream() && found->arguments == command.arguments) {
      return std::unexpected(not_found(base::Errc::stream_exists, command.vhost, command.name));
    }
    return base::fail(base::Errc::precondition_failed,
                      fmt::format("\"{}\" exists with other arguments", command.name));
  }
  TRY_VOID(check_room(command.vhost, command.name, command.queue_limit, 1));
  Draft draft(*this);
  draft.add_queue({.vhost = command.vhost,
                   .name = command.name,
                   .arguments = command.arguments,
                   .owner = command.user,
                   .created_at_ms = command.now_ms,
                   .table_arguments = to_table_arguments(command.arguments)});
  return draft.take();
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
  TRY_VOID(check_room(command.vhost, command.name, command.queue_limit, command.partitions.size()));
  if (exchange(command.vhost, command.name)) {
    return std::unexpected(not_found(base::Errc::stream_exists, command.vhost, command.name));
  }
  for (const auto& partition : command.partitions) {
    if (queue(command.vhost, partition)) {
      return std::unexpected(not_found(base::Errc::stream_exists, command.vhost, partition));
    }
  }

  Draft draft(*this);
  ExchangeRecord made{
      .vhost = command.vhost, .name = command.name, .super_stream = true, .created_at_ms = command.now_ms};
  made.table_arguments.set("x-super-stream", true);
  made.owner = command.user;
  draft.put(std::move(made));
  for (std::size_t i = 0; i < command.partitions.size(); ++i) {
    draft.add_queue({.vhost = command.vhost,
                     .name = command.partitions[i],
                     .arguments = command.arguments,
                     .owner = command.user,
                     .created_at_ms = command.now_ms,
                     .table_arguments = to_table_arguments(command.arguments)});
    draft.add_binding({.vhost = command.vhost,
                       .source = command.name,
                       .destination = command.partitions[i],
                       .routing_key = command.binding_keys[i],
                       .partition_order = static_cast<std::int64_t>(i)});
  }
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const DeleteStream& command) const {
  const auto* found = stream(command.vhost, command.name);
  if (!found) return std::unexpected(not_found(base::Errc::stream_not_found, command.vhost, command.name));
  Draft draft(*this);
  draft.remove(*found);
  return draft.take();
}

base::Result<Changes> Catalog::decide_one(const DeleteSuperStream& command) const {
  const auto* found = exchange(command.vhost, command.name);
  if (!found || !found->super_stream) {
    return std::unexpected(not_found(base::Errc::superstream_not_found, command.vhost, command.name));
  }
  TRY(streams, partitions(command.vhost, command.name));
  Draft draft(*this);
  for (const auto& name : streams) draft.remove(*stream(command.vhost, name));
  draft.remove(*found);
  return draft.take();
}

// -- superstreams

std::vector<const BindingRecord*> Catalog::partition_bindings(std::string_view vhost,
                                                              std::string_view source) const {
  auto found = bindings_of(vhost, source);
  std::erase_if(found, [&](const BindingRecord* each) {
    return each->to_exchange || !stream(vhost, each->destination);
  });
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
  for (const auto* binding : partition_bindings(vhost, exchange_name)) {
    const bool seen = std::ranges::find(names, binding->destination) != names.end();
    if (!seen) names.push_back(binding->destination);
  }
  return names;
}

base::Result<std::vector<std::string>> Catalog::route(std::string_view vhost, std::string_view exchange_name,
                                                      std::string_view routing_key) const {
  if (!exchange(vhost, exchange_name)) {
    return std::unexpected(not_found(base::Errc::superstream_not_found, vhost, exchange_name));
  }
  std::vector<std::string> names;
  for (const auto* binding : partition_bindings(vhost, exchange_name)) {
    if (binding->routing_key == routing_key) names.push_back(binding->destination);
  }
  return names;
}

std::int32_t Catalog::partition_index(std::string_view vhost, std::string_view super_stream,
                                      std::string_view stream) const {
  for (const auto* binding : partition_bindings(vhost, super_stream)) {
    if (binding->destination != stream) continue;
    return binding->partition_order >= 0 ? static_cast<std::int32_t>(binding->partition_order)
                                         : trailing_number(stream);
  }
  return -1;
}

}  // namespace sluice::broker
