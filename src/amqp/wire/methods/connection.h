// SPDX-License-Identifier: Apache-2.0
// Methods of class connection (10). Field order, types and ids: AMQP 0-9-1 specification with RabbitMQ's
// extensions.
#pragma once

#include "amqp/wire/codec.h"

namespace sluice::amqp::wire {

struct ConnectionStart {  // from the server
  static constexpr MethodId id{10, 10};
  static constexpr std::string_view name = "connection.start";
  std::uint8_t version_major = 0;
  std::uint8_t version_minor = 0;
  base::FieldTableView server_properties;
  std::string_view mechanisms;
  std::string_view locales;
  static constexpr auto fields() {
    return std::tuple{base::field("version-major", &ConnectionStart::version_major, ""),
                      base::field("version-minor", &ConnectionStart::version_minor, ""),
                      base::field("server-properties", &ConnectionStart::server_properties, ""),
                      base::field("mechanisms", &ConnectionStart::mechanisms, "", LongString{}),
                      base::field("locales", &ConnectionStart::locales, "", LongString{})};
  }
};

struct ConnectionStartOk {  // from the client
  static constexpr MethodId id{10, 11};
  static constexpr std::string_view name = "connection.start-ok";
  base::FieldTableView client_properties;
  std::string_view mechanism;
  std::string_view response;
  std::string_view locale;
  static constexpr auto fields() {
    return std::tuple{base::field("client-properties", &ConnectionStartOk::client_properties, ""),
                      base::field("mechanism", &ConnectionStartOk::mechanism, ""),
                      base::field("response", &ConnectionStartOk::response, "", LongString{}),
                      base::field("locale", &ConnectionStartOk::locale, "")};
  }
};

struct ConnectionSecure {  // from the server
  static constexpr MethodId id{10, 20};
  static constexpr std::string_view name = "connection.secure";
  std::string_view challenge;
  static constexpr auto fields() {
    return std::tuple{base::field("challenge", &ConnectionSecure::challenge, "", LongString{})};
  }
};

struct ConnectionSecureOk {  // from the client
  static constexpr MethodId id{10, 21};
  static constexpr std::string_view name = "connection.secure-ok";
  std::string_view response;
  static constexpr auto fields() {
    return std::tuple{base::field("response", &ConnectionSecureOk::response, "", LongString{})};
  }
};

struct ConnectionTune {  // from the server
  static constexpr MethodId id{10, 30};
  static constexpr std::string_view name = "connection.tune";
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  static constexpr auto fields() {
    return std::tuple{base::field("channel-max", &ConnectionTune::channel_max, "0 is no limit"),
                      base::field("frame-max", &ConnectionTune::frame_max, "bytes; 0 is no limit"),
                      base::field("heartbeat", &ConnectionTune::heartbeat, "seconds; 0 is none")};
  }
};

struct ConnectionTuneOk {  // from the client
  static constexpr MethodId id{10, 31};
  static constexpr std::string_view name = "connection.tune-ok";
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  static constexpr auto fields() {
    return std::tuple{base::field("channel-max", &ConnectionTuneOk::channel_max, "0 is no limit"),
                      base::field("frame-max", &ConnectionTuneOk::frame_max, "bytes; 0 is no limit"),
                      base::field("heartbeat", &ConnectionTuneOk::heartbeat, "seconds; 0 is none")};
  }
};

struct ConnectionOpen {  // from the client
  static constexpr MethodId id{10, 40};
  static constexpr std::string_view name = "connection.open";
  std::string_view virtual_host;
  std::string_view reserved_1;
  bool reserved_2 = false;
  static constexpr auto fields() {
    return std::tuple{base::field("virtual-host", &ConnectionOpen::virtual_host, "name"),
                      base::field("reserved-1", &ConnectionOpen::reserved_1, "not used"),
                      base::field("reserved-2", &ConnectionOpen::reserved_2, "")};
  }
};

struct ConnectionOpenOk {  // from the server
  static constexpr MethodId id{10, 41};
  static constexpr std::string_view name = "connection.open-ok";
  std::string_view reserved_1;
  static constexpr auto fields() {
    return std::tuple{base::field("reserved-1", &ConnectionOpenOk::reserved_1, "not used")};
  }
};

struct ConnectionClose {  // from either side
  static constexpr MethodId id{10, 50};
  static constexpr std::string_view name = "connection.close";
  std::uint16_t reply_code = 0;
  std::string_view reply_text;
  std::uint16_t class_id = 0;
  std::uint16_t method_id = 0;
  static constexpr auto fields() {
    return std::tuple{
        base::field("reply-code", &ConnectionClose::reply_code, "see the error table"),
        base::field("reply-text", &ConnectionClose::reply_text, "code name and explanation"),
        base::field("class-id", &ConnectionClose::class_id, "class of the method that failed, or 0"),
        base::field("method-id", &ConnectionClose::method_id, "method that failed, or 0")};
  }
};

struct ConnectionCloseOk {  // from either side
  static constexpr MethodId id{10, 51};
  static constexpr std::string_view name = "connection.close-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct ConnectionBlocked {  // from the server
  static constexpr MethodId id{10, 60};
  static constexpr std::string_view name = "connection.blocked";
  std::string_view reason;
  static constexpr auto fields() { return std::tuple{base::field("reason", &ConnectionBlocked::reason, "")}; }
};

struct ConnectionUnblocked {  // from the server
  static constexpr MethodId id{10, 61};
  static constexpr std::string_view name = "connection.unblocked";
  static constexpr auto fields() { return std::tuple<>{}; }
};

struct ConnectionUpdateSecret {  // from the client
  static constexpr MethodId id{10, 70};
  static constexpr std::string_view name = "connection.update-secret";
  std::string_view new_secret;
  std::string_view reason;
  static constexpr auto fields() {
    return std::tuple{base::field("new-secret", &ConnectionUpdateSecret::new_secret, "", LongString{}),
                      base::field("reason", &ConnectionUpdateSecret::reason, "")};
  }
};

struct ConnectionUpdateSecretOk {  // from the server
  static constexpr MethodId id{10, 71};
  static constexpr std::string_view name = "connection.update-secret-ok";
  static constexpr auto fields() { return std::tuple<>{}; }
};

}  // namespace sluice::amqp::wire
