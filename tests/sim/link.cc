// SPDX-License-Identifier: Apache-2.0
#include "sim/link.h"

#include "sim/client.h"

namespace sluice::sim {
namespace {

// More than the high-water mark by one large delivery: nothing may pile up beyond that.
constexpr std::size_t outbox_bytes_max = base::Outbox::high_water_bytes + (2 << 20);

}  // namespace

Link::Link(Node& node, base::ShardId shard, Client& client)
    : node_(node), world_(node.world()), shard_(shard), client_(&client) {
  static constexpr std::size_t windows[] = {500, 5000, 60'000, 500'000};
  window_bytes_ = world_.dice.pick(windows);
  peer_ = {"127.0.0.1", static_cast<std::uint16_t>(world_.dice.between(30'000, 60'000)), "127.0.0.1", 5552,
           true};
}

// In order, in pieces.
std::int64_t Link::arrival_delay_us(std::int64_t& last_us) {
  last_us =
      std::max(last_us + 1, world_.now_us() + world_.dice.between(20, world_.dice.one_in(30) ? 50'000 : 400));
  return last_us - world_.now_us();
}

// ---- to the server

void Link::send(base::ByteView bytes) {
  if (gone_) return;
  while (!bytes.empty()) {
    const std::size_t size =
        world_.dice.one_in(4) ? 1 + static_cast<std::size_t>(world_.dice.below(bytes.size())) : bytes.size();
    world_.after(arrival_delay_us(last_to_server_us_), node_.owner(),
                 [self = shared_from_this(),
                  piece = base::ByteBuffer(bytes.begin(),
                                           bytes.begin() + static_cast<std::ptrdiff_t>(size))]() mutable {
                   self->node_.turn(self->shard_, [&] { self->arrive(std::move(piece)); });
                 });
    bytes = bytes.subspan(size);
  }
}

void Link::hang_up() {
  client_ = nullptr;
  if (!gone_)
    world_.after(arrival_delay_us(last_to_server_us_), node_.owner(),
                 [self = shared_from_this()] { self->node_.turn(self->shard_, [&] { self->close(); }); });
}

void Link::start(stream::Context& context) {
  started_ = true;
  session_ = std::make_unique<stream::Session>(context, *this);
  wake();
}

void Link::arrive(base::ByteBuffer bytes) {
  if (closed()) return;
  kept_.insert(kept_.end(), bytes.begin(), bytes.end());
  offer();
}

void Link::offer() {
  offering_ = false;
  if (session_ == nullptr || kept_.empty()) return;
  if (session_->closing() == base::Session::Closing::no && session_->reading()) {
    const std::size_t used = session_->on_bytes(kept_);
    INVARIANT(used <= kept_.size(), "{} of {} bytes used", used, kept_.size());
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(used));
  }
  wake();
}

// ---- to the client

void Link::wake() {
  if (dirty_ || gone_) return;
  dirty_ = true;
  node_.add_dirty(shard_, shared_from_this());
}

void Link::service() {
  dirty_ = false;
  if (session_ == nullptr) return;
  if (outbox_.pending_bytes() > outbox_bytes_max) world_.fail("outbox of {} bytes", outbox_.pending_bytes());
  const auto closing = session_->closing();
  if (closing == base::Session::Closing::now) return close();
  flush();
  if (closed()) return;
  if (closing == base::Session::Closing::after_flush && outbox_.empty()) return close();
  if (!kept_.empty() && !offering_ && closing == base::Session::Closing::no && session_->reading()) {
    offering_ = true;
    world_.after(1, node_.owner(),
                 [self = shared_from_this()] { self->node_.turn(self->shard_, [&] { self->offer(); }); });
  }
}

void Link::flush() {
  was_above_high_water_ |= outbox_.above_high_water();
  base::ByteBuffer bytes;
  const std::size_t room = window_bytes_ - std::min(window_bytes_, in_flight_bytes_);
  while (!outbox_.empty() && bytes.size() < room) {
    const base::Outbox::Piece& piece = outbox_.pieces().front();
    const std::size_t size = std::min(piece.size, room - bytes.size());
    const std::size_t at = bytes.size();
    bytes.resize(at + size);
    if (piece.file) {
      const auto read = piece.file->read_at(piece.position, base::MutableBytes(bytes).subspan(at));
      if (!read || *read != size) return close();  // as sendfile: the file is gone or shorter than promised
    } else {
      std::copy_n(outbox_.data(piece), size, bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    outbox_.consume(size);
  }
  if (!bytes.empty()) {
    in_flight_bytes_ += bytes.size();
    // The bytes are under way: they arrive even when the node dies (but not if it is doomed already).
    const bool lost = node_.doomed_.has_value();
    world_.after(arrival_delay_us(last_to_client_us_), nobody,
                 [self = shared_from_this(), bytes = std::move(bytes), lost] {
                   self->in_flight_bytes_ -= bytes.size();
                   if (self->client_ != nullptr && !lost) self->client_->receive(bytes);
                   if (!self->closed() && !self->outbox_.empty()) self->wake();
                 });
  }
  if (was_above_high_water_ && outbox_.pending_bytes() < base::Outbox::low_water_bytes) {
    was_above_high_water_ = false;
    session_->on_drained();
    wake();
  }
}

void Link::tick(std::int64_t monotonic_ms) {
  if (session_ == nullptr) return;
  session_->on_tick(monotonic_ms);
  wake();
}

void Link::close() {
  if (gone_) return;
  if (session_) session_->on_closed();
  cut();
}

void Link::cut() {
  started_ = gone_ = true;
  session_.reset();
  outbox_.consume(outbox_.pending_bytes());
  world_.after(arrival_delay_us(last_to_client_us_), nobody, [self = shared_from_this()] {
    if (Client* client = std::exchange(self->client_, nullptr)) client->lost();
  });
}

}  // namespace sluice::sim
