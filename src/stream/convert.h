// SPDX-License-Identifier: Apache-2.0
// From the protocol's words to the broker's: offset specs, properties, arguments.
#pragma once

#include "broker/types.h"
#include "streamproto/command.h"
#include "streamproto/offset_spec.h"

namespace sluice::stream {

// `spec` must not be of type none.
broker::OffsetSpec to_broker(const streamproto::OffsetSpec& spec);

std::vector<std::pair<std::string, std::string>> to_strings(const streamproto::Properties& properties);
broker::StreamArguments to_arguments(const streamproto::Properties& properties);
bool is_single_active(const streamproto::Properties& properties);

broker::SubscribeRequest subscribe_request(std::string_view vhost, std::string_view stream,
                                           const streamproto::OffsetSpec& spec,
                                           const streamproto::Properties& properties, std::uint32_t credit);

}  // namespace sluice::stream
