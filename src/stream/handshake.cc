// SPDX-License-Identifier: Apache-2.0
#include "stream/handshake.h"

#include <fmt/format.h>

#include "broker/sasl.h"

namespace sluice::stream {

using namespace streamproto;

namespace {

// Clients parse this and use commands up to RabbitMQ's of that version.
constexpr std::string_view protocol_version = "4.3.0";

// 0 means no limit; where both sides have none, ours holds.
std::uint32_t negotiate(std::uint32_t ours, std::uint32_t theirs) {
  std::uint32_t limit = ours == 0 ? theirs : ours;
  if (theirs != 0) limit = std::min(limit, theirs);
  return limit == 0 ? frame_bytes_max : std::min(limit, frame_bytes_max);
}

}  // namespace

void Handshake::on_frame(const Frame& frame) {
  const auto only = [&](auto commands) {
    const base::Result<> outcome =
        dispatch(commands, frame,
                 [this](std::uint32_t correlation, const auto& message) { this->on(correlation, message); });
    if (!outcome) connection_.drop("handshake: " + outcome.error().text);
  };
  switch (connection_.state()) {
    case State::connected:
      return only(CommandList<PeerProperties>{});
    case State::peer_properties_exchanged:
      return only(CommandList<SaslHandshake>{});
    case State::authenticating:
      return only(CommandList<SaslAuthenticate>{});
    case State::tuning:
      return only(CommandList<Tune, TuneResponse>{});
    case State::tuned:
      return only(CommandList<Open, Heartbeat>{});
    default:
      return;
  }
}

void Handshake::on(std::uint32_t correlation, const PeerProperties& request) {
  std::size_t kept_bytes = 0;
  for (const Property& property : request.properties) {
    kept_bytes += property.key.size() + property.value.size();
    if (kept_bytes > client_properties_bytes_max) break;
    connection_.client_properties.emplace_back(property.key, property.value);
  }
  const Node& node = connection_.context().node;
  connection_.send(PeerPropertiesResponse{ResponseCode::ok,
                                          {{"product", "Sluice"},
                                           {"version", protocol_version},
                                           {"sluice_version", node.sluice_version},
                                           {"cluster_name", node.cluster_name},
                                           {"platform", "C++"},
                                           {"copyright", "The Sluice authors"},
                                           {"information", "Licensed under the Apache License 2.0"}}},
                   correlation);
  connection_.enter(State::peer_properties_exchanged);
}

void Handshake::on(std::uint32_t correlation, const SaslHandshake&) {
  connection_.send(SaslHandshakeResponse{ResponseCode::ok,
                                         {broker::sasl_mechanisms.begin(), broker::sasl_mechanisms.end()}},
                   correlation);
  connection_.enter(State::authenticating);
}

void Handshake::on(std::uint32_t correlation, const SaslAuthenticate& request) {
  const auto end_with = [&](ResponseCode code, std::string_view why) {
    connection_.log(base::LogLevel::warning, "authentication refused", why);
    connection_.metrics().connections_refused.add();
    connection_.send(SaslAuthenticateResponse{code, {}}, correlation);
    connection_.finish();
  };
  if (!broker::is_sasl_mechanism(request.mechanism)) {
    return end_with(ResponseCode::sasl_mechanism_not_supported, request.mechanism);
  }
  auto credentials = broker::parse_sasl(request.mechanism, request.data.value_or(ByteView{}));
  if (!credentials) return end_with(ResponseCode::sasl_error, credentials.error().text);
  credentials->loopback = connection_.peer().loopback;
  auto identity = connection_.broker().authenticate(*credentials);
  if (!identity) {
    const ResponseCode code = response_code(identity.error().code);
    if (code == ResponseCode::sasl_authentication_failure_loopback)
      return end_with(code, identity.error().text);
    connection_.log(base::LogLevel::warning, "authentication refused", identity.error().text);
    return refuse(correlation, ResponseCode::authentication_failure);
  }
  connection_.identity = std::move(*identity);
  connection_.mechanism = request.mechanism;
  connection_.send(SaslAuthenticateResponse{ResponseCode::ok, {}}, correlation);
  connection_.send(Tune{connection_.options().frame_max, connection_.options().heartbeat});
  connection_.enter(State::tuning);
}

// A failure to authenticate is answered late, so that guessing is slow.
void Handshake::refuse(std::uint32_t correlation, ResponseCode code) {
  connection_.count(code);
  ByteBuffer frame;
  encode(SaslAuthenticateResponse{code, {}}, correlation, frame);
  connection_.refuse_later(std::move(frame));
}

void Handshake::on(std::uint32_t, const Tune& answer) {
  settle_limits(answer.frame_max_bytes, answer.heartbeat_s);
}

void Handshake::on(std::uint32_t, const TuneResponse& answer) {
  settle_limits(answer.frame_max_bytes, answer.heartbeat_s);
}

void Handshake::settle_limits(std::uint32_t frame_max_bytes, std::uint32_t heartbeat_s) {
  // Holds from Open on; until then the limit of the handshake stays.
  negotiated_frame_max_bytes_ = negotiate(connection_.options().frame_max, frame_max_bytes);
  connection_.heartbeat_s = heartbeat_s;
  connection_.enter(State::tuned);
}

base::Result<> Handshake::enter_vhost(std::string_view vhost) {
  Node& node = connection_.context().node;
  const std::uint32_t limit = node.options.max_connections;
  if (limit != 0 && node.open_connections.load(std::memory_order_relaxed) >= limit) {
    return base::fail(base::Errc::vhost_access_refused, fmt::format("{} connections are open", limit));
  }
  return connection_.broker().open_vhost(connection_.identity, vhost);
}

void Handshake::on(std::uint32_t correlation, const Open& request) {
  connection_.vhost = request.vhost;
  if (const auto entered = enter_vhost(request.vhost); !entered) {
    connection_.log(base::LogLevel::warning, "virtual host refused", entered.error().text);
    connection_.count(ResponseCode::vhost_access_failure);
    ByteBuffer frame;
    encode(OpenResponse{ResponseCode::vhost_access_failure, {}}, correlation, frame);
    return connection_.refuse_later(std::move(frame));
  }
  connection_.frame_max_bytes = negotiated_frame_max_bytes_;
  const std::string host = connection_.advertised_host();
  const std::string port = std::to_string(connection_.advertised_port());
  connection_.send(OpenResponse{ResponseCode::ok, {{"advertised_host", host}, {"advertised_port", port}}},
                   correlation);
  connection_.enter(State::open);
  connection_.log(base::LogLevel::info, "connection opened");
}

bool Handshake::reauthenticate(std::uint32_t correlation, const SaslAuthenticate& request) {
  const auto refuse_with = [&](ResponseCode code, std::string_view why) {
    connection_.log(base::LogLevel::warning, "renewed authentication refused", why);
    refuse(correlation, code);
    return false;
  };
  if (request.mechanism != connection_.mechanism) {
    return refuse_with(ResponseCode::sasl_cannot_change_mechanism, request.mechanism);
  }
  auto credentials = broker::parse_sasl(request.mechanism, request.data.value_or(ByteView{}));
  if (!credentials) return refuse_with(ResponseCode::sasl_error, credentials.error().text);
  credentials->loopback = connection_.peer().loopback;
  auto identity = connection_.broker().authenticate(*credentials);
  if (!identity) return refuse_with(ResponseCode::authentication_failure, identity.error().text);
  if (identity->user != connection_.identity.user) {
    return refuse_with(ResponseCode::sasl_cannot_change_username, identity->user);
  }
  if (const auto entered = connection_.broker().open_vhost(*identity, connection_.vhost); !entered) {
    return refuse_with(ResponseCode::vhost_access_failure, entered.error().text);
  }
  connection_.identity = std::move(*identity);
  connection_.send(SaslAuthenticateResponse{ResponseCode::ok, {}}, correlation);
  return true;
}

}  // namespace sluice::stream
