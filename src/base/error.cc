// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

namespace sluice::base {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::stream_not_found:
      return "stream not found";
    case Errc::stream_exists:
      return "stream exists";
    case Errc::stream_unavailable:
      return "stream not available";
    case Errc::superstream_not_found:
      return "super stream not found";
    case Errc::access_refused:
      return "access refused";
    case Errc::authentication_failed:
      return "authentication failed";
    case Errc::loopback_only:
      return "user may connect over loopback only";
    case Errc::vhost_access_refused:
      return "virtual host access refused";
    case Errc::precondition_failed:
      return "precondition failed";
    case Errc::not_found:
      return "not found";
    case Errc::resource_locked:
      return "resource locked";
    case Errc::no_offset:
      return "no offset";
    case Errc::malformed:
      return "malformed";
    case Errc::too_large:
      return "too large";
    case Errc::io_failed:
      return "input/output failed";
    case Errc::corrupt:
      return "stored data damaged";
    case Errc::internal:
      return "internal error";
  }
  return "unknown error";
}

}  // namespace sluice::base
