// SPDX-License-Identifier: Apache-2.0
// Input: frames are cut here and go to the part that understands them; then what the broker reports, and
// time. How a session begins, moves and ends is in session_life.cc.
#include "amqp/session.h"

#include <algorithm>

#include "base/erlang_text.h"

namespace sluice::amqp {

using namespace wire;

namespace {

// What a client may send on an open channel, the frequent ones first.
using ChannelMethods =
    MethodList<BasicPublish, BasicAck, BasicNack, BasicReject, BasicGet, BasicQos, BasicConsume, BasicCancel,
               BasicCancelOk, BasicRecover, BasicRecoverAsync, ConfirmSelect, TxSelect, TxCommit, TxRollback,
               ExchangeDeclare, ExchangeDelete, ExchangeBind, ExchangeUnbind, QueueDeclare, QueueBind,
               QueueUnbind, QueuePurge, QueueDelete, ChannelOpen, ChannelClose, ChannelCloseOk, ChannelFlow,
               ChannelFlowOk, AccessRequest>;

}  // namespace

// ---- bytes

bool Session::processing() const {
  if (!connection_.is_open()) return true;
  return !connection_.awaiting() && !publish_waits_ && !moving_ &&
         connection_.outbox().pending_bytes() < base::PeerWatch::outbox_input_stop_bytes;
}

std::size_t Session::on_bytes(base::ByteView input) {
  watch_.on_received(connection_.now_ms());
  std::size_t used = 0;
  if (connection_.state() == State::connected) {
    used = handshake_.on_header(input);
    if (used == 0) return 0;
  }
  take_frames(input, used);
  received_bytes_ += used;
  if (moving_) return used;
  channels_.settlements.flush();
  if (connection_.is_open()) consuming_.update_ready();
  if (!connection_.is_open()) leave();
  return used;
}

void Session::take_frames(base::ByteView input, std::size_t& used) {
  FrameReader reader(input.subspan(used));
  const std::size_t begin = used;
  while (processing()) {
    if (connection_.state() == State::closing || connection_.state() == State::silent) {
      used = input.size();
      return;
    }
    FrameReader ahead = reader;
    Frame frame;
    const FrameReader::Status status = ahead.next(connection_.frame_bytes, frame);
    if (status == FrameReader::Status::need_more) break;
    if (status != FrameReader::Status::frame) {
      on_bad_frame(status, input.subspan(begin + reader.used_bytes()));
      continue;
    }
    if (must_wait(frame)) break;
    if (!placed_ && move_to_queue(frame)) break;
    reader = ahead;
    ++received_frames_;
    connection_.metrics().frames_received.add();
    on_frame(frame, reader);
  }
  used = begin + reader.used_bytes();
}

// A publish stays in the input while publishing is stopped; what else the client sends is still taken.
bool Session::must_wait(const Frame& frame) {
  if (may_publish_ && alarm_.empty()) return false;
  if (!connection_.is_open() || frame.type != FrameType::method || method_of(frame) != BasicPublish::id) {
    return false;
  }
  publish_waits_ = true;
  send_blocked();
  return true;
}

void Session::on_bad_frame(FrameReader::Status status, base::ByteView rest) {
  const auto size = base::load_be<std::uint32_t>(rest.data() + 3);
  const std::size_t here = std::min<std::size_t>(size, rest.size() - 7);
  const base::ByteView payload = rest.subspan(7, here);
  const std::string what = [&]() -> std::string {
    if (status == FrameReader::Status::too_large) {
      return fmt::format("{{frame_too_large,{},{}}}", size, connection_.frame_bytes - frame_overhead_bytes);
    }
    if (status == FrameReader::Status::bad_end) {
      return fmt::format("{{invalid_frame_end_marker,{}}}", rest[7 + size]);
    }
    return "unknown_frame";
  }();
  const auto why =
      refuse(ReplyCode::frame_error, "type {}, {}: {}", rest[0], base::octets_text(payload), what);
  if (!connection_.is_open()) {
    connection_.state() == State::close_sent ? connection_.finish()
                                             : connection_.drop_later(why.error().text);
    return;
  }
  // Nobody can tell where the next frame begins, so the client's answer is not waited for.
  connection_.close_with(why.error(), {});
  connection_.finish();
}

void Session::on_frame(const Frame& frame, FrameReader& behind) {
  if (connection_.state() == State::close_sent) return on_closing_frame(frame);
  if (frame.type == FrameType::heartbeat) {
    if (frame.channel == 0 && frame.payload.empty()) return;
    const std::string octets = base::octets_text(frame.payload);
    const auto why = frame.payload.empty()
                         ? refuse(ReplyCode::unexpected_frame, "type 8, {}", octets)
                         : refuse(ReplyCode::frame_error, "type 8, {}: unknown_frame", octets);
    if (!connection_.is_open()) return connection_.drop_later(why.error().text);
    return connection_.close_with(why.error(), {});
  }
  if (frame.channel != 0) {
    if (connection_.is_open()) return on_channel_frame(frame, behind);
    return connection_.drop_later("a frame on a channel before the connection is open");
  }
  if (frame.type != FrameType::method || frame.payload.size() < 4) {
    if (!connection_.is_open()) return connection_.drop_later("not a method in the handshake");
    const auto why = refuse(ReplyCode::unexpected_frame, "type {}, {}", static_cast<int>(frame.type),
                            base::octets_text(frame.payload));
    return connection_.close_with(why.error(), {});
  }
  on_connection_method(method_of(frame), frame.payload.subspan(4));
}

// ---- channel 0

void Session::on_connection_method(MethodId id, base::ByteView arguments) {
  const State state = connection_.state();
  bool expected = true;
  const auto malformed = [&](const base::Error&) { cannot_decode(id, arguments); };
  MethodList<ConnectionStartOk, ConnectionTuneOk, ConnectionOpen, ConnectionClose, ConnectionUpdateSecret>::
          dispatch(
              id, arguments,
              [&]<class M>(const M& method) {
                if constexpr (std::is_same_v<M, ConnectionClose>) {
                  connection_.log(base::LogLevel::info, "closing AMQP connection", method.reply_text);
                  on_goodbye();
                } else if constexpr (std::is_same_v<M, ConnectionOpen>) {
                  expected = state == State::opening;
                  if (expected && handshake_.on(method)) open();
                } else {
                  constexpr State due = std::is_same_v<M, ConnectionStartOk>  ? State::starting
                                        : std::is_same_v<M, ConnectionTuneOk> ? State::tuning
                                                                              : State::open;
                  expected = state == due;
                  if (expected) handshake_.on(method);
                }
              },
              malformed) ||
      (expected = false);
  if (expected) return;
  if (!connection_.is_open()) return connection_.drop_later("a step of the handshake out of order");
  const auto why = refuse(ReplyCode::channel_error, "unexpected method in connection state running");
  connection_.close_with(why.error(), id);
}

void Session::cannot_decode(MethodId id, base::ByteView arguments) {
  if (!connection_.is_open()) return connection_.drop_later("a malformed method in the handshake");
  const auto why = refuse(ReplyCode::frame_error, "cannot decode {}", base::binary_text(arguments));
  connection_.close_with(why.error(), id);
}

void Session::on_closing_frame(const Frame& frame) {
  if (frame.type != FrameType::method || frame.channel != 0 || frame.payload.size() < 4) return;
  const MethodId id = method_of(frame);
  if (id == ConnectionClose::id) connection_.send(0, ConnectionCloseOk{});
  if (id == ConnectionClose::id || id == ConnectionCloseOk::id) connection_.finish();
}

// ---- other channels

void Session::on_channel_frame(const Frame& frame, FrameReader& behind) {
  if (frame.type == FrameType::method) {
    if (frame.payload.size() < 4) return cannot_decode({}, frame.payload);
    return on_channel_method(frame.channel, method_of(frame), frame.payload.subspan(4), behind);
  }
  Channel* const channel = channels_.find(frame.channel);
  if (channel == nullptr) {
    return connection_.close_with(refuse(ReplyCode::channel_error, "expected 'channel.open'").error(), {});
  }
  if (!channel->closing) publishing_.on_content(*channel, frame);
}

// Handlers of methods: each answers, or returns what was wrong with it.
struct Session::Dispatcher {
  Session& session;
  Channel& channel;
  FrameReader& behind;
  broker::Outcome<> outcome = {};

