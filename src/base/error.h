// SPDX-License-Identifier: Apache-2.0
// Errors of the outside as values. One row per kind of error; every protocol maps it to its own code in one
// exhaustive switch without a default, so a new row does not compile until all of them answer it.
// `text` says what was wrong, where, and what to do; it reaches the log and, where a protocol has room, the
// client.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::base {

enum class Errc : std::uint8_t {
  stream_not_found,
  stream_exists,
  stream_unavailable,  // known, but its log is offline (failed write, damaged)
  superstream_not_found,
  access_refused,  // the user lacks the permission
  authentication_failed,
  loopback_only,         // this user may only connect over loopback
  vhost_access_refused,  // vhost unknown, at its limit, or not permitted
  precondition_failed,   // arguments out of range, inequivalent redeclare, limits
  not_found,             // a queue, an exchange, ... of AMQP
  resource_locked,       // an exclusive queue of another connection
  no_offset,             // nothing stored, or nothing to resolve to
  malformed,             // bytes that do not parse
  too_large,             // a length above its bound
  io_failed,             // the disk said no
  corrupt,               // stored bytes that fail their checks
  internal,              // must not happen; answered, logged, never hidden
};

std::string_view to_string(Errc code);

struct Error {
  Errc code = Errc::internal;
  std::string text;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string text) {
  return std::unexpected(Error{code, std::move(text)});
}

}  // namespace sluice::base

// TRY(name, expression): binds `name` to the value of a Result or returns its error. TRY_VOID for
// Result<void>.
#define TRY(name, ...)                                                          \
  auto name##_result = (__VA_ARGS__);                                           \
  if (!name##_result) return std::unexpected(std::move(name##_result).error()); \
  auto& name = *name##_result
#define TRY_VOID(...)                                                                                        \
  do {                                                                                                       \
    if (auto try_result = (__VA_ARGS__); !try_result) return std::unexpected(std::move(try_result).error()); \
  } while (false)
