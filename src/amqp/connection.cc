// SPDX-License-Identifier: Apache-2.0
#include "amqp/connection.h"

#include "amqp/assembly.h"
#include "amqp/wire/methods.h"

namespace sluice::amqp {

Context::Context(base::Shard& in_shard, broker::Broker& in_broker, broker::Messaging& in_messaging,
                 Node& in_node, Metrics& in_metrics)
    : shard(in_shard), broker(in_broker), messaging(in_messaging), node(in_node), metrics(in_metrics) {}
Context::~Context() = default;

Connection::Connection(Context& context, base::Transport& transport)
    : frame_bytes(context.node.options.initial_frame_max),
      connected_at_ms(context.shard.clock.wall_ms()),
      context_(&context),
      transport_(&transport),
      alive_(std::make_shared<Connection*>(this)),
      deadline_ms_(now_ms() + context.node.options.handshake_timeout.value) {}

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
    case State::silent:
      deadline_ms_ = now_ms() + silent_close_ms;
      break;
    case State::connected:
    case State::starting:
    case State::tuning:
    case State::opening:
      break;  // one deadline for the whole handshake
  }
}

void Connection::on_tick(std::int64_t now) {
  if (deadline_ms_ == 0 || now < deadline_ms_ || dropped_) return;
  switch (state_) {
    case State::silent:
    case State::closing:
      dropped_ = true;
      break;
    case State::close_sent:
      drop("no answer to connection.close");
      break;
    default:
      drop("handshake_timeout");
  }
}

void Connection::close_with(const broker::Refusal& why, wire::MethodId method) {
  if (state_ == State::close_sent || state_ == State::closing || state_ == State::silent) return;
  const std::string text = reply_text(why);
  metrics().connection_errors.add();
  log(base::LogLevel::error, "Error on AMQP connection", text);
  send(0, wire::ConnectionClose{why.code, text, method.class_id, method.method_id});
  enter(State::close_sent);
}

void Connection::drop(std::string_view why) {
  if (dropped_) return;
  log(base::LogLevel::warning, "closing AMQP connection", why);
  dropped_ = true;
  enter(State::closing);
}

void Connection::drop_later(std::string_view why) {
  metrics().connections_refused.add();
  std::atomic<std::uint32_t>& held = context_->node.silent_closes;
  if (held.load(std::memory_order_relaxed) >= silent_closes_max) return drop(why);
  log(base::LogLevel::error, "Error on AMQP connection", why);
  held.fetch_add(1, std::memory_order_relaxed);
  held_back_ = true;
  enter(State::silent);
}

base::Session::Closing Connection::closing() const {
  if (dropped_) return base::Session::Closing::now;
  return state_ == State::closing ? base::Session::Closing::after_flush : base::Session::Closing::no;
}

void Connection::on_closed() {
  alive_.reset();
  if (std::exchange(held_back_, false)) {
    context_->node.silent_closes.fetch_sub(1, std::memory_order_relaxed);
  }
}

std::string Connection::name() const {
  return fmt::format("{}:{} -> {}:{}", peer().peer_host, peer().peer_port, peer().host, peer().port);
}

// RabbitMQ's lines name connection, user and vhost in the text; so do ours, for those who search for them.
void Connection::log(base::LogLevel level, std::string_view message, std::string_view why) const {
  base::Logger& logger = context_->shard.logger;
  if (!logger.enabled(level)) return;
  std::string line = fmt::format("{} ({}", message, name());
  if (!caller.vhost.empty()) {
    line += fmt::format(", vhost: '{}', user: '{}'", caller.vhost, caller.identity.user);
  }
  line += why.empty() ? ")" : "): ";
  line += why;
  logger.write(level, "connection", line, {{"connection", name()}, {"user", caller.identity.user}});
}

}  // namespace sluice::amqp
