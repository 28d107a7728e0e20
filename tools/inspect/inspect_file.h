// SPDX-License-Identifier: Apache-2.0
// Walks one .log, .index, .filter, .journal or .checkpoint file and tells a Printer every field, in the words
// of storage/FORMAT.md. Goes on behind damage as far as it can find its way. Called by main; reads through
// the disk port, so tests use a memory disk.
#pragma once

#include <string>

#include "base/ports.h"
#include "inspect/printer.h"

namespace sluice::inspect {

struct Detail {
  bool entries = false;  // also the entries of chunks and the values of filters
};

// The number of problems found; an error when the file cannot be read or its name says no kind.
base::Result<std::uint64_t> inspect_file(base::Disk& disk, const std::string& path, const Detail& detail,
                                         Printer& printer);

}  // namespace sluice::inspect
