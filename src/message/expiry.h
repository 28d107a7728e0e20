// SPDX-License-Identifier: Apache-2.0
// The longest that a message or a queue may be given to live, as its expiration, TTL or x-expires: ten years,
// as in RabbitMQ. Here because both what a message says and what a queue says is held against it.
#pragma once

#include <cstdint>

namespace sluice::message {

inline constexpr std::int64_t expiry_ms_max = 315'360'000'000;

}  // namespace sluice::message
