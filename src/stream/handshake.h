// SPDX-License-Identifier: Apache-2.0
// From the first byte to Open: peer properties, SASL, Tune, Open, in this order and no other; a wrong step
// ends the connection without a word. Also SaslAuthenticate on an open connection (a token is renewed).
// Reference: section 6.
#pragma once

#include "stream/connection.h"

namespace sluice::stream {

class Handshake {
 public:
  explicit Handshake(Connection& connection) : connection_(connection) {}

  // One frame of a connection that is not open yet; it may be afterwards.
  void on_frame(const streamproto::Frame& frame);

  // On an open connection. True: permissions are to be looked at again.
  bool reauthenticate(std::uint32_t correlation, const streamproto::SaslAuthenticate& request);

 private:
  void on(std::uint32_t correlation, const streamproto::PeerProperties& request);
  void on(std::uint32_t correlation, const streamproto::SaslHandshake& request);
  void on(std::uint32_t correlation, const streamproto::SaslAuthenticate& request);
  void on(std::uint32_t correlation, const streamproto::Tune& answer);
  void on(std::uint32_t correlation, const streamproto::TuneResponse& answer);
  void on(std::uint32_t correlation, const streamproto::Open& request);
  void on(std::uint32_t, const streamproto::Heartbeat&) {}

  void settle_limits(std::uint32_t frame_max_bytes, std::uint32_t heartbeat_s);
  base::Result<> enter_vhost(std::string_view vhost);
  void refuse(std::uint32_t correlation, streamproto::ResponseCode code);

  Connection& connection_;
  std::uint32_t negotiated_frame_max_bytes_ = 0;
};

}  // namespace sluice::stream
