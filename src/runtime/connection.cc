// SPDX-License-Identifier: Apache-2.0
#include "runtime/connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/shard_loop.h"

namespace sluice::runtime {
namespace {

constexpr std::size_t discard_bytes_max = 1 << 20;  // per read of a lingering connection

}  // namespace

Connection::Connection(ShardLoop& shard, Socket socket, int family, base::PeerInfo peer,
                       std::shared_ptr<ListenState> origin)
    : shard_(shard),
      socket_(std::move(socket)),
      family_(family),
      peer_(std::move(peer)),
      origin_(std::move(origin)) {}

Connection::~Connection() {
  if (origin_) origin_->connections.fetch_sub(1);  // null: it went to another shard
}

void Connection::start(const SessionFactory& factory) {
  session_ = factory(*this, shard_.shard());
  wake();
}

void Connection::wake() {
  if (dirty_ || state_ == State::closed) return;
  dirty_ = true;
  shard_.add_dirty(shared_from_this());
}

bool Connection::wants_input() const {
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.Move): an open connection has its session
  return state_ == State::open && !end_of_input_ && session_->closing() == base::Session::Closing::no &&
         session_->reading();
}

// -- input

void Connection::read_input() {
  queued_for_input_ = false;
  if (state_ == State::lingering) return read_and_discard();
  if (!wants_input()) return wake();
  if (shard_.input_paused()) return shard_.queue_for_input(shared_from_this());
  if (kept_stalled_) return offer_kept();

  const base::MutableBytes scratch = shard_.input_scratch();
  // Room for the kept bytes in front, so that a frame cut by the last read lies in one piece without a copy
  // of the new bytes. Kept bytes that outweigh what a read may bring are appended to instead.
  const std::size_t front = kept_.size() <= scratch.size() / 2 ? kept_.size() : 0;
  const base::MutableBytes into = scratch.subspan(front);
  const ssize_t n = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return arm_read();
    return close();
  }
  if (n == 0) return on_end_of_input();
  const auto size = static_cast<std::size_t>(n);
  shard_.count_input(size);
  if (kept_.empty()) {
    offer(into.first(size), false);
  } else if (front != 0 && front <= size) {
    std::memcpy(scratch.data(), kept_.data(), front);
    base::ByteBuffer().swap(kept_);
    offer(scratch.first(front + size), false);
  } else {
    // Costs the new bytes only, so a peer that sends a large frame byte by byte costs no more than its bytes.
    if (kept_.size() + size > kept_input_bytes_max) return close();
    kept_.insert(kept_.end(), into.begin(), into.begin() + n);
    offer(kept_, true);
  }
  if (state_ != State::open) return;
  acknowledge_small(size);
  if (size == into.size() && wants_input()) {
    shard_.queue_for_input(shared_from_this());  // there may be more: next turn, without asking epoll
  } else {
    wake();
  }
}

// A client that leaves Nagle's algorithm on (node does) holds its next credit back until the last one is
// acknowledged, which the kernel delays by 40 ms while we, too, wait for more credit: small reads are
// acknowledged at once.
void Connection::acknowledge_small(std::size_t read_bytes) {
  constexpr std::size_t small_bytes = 128;
  if (read_bytes >= small_bytes) return;
  const int on = 1;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void Connection::offer(base::ByteView input, bool from_kept) {
  in_on_bytes_ = true;
  const std::size_t used = session_->on_bytes(input);
  in_on_bytes_ = false;
  INVARIANT(used <= input.size(), "session used {} of {} bytes", used, input.size());
  const std::size_t left = input.size() - used;
  if (left == 0) {
    base::ByteBuffer().swap(kept_);
  } else if (!from_kept) {
    kept_.assign(input.begin() + static_cast<std::ptrdiff_t>(used), input.end());
  } else if (used != 0) {
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(used));
  }
  if (move_target_) return hand_over();
  kept_stalled_ = left != 0 && !session_->reading();
  wake();
}

void Connection::offer_kept() {
  kept_stalled_ = false;
  offer(kept_, true);
  if (end_of_input_ && !kept_stalled_) finish();
}

// The peer sends no more, but may still read: what is queued goes out first.
void Connection::on_end_of_input() {
  end_of_input_ = true;
  if (!kept_stalled_) finish();
}

