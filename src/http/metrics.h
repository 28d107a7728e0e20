// SPDX-License-Identifier: Apache-2.0
// What the HTTP sessions of one shard count.
#pragma once

#include "base/metrics.h"

namespace sluice::http {

struct Metrics {
  base::Counter requests, bad_requests;
  static constexpr auto metrics() {
    using base::metric, base::MetricKind;
    return std::tuple{metric("sluice_http_requests_total", &Metrics::requests, MetricKind::counter,
                             "HTTP requests handled"),
                      metric("sluice_http_bad_requests_total", &Metrics::bad_requests, MetricKind::counter,
                             "HTTP connections ended because of malformed or late requests")};
  }
};

}  // namespace sluice::http
