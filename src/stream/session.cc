// SPDX-License-Identifier: Apache-2.0
#include "stream/session.h"

#include <algorithm>

#include "base/check.h"

namespace sluice::stream {

using namespace streamproto;

namespace {

constexpr std::uint8_t tls_client_hello = 0x16;

// What a client may send on an open connection, the frequent ones first.
using OpenCommands =
    CommandList<Publish, Credit, StoreOffset, ConsumerUpdateResponse, Heartbeat, QueryOffset,
                DeclarePublisher, DeletePublisher, QueryPublisherSequence, Subscribe, Unsubscribe, Create,
                Delete, Metadata, Route, Partitions, StreamStats, ResolveOffsetSpec, CreateSuperStream,
                DeleteSuperStream, ExchangeCommandVersions, SaslAuthenticate, Close, CloseResponse>;

}  // namespace

Session::Session(Context& context, base::Transport& transport)
    : connection_(context, transport),
      handshake_(connection_),
      publishing_(connection_),
      consuming_(connection_),
      management_(connection_),
      watch_(connection_.now_ms()) {
  connection_.metrics().connections.add();
  connection_.metrics().connections_opened.add();
}

Session::~Session() {
  on_closed();
  if (!moving_) connection_.metrics().connections.sub();
  connection_.metrics().connections_closed.add();
}

void Session::on_closed() {
  connection_.on_closed();
  if (std::exchange(registered_, false)) connection_.broker().remove_client(connection_.client);
  if (!std::exchange(counted_open_, false)) return;
  connection_.context().node.open_connections.fetch_sub(1, std::memory_order_relaxed);
  connection_.log(base::LogLevel::info, "connection closed");
}

// ---- bytes

bool Session::processing() const {
  switch (connection_.state()) {
    case State::refused:
    case State::closing:
      return true;  // to throw it away
    case State::open:
      return !moving_ && !connection_.awaiting() && !publishing_.blocked() &&
             connection_.outbox().pending_bytes() < base::PeerWatch::outbox_input_stop_bytes;
    default:
      return true;
  }
}

bool Session::reading() const {
  return processing();
}

std::size_t Session::on_bytes(base::ByteView input) {
  watch_.on_received(connection_.now_ms());
  std::size_t used = 0;
  while (processing()) {
    if (connection_.state() == State::refused || connection_.state() == State::closing) return input.size();
    if (framing_lost_) return used + search_close_answer(input.subspan(used));
    const FrameRead read = read_frame(input.subspan(used), connection_.frame_max_bytes);
    if (read.status == FrameStatus::need_more) break;
    if (read.status == FrameStatus::complete) {
      if (move_to_owner(read.frame)) return used;
      used += read.size_bytes;
      connection_.metrics().frames_received.add();
      on_frame(read.frame);
    } else {
      on_bad_frame(read, input.subspan(used));
    }
  }
  return used;
}

void Session::on_bad_frame(const FrameRead& read, base::ByteView input) {
  const bool too_large = read.status == FrameStatus::too_large;
  framing_lost_ = true;
  if (connection_.is_open()) {
    connection_.close_with(too_large ? ResponseCode::frame_too_large : ResponseCode::unknown_frame,
                           too_large ? "frame too large" : "unknown frame");
  } else if (connection_.state() == State::connected && input[0] == tls_client_hello) {
    connection_.drop("a TLS client on the plain port");
  } else {
    connection_.drop(too_large ? "frame too large" : "frame too short");
  }
}

// Behind the size of a refused frame its body may come, or not, before the client answers our Close: nobody
// can tell where frames begin. So the answer is searched for and all else thrown away. Returns how much is
// used up.
std::size_t Session::search_close_answer(base::ByteView input) {
  static constexpr std::array<std::uint8_t, 12> answer{0, 0, 0, 10, 0x80, 0x16, 0, 1, 0, 0, 0, 1};
  if (std::search(input.begin(), input.end(), answer.begin(), answer.end()) != input.end()) {
    connection_.finish();
    return input.size();
  }
  return input.size() - std::min(input.size(), answer.size() - 1);
}

void Session::on_frame(const Frame& frame) {
  switch (connection_.state()) {
    case State::open:
      return on_open_frame(frame);
    case State::close_sent:
      return on_frame_while_closing(frame);
    default:
      handshake_.on_frame(frame);
      if (connection_.is_open()) opened();
  }
}

void Session::opened() {
  connection_.context().node.open_connections.fetch_add(1, std::memory_order_relaxed);
  counted_open_ = true;
  join_shard();
}

// ---- shards

void Session::join_shard() {
  connection_.client = connection_.broker().add_client(*this);
  registered_ = true;
}

void Session::leave_shard() {
  connection_.broker().remove_client(connection_.client);
  registered_ = false;
  connection_.metrics().connections.sub();
}

// With a publisher or a subscription the old shard's broker would have to be asked about them.
bool Session::move_to_owner(const Frame& frame) {
  const std::vector<Context*>& contexts = connection_.context().node.contexts;
  if (frame.raw_key != DeclarePublisher::info.raw_key() || contexts.size() < 2 || moved_ ||
      !connection_.is_open() || publishing_.count() > 0 || consuming_.count() > 0) {
    return false;
  }
  const auto request = decode<DeclarePublisher>(frame);
  if (!request) return false;
  const auto owner = connection_.broker().owner_of(connection_.vhost, request->message.stream);
  if (!owner || *owner == connection_.context().shard.id || owner->value >= contexts.size()) return false;
  if (!connection_.move_to(*owner)) return false;
  leave_shard();
  moving_ = moved_ = true;
  return true;
}

void Session::on_moved(base::ShardId shard, base::Transport& transport) {
  INVARIANT(moving_, "moved without having asked");
  moving_ = false;
  connection_.rebind(*connection_.context().node.contexts[shard.value], transport);
  connection_.metrics().connections.add();
  join_shard();
}

void Session::on_frame_while_closing(const Frame& frame) {
  if (frame.key() == Key::close && frame.is_response()) connection_.finish();
}

// ---- commands of an open connection: each to the part that understands it

struct Session::Dispatcher {
  Session& session;