  void operator()(const BasicPublish& method) { session.publishing_.on(channel, method, behind); }
  void operator()(const ChannelOpen&) {
    outcome = refuse(ReplyCode::channel_error, "second 'channel.open' seen");
  }
  void operator()(const ChannelClose&) { session.channels_.on_close(channel); }
  void operator()(const ChannelFlow& method) {
    if (!method.active) {
      outcome = refuse(ReplyCode::not_implemented, "active=false");
    } else {
      session.connection_.send(channel.number, ChannelFlowOk{true});
    }
  }
  void operator()(const AccessRequest&) { session.connection_.send(channel.number, AccessRequestOk{1}); }
  void operator()(const ChannelFlowOk&) {}
  void operator()(const BasicCancelOk&) {}
  void operator()(const ChannelCloseOk&) {
    outcome = refuse(ReplyCode::command_invalid, "unimplemented method");
  }
  template <class M>
  void operator()(const M& method) {
    constexpr bool settles =
        std::is_same_v<M, BasicAck> || std::is_same_v<M, BasicNack> || std::is_same_v<M, BasicReject>;
    if constexpr (!settles) session.channels_.settlements.flush();
    if constexpr (requires { session.consuming_.on(channel, method); }) {
      outcome = session.consuming_.on(channel, method);
    } else if constexpr (requires { session.publishing_.on(channel, method); }) {
      outcome = session.publishing_.on(channel, method);
    } else {
      outcome = session.topology_.on(channel, method);
    }
  }
};

void Session::on_channel_method(std::uint16_t number, MethodId id, base::ByteView arguments,
                                FrameReader& behind) {
  Channel* const channel = channels_.find(number);
  if (channel == nullptr) {
    if (id == ChannelOpen::id) {
      return decode<ChannelOpen>(arguments) ? channels_.on_open(number) : cannot_decode(id, arguments);
    }
    // A client may answer a channel.close that crossed its own.
    if (id == ChannelCloseOk::id) return;
    return connection_.close_with(refuse(ReplyCode::channel_error, "expected 'channel.open'").error(), id);
  }
  if (channel->closing) {
    if (id == ChannelCloseOk::id) return channels_.on_close_ok(*channel);
    if (id == ChannelClose::id) return channels_.on_close(*channel);
    return;
  }
  if (channel->assembly) return publishing_.on_missing_content(*channel);
  Dispatcher dispatcher{*this, *channel, behind};
  const bool known = ChannelMethods::dispatch(id, arguments, dispatcher,
                                              [&](const base::Error&) { cannot_decode(id, arguments); });
  if (!known) dispatcher.outcome = refuse(ReplyCode::command_invalid, "unimplemented method");
  if (dispatcher.outcome) return;
  channels_.fail(*channel, dispatcher.outcome.error(), id);
}

// ---- broker events

void Session::on_published(std::uint16_t channel, std::span<const std::uint64_t> confirms, bool accepted) {
  publishing_.on_published(channel, confirms, accepted);
  connection_.wake();
}

void Session::on_delivered(std::uint16_t channel, std::string_view consumer_tag,
                           const broker::Delivery& delivery) {
  consuming_.on_delivered(channel, consumer_tag, delivery);
  connection_.wake();
}

void Session::on_consumer_cancelled(std::uint16_t channel, std::string_view consumer_tag) {
  if (connection_.is_open()) consuming_.on_cancelled(channel, consumer_tag);
  connection_.wake();
}

void Session::on_channel_refused(std::uint16_t number, const broker::Refusal& why) {
  Channel* const channel = channels_.find_open(number);
  if (channel != nullptr && connection_.is_open()) channels_.fail(*channel, why, {});
  connection_.wake();
}

void Session::on_blocked(std::optional<std::string_view> reason) {
  alarm_ = reason.value_or("");
  if (publish_waits_ && !alarm_.empty()) send_blocked();
  if (alarm_.empty() && std::exchange(blocked_sent_, false)) connection_.send(0, ConnectionUnblocked{});
  if (alarm_.empty() && may_publish_) publish_waits_ = false;
  connection_.wake();
}

void Session::on_flow(bool may_publish) {
  may_publish_ = may_publish;
  if (alarm_.empty() && may_publish_) publish_waits_ = false;
  connection_.wake();
}

void Session::send_blocked() {
  if (alarm_.empty() || blocked_sent_) return;
  connection_.metrics().connections_blocked.add();
  if (!connection_.notes_blocked) return;
  blocked_sent_ = true;
  connection_.send(0, ConnectionBlocked{alarm_});
}

void Session::on_drained() {
  if (connection_.is_open()) consuming_.update_ready();
}

// ---- time

void Session::on_tick(std::int64_t now_ms) {
  connection_.on_tick(now_ms);
  if (connection_.closing() != Closing::no) return;
  if (connection_.take_sent()) watch_.on_sent(now_ms);
  if (connection_.is_open()) {
    consuming_.update_ready();
    keep_heartbeat(now_ms);
  } else {
    leave();
  }
  if (watch_.stopped_reading(now_ms, connection_.outbox().pending_bytes())) {
    connection_.drop("the client does not read");
  }
}

void Session::keep_heartbeat(std::int64_t now_ms) {
  if (!reading()) watch_.on_received(now_ms);  // we cannot see whether it is alive while we do not read
  const std::int64_t interval_ms = std::int64_t{connection_.heartbeat_s} * 1000;
  if (watch_.missed_heartbeats(now_ms, interval_ms)) {
    return connection_.drop(
        fmt::format("missed heartbeats from client, timeout: {}s", connection_.heartbeat_s));
  }
  if (!watch_.heartbeat_due(now_ms, interval_ms)) return;
  static constexpr std::uint8_t heartbeat[] = {8, 0, 0, 0, 0, 0, 0, frame_end};
  connection_.outbox().write(heartbeat);
  watch_.on_sent(now_ms);
}

}  // namespace sluice::amqp
