// SPDX-License-Identifier: Apache-2.0
// Bounds of one stream connection that are not options, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::stream {

inline constexpr std::size_t publishers_max = 256;
inline constexpr std::size_t subscriptions_max = 256;
inline constexpr std::size_t reference_bytes_max = 255;
// Stands for "no limit" of both sides: a frame is buffered whole, so there must be one.
inline constexpr std::uint32_t frame_bytes_max = 128U << 20;
inline constexpr std::size_t client_properties_bytes_max = 8192;  // kept for listings

inline constexpr std::int64_t handshake_step_timeout_ms = 10'000;
inline constexpr std::int64_t close_timeout_ms = 10'000;
inline constexpr std::int64_t tarpit_ms = 3'000;
inline constexpr std::int64_t consumer_update_timeout_ms = 60'000;

}  // namespace sluice::stream
