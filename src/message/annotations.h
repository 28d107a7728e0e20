// SPDX-License-Identifier: Apache-2.0
// Names of message annotations with a meaning in conversions: both directions (to_amqp10.cc, to_basic.cc) go
// by this list.
#pragma once

#include <string_view>

namespace sluice::message::annotation {

inline constexpr std::string_view exchange = "x-exchange";
inline constexpr std::string_view routing_key = "x-routing-key";
inline constexpr std::string_view cc = "x-cc";
inline constexpr std::string_view basic_prefix = "x-basic-";
inline constexpr std::string_view basic_type = "x-basic-type";
inline constexpr std::string_view basic_delivery_mode = "x-basic-delivery-mode";
inline constexpr std::string_view basic_priority = "x-basic-priority";
inline constexpr std::string_view basic_expiration = "x-basic-expiration";
inline constexpr std::string_view received_time = "x-opt-rabbitmq-received-time";
inline constexpr std::string_view deaths = "x-opt-deaths";
// Ours: the encoded AMQP 0-9-1 properties as they came (Keep::everything).
inline constexpr std::string_view kept_properties = "x-opt-basic-properties";

// Message annotations that stand for something else than a header of their name.
inline bool is_internal(std::string_view name) {
  return name == exchange || name == routing_key || name == cc || name == kept_properties ||
         name.starts_with(basic_prefix);
}

inline constexpr std::string_view queues_prefix = "/queues/";      // of reply-to addresses
inline constexpr std::string_view encoded_body_type = "amqp-1.0";  // property type: the body is sections
inline constexpr std::string_view uuid_prefix = "urn:uuid:";

}  // namespace sluice::message::annotation