  void operator()(std::uint32_t, const Publish& request) {
    session.frame_outcome_ = session.publishing_.on(request);
  }
  void operator()(std::uint32_t correlation, const DeclarePublisher& request) {
    session.publishing_.on(correlation, request);
  }
  void operator()(std::uint32_t correlation, const DeletePublisher& request) {
    session.publishing_.on(correlation, request);
  }
  void operator()(std::uint32_t correlation, const QueryPublisherSequence& request) {
    session.publishing_.on(correlation, request);
  }
  void operator()(std::uint32_t, const Credit& request) { session.consuming_.on(request); }
  void operator()(std::uint32_t correlation, const Subscribe& request) {
    session.consuming_.on(correlation, request);
  }
  void operator()(std::uint32_t correlation, const Unsubscribe& request) {
    session.consuming_.on(correlation, request);
  }
  void operator()(std::uint32_t correlation, const ConsumerUpdateResponse& answer) {
    session.consuming_.on(correlation, answer);
  }
  void operator()(std::uint32_t, const StoreOffset& request) {
    session.management_.on(request, session.consuming_.is_subscribed(request.stream));
  }
  void operator()(std::uint32_t correlation, const SaslAuthenticate& request) {
    session.renew(correlation, request);
  }
  void operator()(std::uint32_t, const Heartbeat&) {}
  void operator()(std::uint32_t correlation, const Close& request) {
    session.connection_.log(base::LogLevel::debug, "closed by the client", request.reason);
    session.connection_.send(CloseResponse{}, correlation);
    session.connection_.finish();
  }
  void operator()(std::uint32_t, const CloseResponse&) { session.connection_.finish(); }
  template <Command T>
  void operator()(std::uint32_t correlation, const T& request) {
    session.management_.on(correlation, request);
  }
};

void Session::on_open_frame(const Frame& frame) {
  frame_outcome_ = {};
  const base::Result<> dispatched = dispatch(OpenCommands{}, frame, Dispatcher{*this});
  const base::Result<>& outcome = dispatched ? frame_outcome_ : dispatched;
  if (outcome) return;
  connection_.close_with(ResponseCode::unknown_frame, "unknown frame", outcome.error().text);
}

void Session::renew(std::uint32_t correlation, const SaslAuthenticate& request) {
  if (!handshake_.reauthenticate(correlation, request)) return;
  std::vector<std::string> streams;
  publishing_.drop_forbidden(streams);
  consuming_.drop_forbidden(streams);
  std::sort(streams.begin(), streams.end());
  streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  for (const std::string& stream : streams) tell_lost(stream);
}

void Session::tell_lost(std::string_view stream) {
  connection_.send(MetadataUpdate{ResponseCode::stream_not_available, stream});
}

// ---- broker events

void Session::on_confirmed(broker::Token publisher, std::span<const std::uint64_t> publishing_ids) {
  publishing_.on_confirmed(publisher, publishing_ids);
  connection_.wake();
}

void Session::on_refused(broker::Token publisher, std::span<const std::uint64_t> publishing_ids,
                         base::Errc why) {
  publishing_.on_refused(publisher, publishing_ids, why);
  connection_.wake();
}

void Session::on_readable(broker::Token subscription) {
  consuming_.on_readable(subscription);
  connection_.wake();
}

void Session::on_consumer_update(broker::Token subscription, bool active) {
  consuming_.on_consumer_update(subscription, active);
  connection_.wake();
}

void Session::on_stream_lost(std::string_view vhost, std::string_view stream) {
  if (vhost != connection_.vhost) return;
  const bool published = publishing_.forget_stream(stream);
  const bool consumed = consuming_.forget_stream(stream);
  if ((published || consumed) && connection_.is_open()) tell_lost(stream);
  connection_.wake();
}

void Session::on_flow(bool may_publish) {
  publishing_.on_flow(may_publish);
  connection_.wake();
}

void Session::on_close_requested(std::string_view reason) {
  connection_.close_with(ResponseCode::ok, reason);
  connection_.wake();
}

// Code 1, as for a connection that an operator closes. Not logged: there may be thousands.
void Session::on_shutdown() {
  if (connection_.is_open()) connection_.send(Close{ResponseCode::ok, "the broker is shutting down"}, 1);
}

void Session::on_drained() {
  if (connection_.is_open()) consuming_.on_drained();
}

// ---- time

void Session::on_tick(std::int64_t now_ms) {
  connection_.on_tick(now_ms);
  if (connection_.closing() != Closing::no) return;
  if (connection_.is_open()) consuming_.on_tick(now_ms);
  if (connection_.take_sent()) watch_.on_sent(now_ms);
  if (connection_.is_open() || connection_.state() == State::tuned) keep_heartbeat(now_ms);
  if (watch_.stopped_reading(now_ms, connection_.outbox().pending_bytes())) {
    connection_.drop("the client does not read");
  }
}

void Session::keep_heartbeat(std::int64_t now_ms) {
  if (!reading()) watch_.on_received(now_ms);  // we cannot see whether it is alive while we do not read
  const std::int64_t interval_ms = std::int64_t{connection_.heartbeat_s} * 1000;
  if (watch_.missed_heartbeats(now_ms, interval_ms)) return connection_.drop("missed heartbeats");
  if (!watch_.heartbeat_due(now_ms, interval_ms) || !connection_.outbox().empty()) return;
  connection_.send(Heartbeat{});
  watch_.on_sent(now_ms);
}

// ---- listings

broker::ConnectionRow Session::describe() const {
  const base::PeerInfo& peer = connection_.peer();
  broker::ConnectionRow row;
  row.conn_name = connection_.name();
  row.host = peer.host;
  row.port = peer.port;
  row.peer_host = peer.peer_host;
  row.peer_port = peer.peer_port;
  row.user = connection_.identity.user;
  row.vhost = connection_.vhost;
  row.connection_state = publishing_.blocked() ? "blocked" : connection_.is_open() ? "running" : "closing";
  row.auth_mechanism = connection_.mechanism;
  row.heartbeat = connection_.heartbeat_s;
  row.frame_max = connection_.frame_max_bytes;
  row.subscriptions = static_cast<std::uint32_t>(consuming_.count());
  row.publishers = static_cast<std::uint32_t>(publishing_.count());
  row.connected_at = connection_.connected_at_ms;
  for (const auto& [key, value] : connection_.client_properties) row.client_properties.set(key, value);
  return row;
}

void Session::list_publishers(std::vector<broker::PublisherRow>& into) const {
  publishing_.list(into);
}

void Session::list_consumers(std::vector<broker::ConsumerRow>& into) const {
  consuming_.list(into);
}

}  // namespace sluice::stream
