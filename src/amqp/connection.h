// SPDX-License-Identifier: Apache-2.0
// What the parts of a session share: the shard, the transport, who is connected, where in its life the
// connection is, and the ways to answer. One per session, on the session's shard. It decides nothing about
// the protocol's meaning.
//
// One request at a time: while a broker's answer is outstanding (awaiting()) no further frame is processed,
// so answers leave in the order of the requests.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "amqp/limits.h"
#include "amqp/metrics.h"
#include "amqp/options.h"
#include "amqp/reply_codes.h"
#include "amqp/unsettled.h"
#include "amqp/wire/content.h"
#include "amqp/wire/frame.h"
#include "base/session.h"
#include "broker/broker.h"
#include "broker/messaging.h"

namespace sluice::amqp {

struct Assembly;
struct Context;

// What all shards share. Constant but for the counts.
struct Node {
  Options options;
  std::string cluster_name;
  std::string sluice_version;
  std::vector<Context*> contexts = {};  // by shard; where there are several, connections may move
  std::atomic<std::uint32_t> open_connections{0}, open_channels{0}, silent_closes{0};
};

// Settlements that a session collects during one read.
struct SettleScratch {
  struct One {
    Unsettled::Source source;
    base::Offset offset;
  };
  std::vector<One> collected;
  std::vector<base::Offset> offsets;
};

// What the sessions of one shard share. Must outlive them.
struct Context {
  Context(base::Shard& in_shard, broker::Broker& in_broker, broker::Messaging& in_messaging, Node& in_node,
          Metrics& in_metrics);
  ~Context();
  base::Shard& shard;
  broker::Broker& broker;
  broker::Messaging& messaging;
  Node& node;
  Metrics& metrics;
  std::unique_ptr<Assembly> spare_assembly;  // of the last message that was put together
  base::ByteBuffer properties_scratch;
  SettleScratch settle_scratch;
};

enum class State : std::uint8_t {
  connected,  // the protocol header must come
  starting,   // Start is sent
  tuning,     // Tune is sent
  opening,    // tuned
  open,
  close_sent,  // by us; waiting for the answer
  silent,      // a failure is held back; all input is ignored
  closing,     // nothing more is read; closed when all is flushed
};

class Connection {
 public:
  Connection(Context& context, base::Transport& transport);

  // ---- the answers
  template <base::Described T>
  void send(std::uint16_t channel, const T& method) {
    wire::write_method(channel, method, begin());
    end();
  }
  // For frames written by hand: append to the returned buffer, then end().
  base::ByteBuffer& begin() { return outbox().begin_bytes(); }
  void end() {
    sent_bytes_ += outbox().end_bytes();
    ++sent_frames_;
    sent_ = true;
  }
  std::uint64_t sent_bytes() const { return sent_bytes_; }
  std::uint64_t sent_frames() const { return sent_frames_; }  // a message counts as one
  base::Outbox& outbox() const { return transport_->outbox(); }
  // Whether something was queued since the last call.
  bool take_sent() { return std::exchange(sent_, false); }
  void wake() { transport_->wake(); }

  // ---- waiting for a broker's answer
  void begin_wait() { ++waits_; }
  void end_wait() { --waits_, wake(); }
  bool awaiting() const { return waits_ != 0; }
  // Expires with the session; what an answer looks at before it touches anything.
  std::weak_ptr<Connection*> alive() const { return alive_; }

  // ---- the ends
  // Sends connection.close and waits for the answer.
  void close_with(const broker::Refusal& why, wire::MethodId method);
  // No more input; closed once everything queued is sent.
  void finish() { enter(State::closing); }
  // Closed without a word.
  void drop(std::string_view why);
  // Closed without a word, but only after a while, so that guessing passwords is slow.
  void drop_later(std::string_view why);

  void on_tick(std::int64_t now_ms);  // the deadline of the current state
  base::Session::Closing closing() const;
  void on_closed();  // nobody calls back into the session after this

  // ---- another shard: see base::Session
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
  broker::Messaging& messaging() const { return context_->messaging; }
  Metrics& metrics() const { return context_->metrics; }
  const Options& options() const { return context_->node.options; }
  const base::PeerInfo& peer() const { return transport_->peer(); }
  std::string name() const;  // "127.0.0.1:40000 -> 127.0.0.1:5672", as listings and log lines have it
  void log(base::LogLevel level, std::string_view message, std::string_view why = {}) const;

  broker::Caller caller;  // complete when open
  std::unique_ptr<broker::Occupancy::Place> place;
  std::string mechanism;
  std::string user_provided_name;
  base::ByteBuffer client_properties;  // an encoded table, as it came
  std::uint32_t frame_bytes;           // largest of either side
  std::uint16_t channel_max = 0;       // 0: no limit
  std::uint16_t heartbeat_s = 0;
  bool notes_blocked = false;  // capability connection.blocked
  bool notes_failed_login = false;
  std::int64_t connected_at_ms;

 private:
  Context* context_;
  base::Transport* transport_;
  std::shared_ptr<Connection*> alive_;
  std::int64_t deadline_ms_ = 0;
  std::uint64_t sent_bytes_ = 0, sent_frames_ = 0;
  std::uint32_t waits_ = 0;
  State state_ = State::connected;
  bool sent_ = false, dropped_ = false, held_back_ = false;
};

}  // namespace sluice::amqp
