// SPDX-License-Identifier: Apache-2.0
// Exchanges and bindings.
#include <fmt/format.h>

#include <algorithm>

#include "broker/declaring.h"
#include "broker/equivalence.h"
#include "broker/queue_arguments.h"
#include "broker/shard_broker.h"
#include "broker/texts.h"
#include "exchange/exchange.h"

namespace sluice::broker {
namespace {

constexpr std::string_view alternate_key = "alternate-exchange", order_key = "x-stream-partition-order",
                           super_stream_key = "x-super-stream";

std::unexpected<base::Error> refused(std::string text) {
  return base::fail(base::Errc::access_refused, std::move(text));
}

base::Result<> check_not_default(std::string_view exchange) {
  if (!exchange.empty()) return {};
  return refused("operation not permitted on the default exchange");
}

bool is_true(const base::FieldValue* value) {
  return value && value->as<bool>() && *value->as<bool>();
}

}  // namespace

std::string strip_line_ends(std::string_view name) {
  std::string text(name);
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  return text;
}

const Catalog& Declaring::catalog() const {
  return broker_.catalog();
}

base::Result<> Declaring::check_right(const Caller& caller, Permission permission, bool is_queue,
                                      std::string_view name) const {
  const std::string_view known_as = !is_queue && name.empty() ? "amq.default" : name;
  if (broker_.check(caller.identity, caller.vhost, permission, known_as)) return {};
  constexpr std::string_view words[] = {"configure", "write", "read"};
  return refused(
      fmt::format("{} access to {} refused for user '{}'", words[static_cast<std::size_t>(permission)],
                  is_queue ? queue_text(caller.vhost, known_as) : exchange_text(caller.vhost, known_as),
                  caller.identity.user));
}

// Whoever may do anything with a queue or exchange may ask whether it is there.
base::Result<> Declaring::check_any_right(const Caller& caller, bool is_queue, std::string_view name) const {
  for (const auto permission : {Permission::read, Permission::write}) {
    if (broker_.check(caller.identity, caller.vhost, permission, name)) return {};
  }
  return check_right(caller, Permission::configure, is_queue, name);
}

void Declaring::send(Command command, Answer<> answer) {
  broker_.send_command(std::move(command), [answer = std::move(answer)](base::Result<> result) mutable {
    if (result) {
      answer({});
    } else {
      answer(std::unexpected(to_refusal(result.error())));
    }
  });
}

// -- exchanges

// The exchange that is there, null when there is none and one may be made.
base::Result<const ExchangeRecord*> Declaring::find_declared(const Caller& caller,
                                                             const ExchangeSpec& spec) const {
  const auto types = exchange::type_names();
  if (!spec.passive && std::ranges::find(types, std::string_view(spec.type)) == types.end()) {
    return precondition(fmt::format("unknown exchange type '{}'", spec.type));
  }
  TRY_VOID(check_not_default(spec.name));
  TRY_VOID(spec.passive ? check_any_right(caller, false, spec.name)
                        : check_right(caller, Permission::configure, false, spec.name));
  const auto* found = catalog().exchange(caller.vhost, spec.name);
  if (spec.passive && !found) return no_such_exchange(caller.vhost, spec.name);
  return found;
}

base::Result<ExchangeRecord> Declaring::to_record(const Caller& caller, const ExchangeSpec& spec) const {
  ExchangeRecord record;
  record.vhost = caller.vhost;
  record.name = spec.name;
  record.type = spec.type;
  record.durable = spec.durable;
  record.auto_delete = spec.auto_delete;
  record.internal = spec.internal;
  record.super_stream = spec.type == "direct" && is_true(spec.arguments.find(super_stream_key));
  record.table_arguments = spec.arguments;
  record.created_at_ms = shard_.clock.wall_ms();
  record.owner = caller.identity.user;
  if (catalog().exchange(caller.vhost, spec.name)) return record;

  if (spec.name.starts_with("amq.")) {
    return refused(fmt::format("exchange name '{}' contains reserved prefix 'amq.*'", spec.name));
  }
  if (const auto* alternate = spec.arguments.find(alternate_key)) {
    if (!alternate->as<std::string>()) {
      return precondition(fmt::format("invalid type '{}' for arg '{}' in {}", base::type_name(*alternate),
                                      alternate_key, exchange_text(caller.vhost, spec.name)));
    }
    TRY_VOID(check_right(caller, Permission::read, false, spec.name));
    TRY_VOID(check_right(caller, Permission::write, false, *alternate->as<std::string>()));
  }
  TRY_VOID(exchange::make_exchange(spec.type, spec.arguments, shard_.random));
  const auto limit = broker_.options().exchange_limit;
  if (limit != 0 && catalog().exchange_count() >= limit) {
    return precondition(fmt::format("cannot declare {}: exchange limit of {} is reached",
                                    exchange_text(caller.vhost, spec.name), limit));
  }
  return record;
}

void Declaring::declare_exchange(const Caller& caller, ExchangeSpec spec, Answer<> answer) {
  spec.name = strip_line_ends(spec.name);
  const auto refuse = [&](const base::Error& error) { answer(std::unexpected(to_refusal(error))); };
  const auto found = find_declared(caller, spec);
  if (!found) return refuse(found.error());
  if (spec.passive) return answer({});
  auto record = to_record(caller, spec);
  if (!record) return refuse(record.error());
  if (*found) {
    if (auto same = check_equivalent(**found, *record); !same) return refuse(same.error());
    return answer({});
  }
  send(DeclareExchange{std::move(*record)}, std::move(answer));
}

void Declaring::delete_exchange(const Caller& caller, std::string name, bool if_unused, Answer<> answer) {
  name = strip_line_ends(name);
  const auto allowed = [&]() -> base::Result<> {
    TRY_VOID(check_not_default(name));
    if (name.starts_with("amq.")) {
      return refused(fmt::format("deletion of system {} not allowed", exchange_text(caller.vhost, name)));
    }
    return check_right(caller, Permission::configure, false, name);
  }();
  if (!allowed) return answer(std::unexpected(to_refusal(allowed.error())));
  send(DeleteExchange{caller.vhost, std::move(name), if_unused}, std::move(answer));
}

// -- bindings

base::Result<BindingRecord> Declaring::to_record(const Caller& caller, const BindingSpec& spec) const {
  BindingRecord record;
  record.vhost = caller.vhost;
  record.source = strip_line_ends(spec.source);
  record.destination = strip_line_ends(spec.destination);
  record.routing_key = spec.key;
  record.to_exchange = !spec.destination_is_queue;
  record.table_arguments = spec.arguments;
  if (const auto* order = spec.arguments.find(order_key); order && order->integer()) {
    record.partition_order = *order->integer();
    record.table_arguments.remove(order_key);
  }
  std::ranges::stable_sort(record.table_arguments.entries, {}, [](const auto& entry) { return entry.first; });

  TRY_VOID(check_not_default(record.source));
  if (record.to_exchange) TRY_VOID(check_not_default(record.destination));
  TRY_VOID(check_right(caller, Permission::write, !record.to_exchange, record.destination));
  TRY_VOID(check_right(caller, Permission::read, false, record.source));
  if (const auto* source = catalog().exchange(record.vhost, record.source);
      source && source->type == "topic") {
    TRY_VOID(broker_.access().check_topic(caller.identity, record.vhost, record.source, Permission::read,
                                          record.routing_key));
  }
  return record;
}

base::Result<> Declaring::check_not_locked(const Caller& caller, const BindingRecord& binding) const {
  if (binding.to_exchange) return {};
  const auto* queue = catalog().queue(binding.vhost, binding.destination);
  if (!queue || !queue->exclusive() || queue->exclusive_owner == caller.client.value) return {};
  return queue_locked(binding.vhost, binding.destination);
}

// What the exchange's type says; whether the ends are there is the catalog's question.
base::Result<> Declaring::check_binding(const BindingRecord& binding) const {
  const auto* source = catalog().exchange(binding.vhost, binding.source);
  if (!source) return {};
  TRY(probe, exchange::make_exchange(source->type, source->table_arguments, shard_.random));
  TRY_VOID(probe->bind({exchange::DestinationId{1}, binding.routing_key, binding.table_arguments}));
  if (source->type != "x-local-random") return {};
  const auto* queue = catalog().queue(binding.vhost, binding.destination);
  if (binding.to_exchange || (queue && queue->type != "classic")) {
    if (binding.to_exchange) return precondition("Destination not found");
    return precondition(
        fmt::format("Queue type rabbit_{}_queue not valid for this exchange type", queue->type));
  }
  return {};
}

void Declaring::bind(const Caller& caller, const BindingSpec& spec, Answer<> answer) {
  auto record = to_record(caller, spec);
  if (!record) return answer(std::unexpected(to_refusal(record.error())));
  if (auto ours = check_not_locked(caller, *record); !ours) {
    return answer(std::unexpected(to_refusal(ours.error())));
  }
  if (auto fits = check_binding(*record); !fits) return answer(std::unexpected(to_refusal(fits.error())));
  if (catalog().binding(*record)) return answer({});
  send(Bind{std::move(*record)}, std::move(answer));
}

void Declaring::unbind(const Caller& caller, const BindingSpec& spec, Answer<> answer) {
  auto record = to_record(caller, spec);
  if (!record) return answer(std::unexpected(to_refusal(record.error())));
  if (!catalog().binding(*record)) return answer({});
  if (auto ours = check_not_locked(caller, *record); !ours) {
    return answer(std::unexpected(to_refusal(ours.error())));
  }
  send(Unbind{std::move(*record)}, std::move(answer));
}

}  // namespace sluice::broker
