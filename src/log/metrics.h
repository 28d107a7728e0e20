// SPDX-License-Identifier: Apache-2.0
// What the logs of one shard count. One instance per shard, shared by its logs.
#pragma once

#include "base/metrics.h"

namespace sluice::log {

struct Metrics {
  base::Counter chunks, messages, bytes, duplicates, refused, syncs, failures, pending_bytes;

  static constexpr auto metrics() {
    using base::MetricKind;
    return std::tuple{
        base::metric("sluice_log_chunks_written_total", &Metrics::chunks, MetricKind::counter,
                     "chunks appended to logs"),
        base::metric("sluice_log_messages_written_total", &Metrics::messages, MetricKind::counter,
                     "messages in those chunks"),
        base::metric("sluice_log_bytes_written_total", &Metrics::bytes, MetricKind::counter,
                     "bytes of those chunks, headers and trailers included"),
        base::metric("sluice_log_duplicates_total", &Metrics::duplicates, MetricKind::counter,
                     "entries not stored because their publishing id was not new"),
        base::metric("sluice_log_refused_total", &Metrics::refused, MetricKind::counter,
                     "entries refused because their log is offline"),
        base::metric("sluice_log_syncs_total", &Metrics::syncs, MetricKind::counter,
                     "group commits started for logs with durability synced"),
        base::metric("sluice_log_failures_total", &Metrics::failures, MetricKind::counter,
                     "logs that went offline because a write or sync failed"),
        base::metric("sluice_log_pending_bytes", &Metrics::pending_bytes, MetricKind::gauge,
                     "bytes written and not yet committed"),
    };
  }
};

}  // namespace sluice::log
