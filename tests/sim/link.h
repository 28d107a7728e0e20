// SPDX-License-Identifier: Apache-2.0
// One connection: the transport of a session on one side, a client on the other, and the network between
// them. Bytes arrive in order, in pieces and after delays drawn from the seed; what the client has not taken
// holds the server's side back, as a full socket buffer does.
#pragma once

#include <memory>

#include "base/session.h"
#include "sim/node.h"

namespace sluice::sim {

class Link final : public base::Transport, public std::enable_shared_from_this<Link> {
 public:
  Link(Node& node, base::ShardId shard, Client& client);

  // ---- the client's side
  void send(base::ByteView bytes);
  void hang_up();  // the client goes; it hears nothing more

  // ---- the node's side
  base::Outbox& outbox() override { return outbox_; }
  const base::PeerInfo& peer() const override { return peer_; }
  void wake() override;
  void start(stream::Context& context);
  void service();
  void tick(std::int64_t monotonic_ms);
  void close();  // by the session
  void cut();    // the node died
  bool closed() const { return started_ && session_ == nullptr; }

 private:
  void arrive(base::ByteBuffer bytes);
  void offer();
  void flush();
  std::int64_t arrival_delay_us(std::int64_t& last_us);

  Node& node_;
  World& world_;
  base::ShardId shard_;
  Client* client_;
  base::PeerInfo peer_;
  base::Outbox outbox_;
  std::unique_ptr<base::Session> session_;
  base::ByteBuffer kept_;
  std::size_t in_flight_bytes_ = 0;
  std::size_t window_bytes_;
  std::int64_t last_to_server_us_ = 0, last_to_client_us_ = 0;
  bool started_ = false, gone_ = false;
  bool dirty_ = false, was_above_high_water_ = false, offering_ = false;
};

}  // namespace sluice::sim
