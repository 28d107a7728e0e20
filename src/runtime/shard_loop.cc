// SPDX-License-Identifier: Apache-2.0
#include "runtime/shard_loop.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::runtime {

// One thread runs the context and all its objects: Asio needs no locks.
ShardLoop::ShardLoop(std::uint32_t id, PostOffice& office, base::Clock& clock, base::Disk& disk,
                     base::Logger& logger, std::uint32_t background_threads)
    : context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
      wakeup_(office.wakeup(id)),
      mailbox_(office, id),
      background_(background_threads, wakeup_, fmt::format("sluice-bg{}", id)),
      shard_{base::ShardId{id}, office.shard_count(), clock, random_, disk, background_, mailbox_, logger},
      scratch_(scratch_bytes),
      sender_(scratch_),
      wakeup_descriptor_(context_, wakeup_.descriptor()),
      timer_(context_) {}

ShardLoop::~ShardLoop() {
  wakeup_descriptor_.release();  // the descriptor belongs to Wakeup
}

void ShardLoop::add_listener(int fd, std::shared_ptr<ListenState> state) {
  listeners_.push_back(std::make_unique<Listener>(*this, fd, std::move(state)));
}

void ShardLoop::run() {
  wait_for_wakeup();
  timer_.expires_after(std::chrono::milliseconds(tick_ms));
  wait_for_tick();
  for (const auto& listener : listeners_) listener->arm();
  mailbox_.push();  // what was sent before the thread ran
  while (!stopping_) turn();
  // Sessions go on the thread they lived on.
  close_connections();
  dirty_.clear();
  input_queue_.clear();
  graveyard_.clear();
  listeners_.clear();
  context_.poll();  // cancelled handlers let go of their connections
}

void ShardLoop::turn() {
  metrics_.turns.add();
  turn_input_ = 0;
  take_input();
  run_posted();
  background_.finish();
  mailbox_.receive();

  for (TurnHook* hook : hooks_) hook->on_turn_end();

  // service() may make a connection dirty again: that is for the next turn.
  const auto dirty = std::exchange(dirty_, {});
  for (const auto& connection : dirty) {
    if (!connection->closed()) connection->service();
  }
  mailbox_.push();
  graveyard_.clear();
}

void ShardLoop::take_input() {
  if (has_leftovers()) {
    context_.poll_one();
  } else {
    wakeup_.prepare_sleep();
    if (mailbox_.has_incoming() || background_.has_finished() || posted_any_.load()) {
      context_.poll_one();
    } else {
      context_.run_one();
    }
    wakeup_.end_sleep();
  }
  for (int i = 1; i < turn_handlers && turn_input_ < turn_input_bytes; ++i) {
    if (context_.poll_one() == 0) break;
  }
  if (input_paused()) {
    metrics_.input_pauses.add();
    return;
  }
  const auto queued = std::exchange(input_queue_, {});
  for (const auto& connection : queued) {
    if (!connection->closed()) connection->read_input();
  }
}

// While input is paused the queue waits for mail or background work, both of which wake us.
bool ShardLoop::has_leftovers() const {
  return !dirty_.empty() || (!input_queue_.empty() && !input_paused()) || stopping_;
}

bool ShardLoop::run_posted() {
  if (!posted_any_.exchange(false)) return false;
  std::vector<base::Task> posted;
  {
    const std::lock_guard lock(posted_mutex_);
    posted.swap(posted_);
  }
  for (base::Task& task : posted) task();
  return true;
}

void ShardLoop::post(base::Task task) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  posted_any_.exchange(true);
  wakeup_.wake();
}

void ShardLoop::wait_for_wakeup() {
  wakeup_descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                [this](const boost::system::error_code& error) {
                                  if (error) return;
                                  wakeup_.clear();
                                  wait_for_wakeup();
                                });
}

void ShardLoop::wait_for_tick() {
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_.expires_after(std::chrono::milliseconds(tick_ms));
    tick();
    wait_for_tick();
  });
}

void ShardLoop::tick() {
  const std::int64_t now = shard_.clock.monotonic_ms();
  for (TurnHook* hook : hooks_) hook->on_tick(now);
  for (const auto& listener : listeners_) listener->tick();
  if (++ticks_ % session_tick_every != 0) return;
  std::vector<std::shared_ptr<Connection>> all;  // ticks may close connections
  all.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->tick(now);
}

void ShardLoop::adopt(int fd, base::PeerInfo peer, int family, const std::shared_ptr<ListenState>& origin) {
  Connection::Socket socket(context_);
  boost::system::error_code error;
  socket.assign(boost::asio::generic::stream_protocol(family, 0), fd, error);
  if (error) {
    ::close(fd);
    origin->connections.fetch_sub(1);
    return;
  }
  const SessionFactory& factory = origin->spec.factory;
  auto connection = std::make_shared<Connection>(*this, std::move(socket), family, std::move(peer), origin);
  connections_.emplace(connection.get(), connection);
  metrics_.connections.set(connections_.size());
  metrics_.connections_opened.add();
  connection->start(factory);
}

bool ShardLoop::can_move_to(base::ShardId shard) const {
  return shard.value < neighbours_.size() && shard != shard_.id && !listeners_.empty();
}

void ShardLoop::send_connection(base::ShardId to, const std::shared_ptr<Connection>& from,
                                Connection::Luggage luggage) {
  connections_.erase(from.get());
  metrics_.connections.set(connections_.size());
  metrics_.connections_moved.add();
  ShardLoop* receiver = neighbours_[to.value];
  mailbox_.send(to, [receiver, luggage = std::move(luggage)]() mutable {
    receiver->receive_connection(std::move(luggage));
  });
}

void ShardLoop::receive_connection(Connection::Luggage luggage) {
  Connection::Socket socket(context_);
  boost::system::error_code error;
  socket.assign(boost::asio::generic::stream_protocol(luggage.family, 0), luggage.fd, error);
  if (error) {
    ::close(luggage.fd);
    luggage.origin->connections.fetch_sub(1);
    return luggage.session->on_closed();
  }
  auto connection = std::make_shared<Connection>(*this, std::move(socket), luggage.family,
                                                 std::move(luggage.peer), std::move(luggage.origin));
  connections_.emplace(connection.get(), connection);
  metrics_.connections.set(connections_.size());
  connection->arrive(std::move(luggage));
}

void ShardLoop::queue_for_input(std::shared_ptr<Connection> connection) {
  if (connection->queued_for_input_) return;
  connection->queued_for_input_ = true;
  input_queue_.push_back(std::move(connection));
}

void ShardLoop::remove(const std::shared_ptr<Connection>& connection) {
  if (connections_.erase(connection.get()) == 0) return;
  metrics_.connections.set(connections_.size());
  metrics_.connections_closed.add();
}

void ShardLoop::count_input(std::size_t bytes) {
  turn_input_ += bytes;
  metrics_.received_bytes.add(bytes);
}

void ShardLoop::close_listeners() {
  listeners_.clear();
}

void ShardLoop::finish_connections() {
  const auto all = connections_;
  for (const auto& [key, connection] : all) connection->shut_down();
}

void ShardLoop::close_connections() {
  const auto all = connections_;
  for (const auto& [key, connection] : all) connection->close();
}

bool ShardLoop::quiet() const {
  return connections_.empty() && background_.idle() && !mailbox_.has_incoming() && !mailbox_.has_outgoing();
}

}  // namespace sluice::runtime
