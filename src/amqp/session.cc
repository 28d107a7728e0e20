// SPDX-License-Identifier: Apache-2.0
#include "amqp/session.h"

#include <algorithm>

#include "base/check.h"
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

MethodId method_of(const Frame& frame) {
  base::ByteReader reader(frame.payload);
  MethodId id;
  id.class_id = reader.read<std::uint16_t>();
  id.method_id = reader.read<std::uint16_t>();
  return id;
}

}  // namespace

Session::Session(Context& context, base::Transport& transport)
    : connection_(context, transport),
      handshake_(connection_),
      channels_(connection_),
      publishing_(connection_, channels_),
      consuming_(connection_, channels_),
      topology_(connection_, channels_),
      received_ms_(connection_.now_ms()),
      sent_ms_(received_ms_),
      outbox_progress_ms_(received_ms_) {
  connection_.metrics().connections.add();
  connection_.metrics().connections_opened.add();
}

Session::~Session() {
  on_closed();
  if (!moving_) connection_.metrics().connections.sub();
  connection_.metrics().connections_closed.add();
}

void Session::on_closed() {
  if (connection_.is_open() && registered_) {
    connection_.log(base::LogLevel::warning, "closing AMQP connection",
                    "client unexpectedly closed TCP connection");
  }
  connection_.on_closed();
  leave();
}

// ---- where it starts and ends with the broker

void Session::open() {
  broker::Caller& caller = connection_.caller;
  caller.client = connection_.broker().add_client(*this);
  registered_ = true;
  connection_.context().node.open_connections.fetch_add(1, std::memory_order_relaxed);
  connection_.enter(State::open);
  connection_.send(0, ConnectionOpenOk{});
  connection_.messaging().attach(caller, *this);
}

void Session::leave() {
  if (!std::exchange(registered_, false)) return;
  Node& node = connection_.context().node;
  if (moving_) {  // the process ends meanwhile; the old shard's broker has forgotten it
    node.open_connections.fetch_sub(1, std::memory_order_relaxed);
    node.open_channels.fetch_sub(static_cast<std::uint32_t>(channels_.count()), std::memory_order_relaxed);
    return;
  }
  channels_.settlements.flush();
  channels_.drop_all();
  connection_.broker().remove_client(connection_.caller.client);
  node.open_connections.fetch_sub(1, std::memory_order_relaxed);
}

// Only before anything of it lies on this shard: a broker would have to be asked about that.
bool Session::move_to_queue(const Frame& frame) {
  if (frame.type != FrameType::method || !connection_.is_open() || frame.payload.size() < 4) return false;
  std::string_view exchange, key;
  const auto arguments = frame.payload.subspan(4);
  const MethodId id = method_of(frame);
  Channel* const channel = channels_.find_open(frame.channel);
  if (channel == nullptr) return false;
  const auto take_queue = [&](std::string_view name) { key = name.empty() ? channel->last_queue : name; };
  const bool uses_queue = MethodList<BasicPublish, BasicConsume, BasicGet>::dispatch(
      id, arguments,
      [&]<class M>(const M& method) {
        if constexpr (std::is_same_v<M, BasicPublish>) {
          exchange = method.exchange, key = method.routing_key;
        } else {
          take_queue(method.queue);
        }
      },
      [](const base::Error&) {});
  if (!uses_queue) return false;
  placed_ = true;
  const std::vector<Context*>& contexts = connection_.context().node.contexts;
  if (contexts.size() < 2 || !channels_.unused()) return false;
  const auto home = connection_.messaging().home_of(connection_.caller, exchange, key);
  if (!home || home->value >= contexts.size() || !connection_.move_to(*home)) return false;
  channels_.settlements.flush();
  connection_.broker().remove_client(connection_.caller.client);
  channels_.leave_shard();
  connection_.metrics().connections.sub();
  moving_ = true;
  return true;
}

void Session::on_moved(base::ShardId shard, base::Transport& transport) {
  INVARIANT(moving_, "moved without having asked");
  moving_ = false;
  connection_.rebind(*connection_.context().node.contexts[shard.value], transport);
  connection_.metrics().connections.add();
  channels_.join_shard();
  connection_.caller.client = connection_.broker().add_client(*this);
  connection_.messaging().attach(connection_.caller, *this);
}

// ---- bytes

bool Session::processing() const {
  if (!connection_.is_open()) return true;
  return !connection_.awaiting() && !publish_waits_ && !moving_ &&
         connection_.outbox().pending_bytes() < outbox_input_stop_bytes;
}

std::size_t Session::on_bytes(base::ByteView input) {
  received_ms_ = connection_.now_ms();
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
    if (frame.channel == 0) return;
    const auto why = refuse(ReplyCode::unexpected_frame, "type 8, {}", base::octets_text(frame.payload));
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

void Session::on_goodbye() {
  const auto end = [this] {
    leave();
    connection_.send(0, ConnectionCloseOk{});
    connection_.finish();
  };
  if (!registered_) return end();
  channels_.settlements.flush();
  connection_.begin_wait();
  const auto answers = std::make_shared<std::size_t>(channels_.count() + 1);
  const auto step = [this, end, answers, alive = connection_.alive()](const broker::Outcome<>&) {
    if (alive.expired() || --*answers > 0) return;
    connection_.end_wait();
    end();
  };
  channels_.for_each([&](const Channel& channel) {
    connection_.messaging().close_channel(connection_.caller, channel.number, step);
  });
  connection_.messaging().delete_exclusive_queues(connection_.caller, step);
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
    if (id == ChannelOpen::id) return channels_.on_open(number);
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

void Session::on_close_requested(std::string_view reason) {
  connection_.close_with(
      {static_cast<std::uint16_t>(ReplyCode::connection_forced), std::string(reason), true}, {});
  connection_.wake();
}

void Session::on_shutdown() {
  if (connection_.is_open()) on_close_requested("broker forced connection closure with reason 'shutdown'");
}

void Session::on_drained() {
  if (connection_.is_open()) consuming_.update_ready();
}

// ---- time

void Session::on_tick(std::int64_t now_ms) {
  connection_.on_tick(now_ms);
  if (connection_.closing() != Closing::no) return;
  if (connection_.take_sent()) sent_ms_ = now_ms;
  if (connection_.is_open()) {
    consuming_.update_ready();
    keep_heartbeat(now_ms);
  } else {
    leave();
  }
  watch_outbox(now_ms);
}

void Session::keep_heartbeat(std::int64_t now_ms) {
  if (!reading()) received_ms_ = now_ms;  // we cannot see whether it is alive while we do not read
  const std::int64_t interval_ms = std::int64_t{connection_.heartbeat_s} * 1000;
  if (interval_ms == 0) return;
  if (now_ms - received_ms_ > 2 * interval_ms) {
    return connection_.drop(
        fmt::format("missed heartbeats from client, timeout: {}s", connection_.heartbeat_s));
  }
  if (now_ms - sent_ms_ < interval_ms / 2) return;
  static constexpr std::uint8_t heartbeat[] = {8, 0, 0, 0, 0, 0, 0, frame_end};
  connection_.outbox().write(heartbeat);
  sent_ms_ = now_ms;
}

// A client that never reads would otherwise keep a full outbox for ever.
void Session::watch_outbox(std::int64_t now_ms) {
  const std::size_t pending = connection_.outbox().pending_bytes();
  if (pending < outbox_input_stop_bytes || pending < outbox_bytes_) outbox_progress_ms_ = now_ms;
  outbox_bytes_ = pending;
  if (now_ms - outbox_progress_ms_ > outbox_stalled_ms) connection_.drop("the client does not read");
}

}  // namespace sluice::amqp
