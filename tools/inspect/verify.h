// SPDX-License-Identifier: Apache-2.0
// Checks a whole log directory: every chunk with its data, index against chunks, filter file against
// trailers, no gaps between segments. Reads only; may run beside a server, whose newest segment may then grow
// under it.
#pragma once

#include <string>
#include <vector>

#include "base/ports.h"

namespace sluice::inspect {

struct LogVerdict {
  std::string directory;
  std::uint32_t segments = 0;
  std::uint64_t chunks = 0, records = 0, bytes = 0;
  base::Offset first_offset, next_offset;
  std::vector<std::string> problems;  // damage; each names file and byte
  std::vector<std::string> notes;     // what the next start of the server puts right by itself
};

base::Result<LogVerdict> verify_log(base::Disk& disk, const std::string& directory);

}  // namespace sluice::inspect
