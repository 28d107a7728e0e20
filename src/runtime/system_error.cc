// SPDX-License-Identifier: Apache-2.0
#include "runtime/system_error.h"

#include <fmt/format.h>

#include <system_error>

namespace sluice::runtime {

std::string system_text(int code) {
  return std::generic_category().message(code);
}

std::unexpected<base::Error> system_failure(std::string_view verb, std::string_view object, int code) {
  return base::fail(base::Errc::io_failed, fmt::format("cannot {} {}: {}", verb, object, system_text(code)));
}

}  // namespace sluice::runtime
