// SPDX-License-Identifier: Apache-2.0
// One connection of AMQP 0-9-1: bytes in, broker calls; broker events, bytes out. Made by the runtime for
// every accepted socket, owned by the connection's shard, does no I/O. It only cuts frames, sends each to the
// part that understands it (handshake, publishing, consuming, topology), keeps heartbeats and says when the
// socket is not to be read.
//
// While a broker's answer is outstanding, while a publish waits for an alarm or for flow, and while the
// client does not take what lies in the outbox, on_bytes uses nothing up and reading() is false; after wake()
// or on_drained() the transport offers the same bytes again.
//
// The first message it publishes or asks for takes a connection to the shard of that queue, so that what most
// connections do for a living crosses no threads.
#pragma once

#include "amqp/channels.h"
#include "amqp/consuming.h"
#include "amqp/handshake.h"
#include "amqp/publishing.h"
#include "amqp/topology.h"
#include "base/peer_watch.h"
#include "broker/client.h"

namespace sluice::amqp {

class Session final : public base::Session, private broker::Client, private broker::QueueClient {
 public:
  // `context` and `transport` outlive the session.
  Session(Context& context, base::Transport& transport);
  ~Session() override;

  std::size_t on_bytes(base::ByteView input) override;
  void on_drained() override;
  void on_tick(std::int64_t monotonic_ms) override;
  void on_shutdown() override;
  void on_closed() override;
  void on_moved(base::ShardId shard, base::Transport& transport) override;
  bool reading() const override { return processing(); }
  Closing closing() const override { return connection_.closing(); }

 private:
  // ---- broker::QueueClient
  void on_published(std::uint16_t channel, std::span<const std::uint64_t> confirms, bool accepted) override;
  void on_delivered(std::uint16_t channel, std::string_view consumer_tag,
                    const broker::Delivery& delivery) override;
  void on_consumer_cancelled(std::uint16_t channel, std::string_view consumer_tag) override;
  void on_channel_refused(std::uint16_t channel, const broker::Refusal& why) override;
  void on_blocked(std::optional<std::string_view> reason) override;
  void on_flow(bool may_publish) override;

  // ---- broker::Client: of the events only two concern a session without streams
  void on_confirmed(broker::Token, std::span<const std::uint64_t>) override {}
  void on_refused(broker::Token, std::span<const std::uint64_t>, base::Errc) override {}
  void on_readable(broker::Token) override {}
  void on_consumer_update(broker::Token, bool) override {}
  void on_stream_lost(std::string_view, std::string_view) override {}
  void on_close_requested(std::string_view reason) override;
  broker::ConnectionRow describe() const override;
  void list_publishers(std::vector<broker::PublisherRow>&) const override {}
  void list_consumers(std::vector<broker::ConsumerRow>&) const override {}
  void list_channels(std::vector<broker::ChannelRow>& into) const override;

  // ---- frames
  void take_frames(base::ByteView input, std::size_t& used);
  void on_frame(const wire::Frame& frame, wire::FrameReader& behind);
  void on_bad_frame(wire::FrameReader::Status status, base::ByteView rest);
  void on_connection_method(wire::MethodId id, base::ByteView arguments);
  void on_channel_frame(const wire::Frame& frame, wire::FrameReader& behind);
  void on_channel_method(std::uint16_t channel, wire::MethodId id, base::ByteView arguments,
                         wire::FrameReader& behind);
  void on_closing_frame(const wire::Frame& frame);
  void cannot_decode(wire::MethodId id, base::ByteView arguments);
  bool processing() const;
  bool must_wait(const wire::Frame& frame);
  struct Dispatcher;

  void open();
  void leave();
  void on_goodbye();
  bool move_to_queue(const wire::Frame& frame);
  void keep_heartbeat(std::int64_t now_ms);
  void send_blocked();

  Connection connection_;
  Handshake handshake_;
  Channels channels_;
  Publishing publishing_;
  Consuming consuming_;
  Topology topology_;
  std::string alarm_;           // why publishing is stopped; empty: it is not
  bool may_publish_ = true;     // flow
  bool publish_waits_ = false;  // a basic.publish lies in the input until alarm and flow allow it
  bool blocked_sent_ = false;   // connection.blocked
  bool registered_ = false;     // with the broker of the shard
  bool placed_ = false;         // has used a queue, which decided on which shard it lives
  bool moving_ = false;         // on its way to another shard
  std::uint64_t received_bytes_ = 0, received_frames_ = 0;
  base::PeerWatch watch_;
};

}  // namespace sluice::amqp
