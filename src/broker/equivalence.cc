// SPDX-License-Identifier: Apache-2.0
#include "broker/equivalence.h"

#include <fmt/format.h>

#include "broker/queue_arguments.h"
#include "broker/texts.h"

namespace sluice::broker {
namespace {

std::unexpected<base::Error> inequivalent(std::string_view key, std::string_view resource,
                                          std::string_view received, std::string_view current) {
  return precondition(fmt::format("inequivalent arg '{}' for {}: received {} but current is {}", key,
                                  resource, received, current));
}

std::string quoted(std::string_view text) {
  return fmt::format("'{}'", text);
}
std::string quoted(bool value) {
  return value ? "'true'" : "'false'";
}
std::string described(const base::FieldValue* value) {
  if (!value) return "none";
  return fmt::format("the value '{}' of type '{}'", base::to_text(*value), base::type_name(*value));
}

base::Result<> check_argument(const base::FieldValue* current, const base::FieldValue* wanted,
                              std::string_view key, std::string_view resource) {
  if (!current && !wanted) return {};
  if (current && wanted) {
    if (current->equivalent(*wanted)) return {};
    return inequivalent(key, resource, quoted(base::to_text(*wanted)), quoted(base::to_text(*current)));
  }
  return inequivalent(key, resource, described(wanted), described(current));
}

template <class T>
base::Result<> check_field(const T& current, const T& wanted, std::string_view key,
                           std::string_view resource) {
  if (current == wanted) return {};
  return inequivalent(key, resource, quoted(wanted), quoted(current));
}

}  // namespace

base::Result<> check_equivalent(const ExchangeRecord& current, const ExchangeRecord& wanted) {
  const auto resource = exchange_text(current.vhost, current.name);
  TRY_VOID(check_field<std::string>(current.type, wanted.type, "type", resource));
  TRY_VOID(check_field(current.durable, wanted.durable, "durable", resource));
  TRY_VOID(check_field(current.auto_delete, wanted.auto_delete, "auto_delete", resource));
  TRY_VOID(check_field(current.internal, wanted.internal, "internal", resource));
  constexpr std::string_view alternate = "alternate-exchange";
  return check_argument(current.table_arguments.find(alternate), wanted.table_arguments.find(alternate),
                        alternate, resource);
}

base::Result<> check_relaxed(const QueueRecord& current, const QueueRecord& wanted) {
  for (const std::string_view key :
       {"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-expires", "x-max-length",
        "x-max-length-bytes", "x-single-active-consumer", "x-message-ttl"}) {
    TRY_VOID(check_argument(current.table_arguments.find(key), wanted.table_arguments.find(key), key,
                            queue_text(current.vhost, current.name)));
  }
  return {};
}

base::Result<> check_equivalent(const QueueRecord& current, const QueueRecord& wanted) {
  if (current.exclusive_owner != wanted.exclusive_owner) return queue_locked(current.vhost, current.name);
  const auto resource = queue_text(current.vhost, current.name);
  TRY_VOID(check_field(current.durable, wanted.durable, "durable", resource));
  TRY_VOID(check_field(current.auto_delete, wanted.auto_delete, "auto_delete", resource));
  // Absent is classic, on both sides.
  TRY_VOID(check_field<std::string>(current.type, wanted.type, "x-queue-type", resource));
  for (const auto key : known_arguments(queue_type_of(current.type))) {
    if (key == "x-queue-type") continue;
    TRY_VOID(
        check_argument(current.table_arguments.find(key), wanted.table_arguments.find(key), key, resource));
  }
  return {};
}

}  // namespace sluice::broker
