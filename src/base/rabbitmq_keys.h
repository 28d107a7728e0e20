// SPDX-License-Identifier: Apache-2.0
// The keys of RabbitMQ's rabbitmq.conf, so that a file written for RabbitMQ is read as it is: a key of this
// list that no option of ours declares has no effect yet and is named in a warning; a key that is in neither
// is an error. In a pattern `*` stands for one or more parts, `$` for exactly one.
#pragma once

#include <string_view>

namespace sluice::base {

bool is_rabbitmq_key(std::string_view key);

}  // namespace sluice::base
