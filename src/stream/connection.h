// SPDX-License-Identifier: Apache-2.0
// What the parts of a session share: the shard, the transport, who is connected, where in its life the
// connection is, and the ways to answer. One per session, on the session's shard (which may change). It
// decides nothing about the protocol's meaning.
//
// One request at a time: while a broker's answer is outstanding (awaiting()) no further frame is processed,
// so answers leave in the order of the requests.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/session.h"
#include "broker/broker.h"
#include "stream/codes.h"
#include "stream/limits.h"
#include "stream/metrics.h"
#include "stream/options.h"
#include "streamproto/commands.h"

namespace sluice::stream {

struct Context;

// What all shards share. Constant but for the count.
struct Node {
  Options options;
  std::string cluster_name;
  std::string sluice_version;
  std::atomic<std::uint32_t> open_connections{0};
  std::vector<Context*> contexts = {};  // by shard; where there are several, connections may move
};

// What the sessions of one shard share. Must outlive them.
struct Context {
  base::Shard& shard;
  broker::Broker& broker;
  Node& node;
  Metrics& metrics;
  std::vector<broker::PublishEntry> publish_scratch = {};  // reused by every Publish frame of the shard
};

enum class State : std::uint8_t {
  connected,
  peer_properties_exchanged,
  authenticating,
  tuning,
  tuned,
  open,
  close_sent,  // by us; waiting for the answer
  refused,     // a failure is held back (tarpit); all input is ignored
  closing,     // nothing more is read; closed when all is flushed
};

class Connection {
 public:
  Connection(Context& context, base::Transport& transport);

  // ---- the answers
  template <streamproto::Command T>
  void send(const T& message, std::uint32_t correlation = 0, std::uint16_t version = 1) {
    if constexpr (requires { message.code; }) count(message.code);
    streamproto::encode(message, correlation, begin_frame(), version);
    end_frame();
  }
  // For frames written by hand: append to the returned buffer, then end_frame().
  base::ByteBuffer& begin_frame() { return outbox().begin_bytes(); }
  void end_frame() {
    outbox().end_bytes();
    sent_ = true;
  }
  base::Outbox& outbox() const { return transport_->outbox(); }
  void mark_sent() { sent_ = true; }
  // Whether something was queued since the last call.
  bool take_sent() { return std::exchange(sent_, false); }
  void count(streamproto::ResponseCode code, std::uint64_t n = 1) { context_->metrics.count(code, n); }

  // A completion for an asynchronous broker call: f(result) runs if the session still lives; until then it
  // awaits.
  template <class T, class F>
  broker::Done<T> await(F f) {
    awaiting_ = true;
    return
        [this, alive = std::weak_ptr<Connection*>(alive_), f = std::move(f)](base::Result<T> result) mutable {
          if (alive.expired()) return;
          awaiting_ = false;
          f(std::move(result));
          wake();
        };
  }
  bool awaiting() const { return awaiting_; }
  void wake() { transport_->wake(); }

  // ---- the ends
  // Sends Close and waits for the answer (open connections only). `detail` is for the log alone.
  void close_with(streamproto::ResponseCode code, std::string_view reason, std::string_view detail = {});
  // No more input; closed once everything queued is sent.
  void finish();
  // Closed without a word: a wrong step of the handshake, a timeout.
  void drop(std::string_view why);
  // Sends `frame` after the tarpit, then closes.
  void refuse_later(base::ByteBuffer frame);

  void on_tick(std::int64_t now_ms);  // the deadline of the current state
  base::Session::Closing closing() const;
  void on_closed();  // nobody calls back into the session after this

  // ---- the shard: a connection may go on on another one
  bool move_to(base::ShardId shard) { return transport_->move_to(shard); }
  void rebind(Context& context, base::Transport& transport) { context_ = &context, transport_ = &transport; }

  // ---- where we are
  State state() const { return state_; }
  bool is_open() const { return state_ == State::open; }
  void enter(State state);  // starts the deadline of that state
  std::int64_t now_ms() const { return context_->shard.clock.monotonic_ms(); }

  // ---- what we know
  Context& context() const { return *context_; }
  broker::Broker& broker() const { return context_->broker; }
  Metrics& metrics() const { return context_->metrics; }
  const Options& options() const { return context_->node.options; }
  const base::PeerInfo& peer() const { return transport_->peer(); }
  bool allowed(broker::Permission permission, std::string_view resource) const {
    return broker().check(identity, vhost, permission, resource).has_value();
  }
  std::string advertised_host() const;
  std::uint32_t advertised_port() const;
  const std::string& name() const { return name_; }
  void log(base::LogLevel level, std::string_view message, std::string_view why = {});

  broker::Identity identity;
  std::string mechanism, vhost;
  broker::ClientId client;  // of an open connection
  std::uint32_t frame_max_bytes;
  std::uint32_t heartbeat_s = 0;
  std::uint16_t deliver_version = 1;
  std::int64_t connected_at_ms = 0;
  std::vector<std::pair<std::string, std::string>> client_properties;

 private:
  Context* context_;
  base::Transport* transport_;
  std::shared_ptr<Connection*> alive_;
  State state_ = State::connected;
  bool awaiting_ = false, sent_ = false, dropped_ = false;
  std::int64_t deadline_ms_ = 0;
  base::ByteBuffer held_back_;
  std::string name_;
};

}  // namespace sluice::stream
