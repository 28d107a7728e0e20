// SPDX-License-Identifier: Apache-2.0
// One connection of the native stream protocol: bytes in, broker calls; broker events, bytes out. Made by the
// runtime for every accepted socket, owned by the connection's shard, does no I/O. It only cuts frames, sends
// each to the part that understands it (handshake, publishing, consuming, management), keeps heartbeats and
// says when the socket is not to be read. Wire: streamproto/PROTOCOL.md.
//
// A connection that declares its first publisher goes on on the shard that owns the stream, so that what it
// publishes needs no mail; it leaves the frame unused and is offered it again over there.
//
// While a broker's answer is outstanding, while publishers are out of credit and while the client does not
// take what lies in the outbox, on_bytes uses nothing up and reading() is false; after wake() or on_drained()
// the transport offers the same bytes again.
#pragma once

#include "base/peer_watch.h"
#include "base/session.h"
#include "broker/client.h"
#include "stream/connection.h"
#include "stream/consuming.h"
#include "stream/handshake.h"
#include "stream/management.h"
#include "stream/publishing.h"

namespace sluice::stream {

class Session final : public base::Session, private broker::Client {
 public:
  // `context` and `transport` outlive the session.
  Session(Context& context, base::Transport& transport);
  ~Session() override;

  std::size_t on_bytes(base::ByteView input) override;
  void on_drained() override;
  void on_tick(std::int64_t monotonic_ms) override;
  void on_shutdown() override;
  void on_closed() override;
  bool reading() const override;
  void on_moved(base::ShardId shard, base::Transport& transport) override;
  Closing closing() const override { return connection_.closing(); }

 private:
  // ---- broker::Client
  void on_confirmed(broker::Token publisher, std::span<const std::uint64_t> publishing_ids) override;
  void on_refused(broker::Token publisher, std::span<const std::uint64_t> publishing_ids,
                  base::Errc why) override;
  void on_readable(broker::Token subscription) override;
  void on_consumer_update(broker::Token subscription, bool active) override;
  void on_stream_lost(std::string_view vhost, std::string_view stream) override;
  void on_flow(bool may_publish) override;
  void on_close_requested(std::string_view reason) override;
  broker::ConnectionRow describe() const override;
  void list_publishers(std::vector<broker::PublisherRow>& into) const override;
  void list_consumers(std::vector<broker::ConsumerRow>& into) const override;

  // ---- frames
  void on_frame(const streamproto::Frame& frame);
  void on_open_frame(const streamproto::Frame& frame);
  void on_frame_while_closing(const streamproto::Frame& frame);
  void on_bad_frame(const streamproto::FrameRead& read, base::ByteView input);
  std::size_t search_close_answer(base::ByteView input);
  bool processing() const;
  void opened();
  void join_shard();
  void leave_shard();
  bool move_to_owner(const streamproto::Frame& frame);
  void renew(std::uint32_t correlation, const streamproto::SaslAuthenticate& request);
  void tell_lost(std::string_view stream);
  struct Dispatcher;

  void keep_heartbeat(std::int64_t now_ms);

  Connection connection_;
  Handshake handshake_;
  Publishing publishing_;
  Consuming consuming_;
  Management management_;
  base::Result<> frame_outcome_;  // of the frame being dispatched
  bool framing_lost_ = false;     // a frame was refused before its body came
  bool registered_ = false;       // with the broker of the shard
  bool counted_open_ = false;     // in Node::open_connections
  bool moving_ = false;           // on the way to another shard
  bool moved_ = false;            // once is enough
  base::PeerWatch watch_;
};

}  // namespace sluice::stream
