// SPDX-License-Identifier: Apache-2.0
// What AMQP clients are told: RabbitMQ's words, on which people's tests match, as errors of the table; and
// how an error becomes the code of a Refusal. Pure.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/error.h"
#include "broker/messaging.h"

namespace sluice::broker {

inline std::string queue_text(std::string_view vhost, std::string_view name) {
  return fmt::format("queue '{}' in vhost '{}'", name, vhost);
}
inline std::string exchange_text(std::string_view vhost, std::string_view name) {
  return fmt::format("exchange '{}' in vhost '{}'", name, vhost);
}
inline std::unexpected<base::Error> no_such_queue(std::string_view vhost, std::string_view name) {
  return base::fail(base::Errc::not_found, "no " + queue_text(vhost, name));
}
// Of a queue whose journal failed; RabbitMQ answers this code for a queue whose process has stopped.
inline Refusal queue_down(std::string_view vhost, std::string_view name) {
  return {404, queue_text(vhost, name) + " is down: the journal it is stored in failed"};
}
inline std::unexpected<base::Error> no_such_exchange(std::string_view vhost, std::string_view name) {
  return base::fail(base::Errc::not_found, "no " + exchange_text(vhost, name));
}
inline std::unexpected<base::Error> precondition(std::string text) {
  return base::fail(base::Errc::precondition_failed, std::move(text));
}
inline std::unexpected<base::Error> queue_locked(std::string_view vhost, std::string_view name) {
  return base::fail(base::Errc::resource_locked,
                    "cannot obtain exclusive access to locked " + queue_text(vhost, name) +
                        ". It could be originally declared on another connection or the exclusive property "
                        "value does not match that of the original declaration.");
}

inline Refusal to_refusal(const base::Error& error) {
  using enum base::Errc;
  switch (error.code) {
    case not_found:
    case stream_not_found:
    case superstream_not_found:
    case no_offset:
      return {404, error.text};
    case access_refused:
    case authentication_failed:
    case loopback_only:
      return {403, error.text};
    case resource_locked:
      return {405, error.text};
    case precondition_failed:
    case stream_exists:
    case too_large:
      return {406, error.text};
    case vhost_access_refused:
      return {530, error.text, true};
    case malformed:
      return {502, error.text, true};
    case stream_unavailable:
      return {506, error.text, true};
    case io_failed:
    case corrupt:
    case internal:
      return {541, error.text, true};
  }
  return {541, error.text, true};
}

}  // namespace sluice::broker
