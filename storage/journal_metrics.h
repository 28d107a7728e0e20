// SPDX-License-Identifier: Apache-2.0
// What the journal of one shard counts. One instance per shard.
#pragma once

#include "base/metrics.h"

namespace sluice::storage {

struct JournalMetrics {
  base::Counter messages, events, bytes, writes, syncs, failures, pending_bytes;
  base::Counter files, disk_bytes, live_bytes, removed_files, reused_files;
  base::Counter compacted_messages, compacted_bytes, checkpoints, checkpoint_bytes;
  base::Counter tail_reads, disk_reads, disk_read_bytes;
  base::Counter recovery_ms, recovered_messages, cut_bytes;

  static constexpr auto metrics() {
    using base::MetricKind;
    using Me = JournalMetrics;
    constexpr auto counter = MetricKind::counter;
    constexpr auto gauge = MetricKind::gauge;
    return std::tuple{
        base::metric("sluice_journal_messages_written_total", &Me::messages, counter,
                     "messages appended to journals, once however many queues they reached"),
        base::metric("sluice_journal_events_written_total", &Me::events, counter,
                     "events of queues appended to journals"),
        base::metric("sluice_journal_bytes_written_total", &Me::bytes, counter,
                     "bytes appended to journals, copies by compaction included"),
        base::metric("sluice_journal_writes_total", &Me::writes, counter, "writes of journals, one a turn"),
        base::metric("sluice_journal_syncs_total", &Me::syncs, counter, "group commits of journals"),
        base::metric("sluice_journal_failures_total", &Me::failures, counter,
                     "journals that went offline because a write or sync failed"),
        base::metric("sluice_journal_pending_bytes", &Me::pending_bytes, gauge,
                     "bytes appended to journals and not yet synced"),
        base::metric("sluice_journal_files", &Me::files, gauge, "journal files"),
        base::metric("sluice_journal_disk_bytes", &Me::disk_bytes, gauge, "bytes of journal files"),
        base::metric("sluice_journal_live_bytes", &Me::live_bytes, gauge,
                     "bytes of messages in journal files that some queue still needs, about"),
        base::metric("sluice_journal_files_removed_total", &Me::removed_files, counter,
                     "journal files of which nothing was needed any more"),
        base::metric("sluice_journal_files_reused_total", &Me::reused_files, counter,
                     "journal files that were written over a file of which nothing was needed any more"),
        base::metric("sluice_journal_compacted_messages_total", &Me::compacted_messages, counter,
                     "messages copied forward by compaction"),
        base::metric("sluice_journal_compacted_bytes_total", &Me::compacted_bytes, counter,
                     "bytes copied forward by compaction"),
        base::metric("sluice_journal_checkpoints_total", &Me::checkpoints, counter,
                     "checkpoints of journals"),
        base::metric("sluice_journal_checkpoint_bytes_total", &Me::checkpoint_bytes, counter,
                     "bytes of those checkpoints, without the indexes"),
        base::metric("sluice_journal_tail_reads_total", &Me::tail_reads, counter,
                     "messages read from the journal's tail in memory"),
        base::metric("sluice_journal_disk_reads_total", &Me::disk_reads, counter,
                     "reads of journal and index files"),
        base::metric("sluice_journal_disk_read_bytes_total", &Me::disk_read_bytes, counter,
                     "bytes of those reads"),
        base::metric("sluice_journal_recovery_ms", &Me::recovery_ms, gauge,
                     "how long opening the journals took"),
        base::metric("sluice_journal_recovered_messages", &Me::recovered_messages, gauge,
                     "messages read behind the last checkpoint when the journals were opened"),
        base::metric("sluice_journal_cut_bytes", &Me::cut_bytes, gauge,
                     "bytes cut off as a torn end when the journals were opened"),
    };
  }
};

}  // namespace sluice::storage
