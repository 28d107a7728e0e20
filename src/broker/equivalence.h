// SPDX-License-Identifier: Apache-2.0
// May a declaration stand beside what is there already? The rules and texts of RabbitMQ's redeclaration
// checks (reference queues-and-amqp.md, sections 3 and 6). Pure; used by the catalog when it decides.
#pragma once

#include <string>

#include "base/error.h"
#include "broker/records.h"

namespace sluice::broker {

// Type, durable, auto_delete, internal and alternate-exchange; other arguments do not count.
base::Result<> check_equivalent(const ExchangeRecord& current, const ExchangeRecord& wanted);
// A quorum queue declared again as a classic one, where that is allowed: only arguments that change what it
// does.
base::Result<> check_relaxed(const QueueRecord& current, const QueueRecord& wanted);
// Owner (405), durable, auto_delete, then the arguments that queues of its type know.
base::Result<> check_equivalent(const QueueRecord& current, const QueueRecord& wanted);

}  // namespace sluice::broker
