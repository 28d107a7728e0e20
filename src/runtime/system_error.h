// SPDX-License-Identifier: Apache-2.0
// One way to say that the operating system refused: what was tried, on what, and the system's words.
#pragma once

#include <cerrno>
#include <string_view>

#include "base/error.h"

namespace sluice::runtime {

// "cannot write /data/x.log: No space left on device". Reads errno unless a code is given.
std::unexpected<base::Error> system_failure(std::string_view verb, std::string_view object, int code = errno);

std::string system_text(int code);

}  // namespace sluice::runtime
