// SPDX-License-Identifier: Apache-2.0
// GET /metrics in the Prometheus text format, under RabbitMQ's names where the meaning is the same, sluice_*
// where it is ours.
#pragma once

#include "http/message.h"
#include "http/node.h"

namespace sluice::http {

std::string prometheus_text(const Node& node);

// Answers /metrics and a page at / that points to it. `node` outlives the handler.
Handler metrics_handler(const Node& node);

}  // namespace sluice::http
