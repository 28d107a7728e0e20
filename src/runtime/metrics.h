// SPDX-License-Identifier: Apache-2.0
// What a shard's loop counts about itself.
#pragma once

#include "base/metrics.h"

namespace sluice::runtime {

struct LoopMetrics {
  base::Counter turns, received_bytes, connections, connections_opened, connections_closed, connections_moved,
      connections_refused, accept_pauses, input_pauses;

  static constexpr auto metrics() {
    using base::metric, base::MetricKind;
    using M = LoopMetrics;
    return std::tuple{
        metric("sluice_loop_turns_total", &M::turns, MetricKind::counter, "turns of the shards' loops"),
        metric("sluice_bytes_received_total", &M::received_bytes, MetricKind::counter,
               "bytes read from sockets"),
        metric("sluice_sockets", &M::connections, MetricKind::gauge, "open sockets of every protocol"),
        metric("sluice_sockets_opened_total", &M::connections_opened, MetricKind::counter,
               "sockets accepted"),
        metric("sluice_sockets_closed_total", &M::connections_closed, MetricKind::counter, "sockets closed"),
        metric("sluice_sockets_refused_total", &M::connections_refused, MetricKind::counter,
               "sockets closed at once because the listener was at its limit"),
        metric("sluice_sockets_moved_total", &M::connections_moved, MetricKind::counter,
               "sockets handed to another shard"),
        metric("sluice_accept_pauses_total", &M::accept_pauses, MetricKind::counter,
               "times accepting paused because file descriptors ran out"),
        metric("sluice_input_pauses_total", &M::input_pauses, MetricKind::counter,
               "turns in which no socket was read because mail or background work was full")};
  }
};

}  // namespace sluice::runtime
