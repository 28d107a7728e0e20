// SPDX-License-Identifier: Apache-2.0
// Bounds of one AMQP 0-9-1 connection that are not options, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::amqp {

inline constexpr std::uint32_t frame_bytes_min = 8'192;  // that may be negotiated
// Stands for "no limit" of both sides: a frame is buffered whole, so there must be one.
inline constexpr std::uint32_t frame_bytes_max = 32U << 20;
inline constexpr std::size_t client_properties_bytes_max = 8'192;  // kept for listings

inline constexpr std::int64_t close_timeout_ms = 30'000;
// A failed handshake is held back this long, for so many connections of the node at a time; more are closed
// at once.
inline constexpr std::int64_t silent_close_ms = 3'000;
inline constexpr std::uint32_t silent_closes_max = 1'000;

// Messages being put together on all channels of a connection; at least two of the largest size always fit.
inline constexpr std::uint64_t assembling_bytes_max = 256U << 20;
// What the publishes of one transaction may hold.
inline constexpr std::size_t transaction_bytes_max = 64U << 20;
inline constexpr std::size_t transaction_publishes_max = 1U << 20;
// Unsettled deliveries of a connection: nothing more is delivered from the first mark on until the client has
// settled enough to be below the second. A prefetch limit is usually far below.
inline constexpr std::size_t unsettled_max = 2'000'000;
inline constexpr std::size_t unsettled_resume = 1'500'000;

}  // namespace sluice::amqp
