// SPDX-License-Identifier: Apache-2.0
// What the stream views of one shard count, over all consumers that ever were. One instance per shard.
#pragma once

#include "base/metrics.h"

namespace sluice::queue {

struct Metrics {
  base::Counter chunks_delivered, chunks_from_file, chunks_cut, chunks_skipped, segments_skipped, damaged;

  static constexpr auto metrics() {
    using base::MetricKind;
    return std::tuple{
        base::metric("sluice_chunks_delivered_total", &Metrics::chunks_delivered, MetricKind::counter,
                     "chunks delivered to consumers, runs of matching messages included"),
        base::metric("sluice_chunks_delivered_from_file_total", &Metrics::chunks_from_file,
                     MetricKind::counter, "of these, chunks sent straight from the file"),
        base::metric("sluice_chunks_delivered_cut_total", &Metrics::chunks_cut, MetricKind::counter,
                     "of these, runs of matching messages cut out of a chunk"),
        base::metric("sluice_chunks_skipped_total", &Metrics::chunks_skipped, MetricKind::counter,
                     "chunks that filters ruled out, with those of skipped segments"),
        base::metric("sluice_segments_skipped_total", &Metrics::segments_skipped, MetricKind::counter,
                     "segments that filters ruled out and that were not opened"),
        base::metric("sluice_damaged_reads_total", &Metrics::damaged, MetricKind::counter,
                     "reads that ended at a damaged or unreadable place"),
    };
  }
};

}  // namespace sluice::queue
