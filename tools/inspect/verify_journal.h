// SPDX-License-Identifier: Apache-2.0
// Checks a whole journal directory: every batch and record, indexes against records, checkpoints, no gaps
// behind the newest checkpoint. Reads only; may run beside a server, whose newest file may then grow under
// it.
#pragma once

#include <string>
#include <vector>

#include "base/ports.h"

namespace sluice::inspect {

struct JournalVerdict {
  std::string directory;
  std::uint64_t files = 0, batches = 0, messages = 0, events = 0, bytes = 0;
  std::uint64_t checkpoint = 0;       // the newest good one; 0: none
  std::vector<std::string> problems;  // damage; each names file and byte
  std::vector<std::string> notes;     // what the next start of the server puts right by itself
};

base::Result<JournalVerdict> verify_journal(base::Disk& disk, const std::string& directory);

}  // namespace sluice::inspect
