// SPDX-License-Identifier: Apache-2.0
// The protocol's response codes as the client's error values (declared in connection.h).
#include <fmt/format.h>

#include "client/connection.h"

namespace sluice::client {

using base::Errc;
using streamproto::ResponseCode;

base::Errc errc_of(ResponseCode code) {
  switch (code) {
    case ResponseCode::stream_does_not_exist:
      return Errc::stream_not_found;
    case ResponseCode::stream_already_exists:
      return Errc::stream_exists;
    case ResponseCode::stream_not_available:
      return Errc::stream_unavailable;
    case ResponseCode::sasl_mechanism_not_supported:
    case ResponseCode::authentication_failure:
    case ResponseCode::sasl_error:
    case ResponseCode::sasl_challenge:
    case ResponseCode::sasl_cannot_change_mechanism:
    case ResponseCode::sasl_cannot_change_username:
      return Errc::authentication_failed;
    case ResponseCode::sasl_authentication_failure_loopback:
      return Errc::loopback_only;
    case ResponseCode::vhost_access_failure:
      return Errc::vhost_access_refused;
    case ResponseCode::frame_too_large:
      return Errc::too_large;
    case ResponseCode::access_refused:
      return Errc::access_refused;
    case ResponseCode::precondition_failed:
    case ResponseCode::publisher_does_not_exist:
    case ResponseCode::subscription_id_already_exists:
    case ResponseCode::subscription_id_does_not_exist:
      return Errc::precondition_failed;
    case ResponseCode::no_offset:
      return Errc::no_offset;
    case ResponseCode::unknown_frame:
      return Errc::malformed;
    case ResponseCode::ok:
    case ResponseCode::internal_error:
      break;
  }
  return Errc::internal;
}

base::Error error_of(ResponseCode code, std::string_view what) {
  return {errc_of(code),
          fmt::format("{}: {} (code {})", what, streamproto::to_string(code), static_cast<int>(code))};
}

}  // namespace sluice::client
