// SPDX-License-Identifier: Apache-2.0
#include "stream/codes.h"

#include "stream/metrics.h"

namespace sluice::stream {

using streamproto::ResponseCode;

ResponseCode response_code(base::Errc error) {
  using base::Errc;
  switch (error) {
    case Errc::stream_not_found:
    case Errc::superstream_not_found:
    case Errc::not_found:
      return ResponseCode::stream_does_not_exist;
    case Errc::stream_exists:
      return ResponseCode::stream_already_exists;
    case Errc::stream_unavailable:
      return ResponseCode::stream_not_available;
    case Errc::access_refused:
    case Errc::resource_locked:
      return ResponseCode::access_refused;
    case Errc::authentication_failed:
      return ResponseCode::authentication_failure;
    case Errc::loopback_only:
      return ResponseCode::sasl_authentication_failure_loopback;
    case Errc::vhost_access_refused:
      return ResponseCode::vhost_access_failure;
    case Errc::precondition_failed:
    case Errc::malformed:
    case Errc::too_large:
      return ResponseCode::precondition_failed;
    case Errc::no_offset:
      return ResponseCode::no_offset;
    case Errc::io_failed:
    case Errc::corrupt:
    case Errc::internal:
      return ResponseCode::internal_error;
  }
  return ResponseCode::internal_error;
}

void Metrics::count(ResponseCode code, std::uint64_t n) {
  const auto counter = [this, code]() -> base::Counter* {
    switch (code) {
      case ResponseCode::ok:
      case ResponseCode::no_offset:
      case ResponseCode::sasl_cannot_change_mechanism:
      case ResponseCode::sasl_cannot_change_username:
        return nullptr;
      case ResponseCode::stream_does_not_exist:
        return &stream_does_not_exist;
      case ResponseCode::subscription_id_already_exists:
        return &subscription_id_already_exists;
      case ResponseCode::subscription_id_does_not_exist:
        return &subscription_id_does_not_exist;
      case ResponseCode::stream_already_exists:
        return &stream_already_exists;
      case ResponseCode::stream_not_available:
        return &stream_not_available;
      case ResponseCode::sasl_mechanism_not_supported:
        return &sasl_mechanism_not_supported;
      case ResponseCode::authentication_failure:
        return &authentication_failure;
      case ResponseCode::sasl_error:
        return &sasl_error;
      case ResponseCode::sasl_challenge:
        return &sasl_challenge;
      case ResponseCode::sasl_authentication_failure_loopback:
        return &sasl_authentication_failure_loopback;
      case ResponseCode::vhost_access_failure:
        return &vhost_access_failure;
      case ResponseCode::unknown_frame:
        return &unknown_frame;
      case ResponseCode::frame_too_large:
        return &frame_too_large;
      case ResponseCode::internal_error:
        return &internal_error;
      case ResponseCode::access_refused:
        return &access_refused;
      case ResponseCode::precondition_failed:
        return &precondition_failed;
      case ResponseCode::publisher_does_not_exist:
        return &publisher_does_not_exist;
    }
    return nullptr;
  }();
  if (counter != nullptr) counter->add(n);
}

}  // namespace sluice::stream
