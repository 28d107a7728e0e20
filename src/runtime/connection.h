// SPDX-License-Identifier: Apache-2.0
// One socket and its session. Reads into the shard's shared scratch memory, offers the bytes to the session,
// keeps what the session did not use up (an idle connection holds no buffer), and drains the outbox. Owned by
// its ShardLoop, used on that shard only.
//
//   open -> finishing (outbox must still go out, then FIN) -> lingering (peer's last bytes are thrown away,
//   so that the peer reads our last ones before it can see a reset) -> closed
//
// The session is told on_closed() when the connection leaves open or finishing; it is destroyed at the end of
// that turn. A session that asks move_to() travels with socket, outbox and unused bytes to another shard, by
// mail.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>
#include <optional>

#include "base/session.h"
#include "runtime/listen_spec.h"

namespace sluice::runtime {

class ShardLoop;

class Connection final : public base::Transport, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  static constexpr std::size_t kept_input_bytes_max = 64 << 20;  // above any frame a session would wait for
  static constexpr std::int64_t finishing_ms = 10'000;
  static constexpr std::int64_t lingering_ms = 2'000;

  Connection(ShardLoop& shard, Socket socket, int family, base::PeerInfo peer,
             std::shared_ptr<ListenState> origin);
  ~Connection() override;
  void start(const SessionFactory& factory);

  // What travels when a connection moves to another shard: all of it but its place.
  struct Luggage {
    int fd = -1;
    int family = 0;
    base::PeerInfo peer;
    std::shared_ptr<ListenState> origin;
    std::unique_ptr<base::Session> session;
    base::Outbox outbox;
    base::ByteBuffer kept;
  };
  // In place of start(), on the new shard: the socket is in the constructor's arguments.
  void arrive(Luggage luggage);

  // base::Transport
  base::Outbox& outbox() override { return outbox_; }
  const base::PeerInfo& peer() const override { return peer_; }
  void wake() override;
  bool move_to(base::ShardId shard) override;

  // Driven by the loop.
  void read_input();               // reads the socket once, or offers kept bytes again
  void service();                  // end of turn: flush, drained, closing, arm
  void tick(std::int64_t now_ms);  // twice a second
  void close();                    // at once
  void finish();                   // after what is queued has gone out
  void shut_down();                // the session says its last word, then finish()
  bool closed() const { return state_ == State::closed; }
  std::unique_ptr<base::Session> release_session() { return std::move(session_); }

 private:
  enum class State : std::uint8_t { open, finishing, lingering, closed };

  void arm_read();
  void arm_write();
  void acknowledge_small(std::size_t read_bytes);
  void offer(base::ByteView input, bool from_kept);
  void offer_kept();
  void on_end_of_input();
  void read_and_discard();
  void flush();
  void begin_linger();
  void tell_closed();
  void hand_over();
  bool wants_input() const;

  ShardLoop& shard_;
  Socket socket_;
  int family_;
  base::PeerInfo peer_;
  std::shared_ptr<ListenState> origin_;
  std::unique_ptr<base::Session> session_;
  base::Outbox outbox_;
  base::ByteBuffer kept_;  // read, not yet used up by the session
  State state_ = State::open;
  bool kept_stalled_ = false;  // the session stopped reading with bytes left: offer them again when it reads
  bool read_armed_ = false, write_armed_ = false;
  bool end_of_input_ = false;
  bool was_above_high_water_ = false;
  bool in_on_bytes_ = false;
  std::optional<base::ShardId> move_target_;  // asked for in the on_bytes that runs
  bool dirty_ = false, queued_for_input_ = false;
  std::int64_t deadline_ms_ = 0;  // of finishing and lingering

  friend class ShardLoop;
};

}  // namespace sluice::runtime
