// SPDX-License-Identifier: Apache-2.0
// What a journal finds on disk when it is opened: the newest good checkpoint, the indexes of the files before
// it, the records behind it. Used by the journal's open() only.
//
// A power cut may leave the end of the journal torn: everything from the first bad batch on is cut, in later
// files, too. It is a torn end only as long as no batch behind it says that the place had been synced;
// otherwise it is damage: `corrupt` with file and byte, and nothing is changed. What a file held before it
// was written anew (journal_spares.h) is cut as well, but is nobody's loss: only what is torn is reported.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ports.h"
#include "storage/journal.h"
#include "storage/journal_map.h"
#include "storage/journal_metrics.h"
#include "storage/journal_reader.h"
#include "storage/journal_scan.h"

namespace sluice::storage {

struct RecoveredJournal {
  std::optional<std::uint64_t> checkpoint;      // the number of the newest one, from which we started
  std::vector<std::uint64_t> checkpoints;       // of which there are files
  std::uint64_t last_number = 0;                // of all files; 0: there is none
  std::uint64_t end_point = 0;                  // all before it is durable
  std::optional<JournalFileHeader> empty_file;  // the last one, when it has no records: it can be continued
  bool has_replayed = false;                    // there were records behind the checkpoint
};

// What stands behind a place that is no whole batch, in this file and those behind it.
base::Result<Remains> remains_behind(JournalReader& reader, const std::set<std::uint64_t>& files,
                                     std::uint64_t number, std::uint64_t position);

base::Result<RecoveredJournal> recover_journal(base::Shard& shard, const std::string& directory,
                                               JournalMap& map, JournalReader& reader,
                                               JournalVisitor& visitor, JournalMetrics& metrics);

}  // namespace sluice::storage
