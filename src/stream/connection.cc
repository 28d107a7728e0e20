// SPDX-License-Identifier: Apache-2.0
#include "stream/connection.h"

#include <fmt/format.h>

namespace sluice::stream {
namespace {

// Of the handshake: the smaller of the two that are not 0 ("no limit").
std::uint32_t initial_limit(const Options& options) {
  std::uint32_t limit = frame_bytes_max;
  if (options.initial_frame_max != 0) limit = std::min(limit, options.initial_frame_max);
  if (options.frame_max != 0) limit = std::min(limit, options.frame_max);
  return limit;
}

}  // namespace

Connection::Connection(Context& context, base::Transport& transport)
    : frame_max_bytes(initial_limit(context.node.options)),
      connected_at_ms(context.shard.clock.wall_ms()),
      context_(&context),
      transport_(&transport),
      alive_(std::make_shared<Connection*>(this)) {
  const base::PeerInfo& peer = transport.peer();
  name_ = fmt::format("{}:{} -> {}:{}", peer.peer_host, peer.peer_port, peer.host, peer.port);
  enter(State::connected);
}

void Connection::enter(State state) {
  state_ = state;
  switch (state) {
    case State::open:
      deadline_ms_ = 0;
      break;
    case State::closing:
    case State::close_sent:
      deadline_ms_ = now_ms() + close_timeout_ms;
      break;
    case State::refused:
      deadline_ms_ = now_ms() + tarpit_ms;
      break;
    default:
      deadline_ms_ = now_ms() + handshake_step_timeout_ms;
  }
}

void Connection::on_tick(std::int64_t now) {
  if (deadline_ms_ == 0 || now < deadline_ms_) return;
  if (state_ == State::refused) {
    outbox().write(held_back_);
    finish();
  } else if (state_ == State::close_sent) {
    drop("no answer to Close");
  } else if (state_ == State::closing) {
    dropped_ = true;  // the peer does not take what is left
  } else {
    drop("handshake step timed out");
  }
}

void Connection::close_with(streamproto::ResponseCode code, std::string_view reason,
                            std::string_view detail) {
  if (state_ != State::open) return;
  count(code);
  log(base::LogLevel::warning, "closing connection", detail.empty() ? reason : detail);
  send(streamproto::Close{code, reason}, 1);
  enter(State::close_sent);
}

void Connection::finish() {
  enter(State::closing);
}

void Connection::drop(std::string_view why) {
  if (dropped_) return;
  context_->metrics.connections_refused.add();
  log(base::LogLevel::warning, "dropping connection", why);
  dropped_ = true;
  enter(State::closing);
}

void Connection::refuse_later(base::ByteBuffer frame) {
  held_back_ = std::move(frame);
  context_->metrics.connections_refused.add();
  enter(State::refused);
}

base::Session::Closing Connection::closing() const {
  if (dropped_) return base::Session::Closing::now;
  return state_ == State::closing ? base::Session::Closing::after_flush : base::Session::Closing::no;
}

void Connection::on_closed() {
  alive_.reset();
}

std::string Connection::advertised_host() const {
  return options().advertised_host.empty() ? peer().host : options().advertised_host;
}

std::uint32_t Connection::advertised_port() const {
  return options().advertised_port == 0 ? peer().port : options().advertised_port;
}

void Connection::log(base::LogLevel level, std::string_view message, std::string_view why) {
  base::Logger& logger = context_->shard.logger;
  if (!logger.enabled(level)) return;
  if (why.empty()) {
    logger.write(level, "connection", message,
                 {{"connection", name_}, {"user", identity.user}, {"vhost", vhost}});
  } else {
    logger.write(
        level, "connection", message,
        {{"connection", name_}, {"user", identity.user}, {"vhost", vhost}, {"reason", std::string(why)}});
  }
}

}  // namespace sluice::stream
