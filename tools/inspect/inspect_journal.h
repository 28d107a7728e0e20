// SPDX-License-Identifier: Apache-2.0
// Walks one .journal, .index or .checkpoint file of a journal and tells a Printer every field, in the words
// of storage/FORMAT.md. Goes on behind damage where a good batch follows. Called by inspect_file.
#pragma once

#include <memory>

#include "base/ports.h"
#include "inspect/inspect_file.h"

namespace sluice::inspect {

// Whether the file's first bytes are those of a journal's .index and not of a log's.
bool is_journal_index(const base::File& file);

// Each returns the number of problems found.
base::Result<std::uint64_t> inspect_journal(std::shared_ptr<base::File> file, const Detail& detail,
                                            Printer& printer);
base::Result<std::uint64_t> inspect_journal_index(const base::File& file, const Detail& detail,
                                                  Printer& printer);
base::Result<std::uint64_t> inspect_checkpoint(const base::File& file, const Detail& detail,
                                               Printer& printer);

}  // namespace sluice::inspect
