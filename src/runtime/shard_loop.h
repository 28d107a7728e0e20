// SPDX-License-Identifier: Apache-2.0
// One shard: a thread's io_context, its connections and its ports, driven in turns. One turn:
//
//   wait for something (only when nothing is left over) - a bounded number of ready handlers, mail, finished
//   background work, 100 ms ticks: all input - TurnHook::on_turn_end(): the broker writes the turn's chunks,
//   which makes confirms - flush of every connection that has something to send - mail to other shards
//
// Everything that arrived in a turn is thus written, answered and mailed once. Used on its own thread only,
// except post(), and the constructor and destructor, which run before and after that thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtime/background.h"
#include "runtime/clock.h"
#include "runtime/connection.h"
#include "runtime/listener.h"
#include "runtime/mail.h"
#include "runtime/metrics.h"
#include "runtime/sender.h"

namespace sluice::runtime {

// What the application wants to do in every turn of a shard. on_tick comes each 100 ms.
class TurnHook {
 public:
  virtual ~TurnHook() = default;
  virtual void on_turn_end() = 0;
  virtual void on_tick(std::int64_t monotonic_ms) = 0;
};

class ShardLoop {
 public:
  static constexpr std::size_t scratch_bytes = 512 << 10;
  static constexpr std::size_t turn_input_bytes = 512 << 10;  // a turn stops taking input above this
  static constexpr int turn_handlers = 64;
  static constexpr std::int64_t tick_ms = 100;
  static constexpr int session_tick_every = 5;  // ticks

  ShardLoop(std::uint32_t id, PostOffice& office, base::Clock& clock, base::Disk& disk, base::Logger& logger,
            std::uint32_t background_threads);
  ~ShardLoop();

  base::Shard& shard() { return shard_; }
  boost::asio::io_context& context() { return context_; }
  void add_hook(TurnHook& hook) { hooks_.push_back(&hook); }
  // All shards' loops, by id; before run().
  void set_neighbours(std::vector<ShardLoop*> loops) { neighbours_ = std::move(loops); }
  void add_listener(int fd, std::shared_ptr<ListenState> state);
  template <class Registry>
  void register_metrics(Registry& registry) const {
    registry.add(metrics_);
    registry.add(mailbox_.metrics());
    registry.add(background_.metrics());
    registry.add(sender_.metrics());
  }

  void run();                  // until a posted task called stop()
  void post(base::Task task);  // from any thread
  void stop() { stopping_ = true; }
  void close_listeners();
  void finish_connections();  // the process ends: each is shut down and closed after its last bytes
  void close_connections();
  bool quiet() const;  // no connection, mail or background work is left

  // -- for Connection and Listener
  void adopt(int fd, base::PeerInfo peer, int family, const std::shared_ptr<ListenState>& origin);
  void add_dirty(std::shared_ptr<Connection> connection) { dirty_.push_back(std::move(connection)); }
  void queue_for_input(std::shared_ptr<Connection> connection);
  void remove(const std::shared_ptr<Connection>& connection);
  bool can_move_to(base::ShardId shard) const;
  void send_connection(base::ShardId to, const std::shared_ptr<Connection>& from,
                       Connection::Luggage luggage);
  void bury(std::unique_ptr<base::Session> session) { graveyard_.push_back(std::move(session)); }
  bool input_paused() const { return mailbox_.blocked() || background_.full(); }
  base::MutableBytes input_scratch() { return scratch_; }
  void count_input(std::size_t bytes);
  Sender& sender() { return sender_; }
  LoopMetrics& metrics() { return metrics_; }

 private:
  void turn();
  void take_input();
  bool run_posted();
  bool has_leftovers() const;
  void wait_for_wakeup();
  void wait_for_tick();
  void tick();
  void receive_connection(Connection::Luggage luggage);

  boost::asio::io_context context_;
  SystemRandom random_;
  Wakeup& wakeup_;
  Mailbox mailbox_;
  BackgroundPool background_;
  base::Shard shard_;
  base::ByteBuffer scratch_;
  Sender sender_;
  LoopMetrics metrics_;
  boost::asio::posix::stream_descriptor wakeup_descriptor_;
  boost::asio::steady_timer timer_;

  std::vector<ShardLoop*> neighbours_;
  std::vector<TurnHook*> hooks_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Connection>> dirty_, input_queue_;
  std::vector<std::unique_ptr<base::Session>> graveyard_;
  std::size_t turn_input_ = 0;
  int ticks_ = 0;
  bool stopping_ = false;

  std::mutex posted_mutex_;
  std::vector<base::Task> posted_;
  std::atomic<bool> posted_any_{false};
};

}  // namespace sluice::runtime