void Connection::read_and_discard() {
  const base::MutableBytes scratch = shard_.input_scratch();
  for (std::size_t total = 0; total < discard_bytes_max;) {
    const ssize_t n = ::recv(socket_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return arm_read();
    if (n <= 0) return close();
    total += static_cast<std::size_t>(n);
  }
  close();  // still sending at full speed: it does not want to read our last words
}

void Connection::arm_read() {
  if (read_armed_ || state_ == State::closed) return;
  read_armed_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
    self->read_armed_ = false;
    if (error || self->closed()) return;
    self->read_input();
  });
}

// -- moving

bool Connection::move_to(base::ShardId shard) {
  const bool possible = in_on_bytes_ && state_ == State::open && !end_of_input_ && shard_.can_move_to(shard);
  if (possible) move_target_ = shard;
  return possible;
}

void Connection::hand_over() {
  Luggage luggage;
  luggage.family = family_;
  boost::system::error_code error;
  luggage.fd = socket_.release(error);  // cancels what waits; their handlers find this closed
  if (error) return close();
  state_ = State::closed;
  luggage.peer = std::move(peer_);
  luggage.origin = std::move(origin_);
  luggage.session = std::move(session_);
  luggage.outbox = std::exchange(outbox_, {});
  luggage.kept = std::exchange(kept_, {});
  shard_.send_connection(*move_target_, shared_from_this(), std::move(luggage));
}

void Connection::arrive(Luggage luggage) {
  session_ = std::move(luggage.session);
  outbox_ = std::move(luggage.outbox);
  kept_ = std::move(luggage.kept);
  session_->on_moved(shard_.shard().id, *this);
  kept_stalled_ = !kept_.empty();
  if (kept_stalled_ && wants_input()) offer_kept();
  wake();
}

// -- output and life cycle

void Connection::service() {
  dirty_ = false;
  if (state_ == State::open) {
    switch (session_->closing()) {
      case base::Session::Closing::no:
        break;
      case base::Session::Closing::after_flush:
        finish();
        break;
      case base::Session::Closing::now:
        return close();
    }
  }
  if (state_ == State::open || state_ == State::finishing) flush();
  if (state_ == State::open && wants_input()) {
    if (kept_stalled_) {
      shard_.queue_for_input(shared_from_this());
    } else if (!queued_for_input_) {
      arm_read();
    }
  }
}

void Connection::flush() {
  if (write_armed_) return;
  was_above_high_water_ = was_above_high_water_ || outbox_.above_high_water();
  switch (shard_.sender().flush(socket_.native_handle(), outbox_)) {
    case SendOutcome::failed:
      return close();
    case SendOutcome::would_block:
      arm_write();
      break;
    case SendOutcome::drained:
      if (state_ == State::finishing) return begin_linger();
      break;
  }
  if (state_ == State::open && was_above_high_water_ &&
      outbox_.pending_bytes() < base::Outbox::low_water_bytes) {
    was_above_high_water_ = false;
    session_->on_drained();
    wake();  // what it has produced goes out in the next turn, after others had theirs
  }
}

void Connection::arm_write() {
  if (write_armed_) return;
  write_armed_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
    self->write_armed_ = false;
    if (error || self->closed()) return;
    self->wake();
  });
}

void Connection::tick(std::int64_t now_ms) {
  switch (state_) {
    case State::open:
      outbox_.rest();
      session_->on_tick(now_ms);
      return wake();
    case State::finishing:
    case State::lingering:
      if (now_ms >= deadline_ms_) close();
      return;
    case State::closed:
      return;
  }
}

void Connection::shut_down() {
  if (state_ == State::open) session_->on_shutdown();
  finish();
}

void Connection::finish() {
  if (state_ != State::open) return;
  state_ = State::finishing;
  deadline_ms_ = shard_.shard().clock.monotonic_ms() + finishing_ms;
  tell_closed();
  wake();
}

void Connection::begin_linger() {
  if (end_of_input_) return close();
  state_ = State::lingering;
  deadline_ms_ = shard_.shard().clock.monotonic_ms() + lingering_ms;
  ::shutdown(socket_.native_handle(), SHUT_WR);
  base::ByteBuffer().swap(kept_);
  read_and_discard();
}

void Connection::close() {
  if (state_ == State::closed) return;
  if (state_ == State::open) tell_closed();
  state_ = State::closed;
  boost::system::error_code ignored;
  socket_.close(ignored);
  outbox_.consume(outbox_.pending_bytes());
  base::ByteBuffer().swap(kept_);
  shard_.remove(shared_from_this());
}

void Connection::tell_closed() {
  session_->on_closed();
  shard_.bury(std::move(session_));
}

}  // namespace sluice::runtime
