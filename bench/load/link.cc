// SPDX-License-Identifier: Apache-2.0
#include "link.h"

#include <cstdio>

namespace sluice::bench {
namespace {

using streamproto::Frame;
using streamproto::Key;
using streamproto::ResponseCode;

constexpr std::size_t input_bytes_initial = 1024 * 1024;

}  // namespace

Link::Link(const Broker& broker) : Socket(broker.host, broker.port, input_bytes_initial) {
  handshake(broker);
}

void Link::handshake(const Broker& broker) {
  streamproto::PeerProperties peer;
  peer.properties = {{"product", "sluice bench"}, {"version", "0.1.0"}};
  int major = 0;
  int minor = 0;
  call<streamproto::PeerPropertiesResponse>(peer, [&](const auto& response) {
    const std::string version(streamproto::find_property(response.properties, "version"));
    std::sscanf(version.c_str(), "%d.%d", &major, &minor);
  });
  call<streamproto::SaslHandshakeResponse>(streamproto::SaslHandshake{});
  const std::string secret = std::string(1, '\0') + broker.user + std::string(1, '\0') + broker.password;
  streamproto::SaslAuthenticate authenticate;
  authenticate.mechanism = "PLAIN";
  authenticate.data = base::as_bytes(secret);
  bool tuned = false;
  const std::uint32_t correlation = next_correlation_++;
  send(authenticate, correlation);
  while (!tuned) {
    flush();
    wait_for(POLLIN);
    receive([&](const Frame& frame) {
      if (frame.key() == Key::tune) tuned = true;
      if (frame.key() != Key::sasl_authenticate) return;
      const auto response = streamproto::decode<streamproto::SaslAuthenticateResponse>(frame);
      if (!response || response->message.code != ResponseCode::ok) die("authentication refused");
    });
  }
  streamproto::TuneResponse tune;
  tune.frame_max_bytes = 1024 * 1024;
  tune.heartbeat_s = 0;
  send(tune);
  streamproto::Open open;
  open.vhost = broker.vhost;
  if (call<streamproto::OpenResponse>(open) != ResponseCode::ok) die("virtual host {} refused", broker.vhost);
  if (major < 3 || (major == 3 && minor < 11)) return;
  streamproto::ExchangeCommandVersions versions;
  versions.commands.push_back({Key::publish, 1, 2});
  versions.commands.push_back({Key::deliver, 1, 2});
  call<streamproto::ExchangeCommandVersionsResponse>(versions, [&](const auto& response) {
    for (const auto& row : response.commands) {
      if (row.key == Key::publish && row.max_version >= 2) filters_supported_ = true;
    }
  });
}

}  // namespace sluice::bench
