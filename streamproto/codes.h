// SPDX-License-Identifier: Apache-2.0
// Keys and response codes of the native stream protocol (reference: stream-protocol.md, sections 4 and 5).
// Used by both ends. A value read from the wire may be none of the enumerators: to_string says "unknown"
// then.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::streamproto {

enum class Key : std::uint16_t {
  declare_publisher = 1,
  publish = 2,
  publish_confirm = 3,
  publish_error = 4,
  query_publisher_sequence = 5,
  delete_publisher = 6,
  subscribe = 7,
  deliver = 8,
  credit = 9,
  store_offset = 10,
  query_offset = 11,
  unsubscribe = 12,
  create = 13,
  delete_stream = 14,
  metadata = 15,
  metadata_update = 16,
  peer_properties = 17,
  sasl_handshake = 18,
  sasl_authenticate = 19,
  tune = 20,
  open = 21,
  close = 22,
  heartbeat = 23,
  route = 24,
  partitions = 25,
  consumer_update = 26,
  exchange_command_versions = 27,
  stream_stats = 28,
  create_super_stream = 29,
  delete_super_stream = 30,
  resolve_offset_spec = 31,
};

// Stands in the key of every response.
inline constexpr std::uint16_t response_bit = 0x8000;

enum class ResponseCode : std::uint16_t {
  ok = 1,
  stream_does_not_exist = 2,
  subscription_id_already_exists = 3,
  subscription_id_does_not_exist = 4,
  stream_already_exists = 5,
  stream_not_available = 6,
  sasl_mechanism_not_supported = 7,
  authentication_failure = 8,
  sasl_error = 9,
  sasl_challenge = 10,
  sasl_authentication_failure_loopback = 11,
  vhost_access_failure = 12,
  unknown_frame = 13,
  frame_too_large = 14,
  internal_error = 15,
  access_refused = 16,
  precondition_failed = 17,
  publisher_does_not_exist = 18,
  no_offset = 19,
  sasl_cannot_change_mechanism = 20,
  sasl_cannot_change_username = 21,
};

struct ResponseCodeName {
  ResponseCode code;
  std::string_view name;  // as in the names of the metrics rabbitmq_global_stream_error_<name>_total
};

inline constexpr std::array response_code_names = {
    ResponseCodeName{ResponseCode::ok, "ok"},
    ResponseCodeName{ResponseCode::stream_does_not_exist, "stream_does_not_exist"},
    ResponseCodeName{ResponseCode::subscription_id_already_exists, "subscription_id_already_exists"},
    ResponseCodeName{ResponseCode::subscription_id_does_not_exist, "subscription_id_does_not_exist"},
    ResponseCodeName{ResponseCode::stream_already_exists, "stream_already_exists"},
    ResponseCodeName{ResponseCode::stream_not_available, "stream_not_available"},
    ResponseCodeName{ResponseCode::sasl_mechanism_not_supported, "sasl_mechanism_not_supported"},
    ResponseCodeName{ResponseCode::authentication_failure, "authentication_failure"},
    ResponseCodeName{ResponseCode::sasl_error, "sasl_error"},
    ResponseCodeName{ResponseCode::sasl_challenge, "sasl_challenge"},
    ResponseCodeName{ResponseCode::sasl_authentication_failure_loopback,
                     "sasl_authentication_failure_loopback"},
    ResponseCodeName{ResponseCode::vhost_access_failure, "vhost_access_failure"},
    ResponseCodeName{ResponseCode::unknown_frame, "unknown_frame"},
    ResponseCodeName{ResponseCode::frame_too_large, "frame_too_large"},
    ResponseCodeName{ResponseCode::internal_error, "internal_error"},
    ResponseCodeName{ResponseCode::access_refused, "access_refused"},
    ResponseCodeName{ResponseCode::precondition_failed, "precondition_failed"},
    ResponseCodeName{ResponseCode::publisher_does_not_exist, "publisher_does_not_exist"},
    ResponseCodeName{ResponseCode::no_offset, "no_offset"},
    ResponseCodeName{ResponseCode::sasl_cannot_change_mechanism, "sasl_cannot_change_mechanism"},
    ResponseCodeName{ResponseCode::sasl_cannot_change_username, "sasl_cannot_change_username"},
};

constexpr std::string_view to_string(ResponseCode code) {
  for (const ResponseCodeName& row : response_code_names) {
    if (row.code == code) return row.name;
  }
  return "unknown";
}

}  // namespace sluice::streamproto
