// SPDX-License-Identifier: Apache-2.0
// Reply codes of AMQP 0-9-1 with the names that stand at the beginning of every reply text, and the one way
// to make a broker::Refusal. Codes and scopes: AMQP 0-9-1 specification; texts: RabbitMQ.
#pragma once

#include <fmt/format.h>

#include "broker/messaging.h"

namespace sluice::amqp {

enum class ReplyCode : std::uint16_t {
  success = 200,
  content_too_large = 311,
  no_route = 312,
  connection_forced = 320,
  invalid_path = 402,
  access_refused = 403,
  not_found = 404,
  resource_locked = 405,
  precondition_failed = 406,
  frame_error = 501,
  syntax_error = 502,
  command_invalid = 503,
  channel_error = 504,
  unexpected_frame = 505,
  resource_error = 506,
  not_allowed = 530,
  not_implemented = 540,
  internal_error = 541,
};

constexpr std::string_view name_of(std::uint16_t code) {
  switch (static_cast<ReplyCode>(code)) {
    case ReplyCode::success:
      return "OK";
    case ReplyCode::content_too_large:
      return "CONTENT_TOO_LARGE";
    case ReplyCode::no_route:
      return "NO_ROUTE";
    case ReplyCode::connection_forced:
      return "CONNECTION_FORCED";
    case ReplyCode::invalid_path:
      return "INVALID_PATH";
    case ReplyCode::access_refused:
      return "ACCESS_REFUSED";
    case ReplyCode::not_found:
      return "NOT_FOUND";
    case ReplyCode::resource_locked:
      return "RESOURCE_LOCKED";
    case ReplyCode::precondition_failed:
      return "PRECONDITION_FAILED";
    case ReplyCode::frame_error:
      return "FRAME_ERROR";
    case ReplyCode::syntax_error:
      return "SYNTAX_ERROR";
    case ReplyCode::command_invalid:
      return "COMMAND_INVALID";
    case ReplyCode::channel_error:
      return "CHANNEL_ERROR";
    case ReplyCode::unexpected_frame:
      return "UNEXPECTED_FRAME";
    case ReplyCode::resource_error:
      return "RESOURCE_ERROR";
    case ReplyCode::not_allowed:
      return "NOT_ALLOWED";
    case ReplyCode::not_implemented:
      return "NOT_IMPLEMENTED";
    case ReplyCode::internal_error:
      return "INTERNAL_ERROR";
  }
  return "INTERNAL_ERROR";
}

// Whether the specification lets this code close a channel; all others close the connection.
constexpr bool closes_channel(ReplyCode code) {
  return code == ReplyCode::content_too_large ||
         (code >= ReplyCode::access_refused && code <= ReplyCode::precondition_failed);
}

template <class... Args>
std::unexpected<broker::Refusal> refuse(ReplyCode code, fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected(broker::Refusal{static_cast<std::uint16_t>(code),
                                         fmt::format(text, std::forward<Args>(args)...),
                                         !closes_channel(code)});
}

// "PRECONDITION_FAILED - unknown delivery tag 5", as long as a reply text may be.
inline std::string reply_text(const broker::Refusal& refusal) {
  std::string text(name_of(refusal.code));
  if (!refusal.text.empty()) text.append(" - ").append(refusal.text);
  if (text.size() > 255) text.replace(252, std::string::npos, "...");
  return text;
}

}  // namespace sluice::amqp
