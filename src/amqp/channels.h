// SPDX-License-Identifier: Apache-2.0
// The channels of one connection: opening and closing them, from either side, and the answers of broker calls
// made for one. Owned by the session; everything that ends a channel goes through release().
#pragma once

#include <memory>
#include <vector>

#include "amqp/channel.h"
#include "amqp/connection.h"
#include "amqp/settlements.h"
#include "amqp/wire/methods.h"

namespace sluice::amqp {

class Channels {
 public:
  explicit Channels(Connection& connection) : settlements(connection), connection_(connection) {}

  // Null when there is no such channel. One that is closing is found, too.
  Channel* find(std::uint16_t number);
  // The same, but null for one that is closing.
  Channel* find_open(std::uint16_t number);
  std::size_t count() const { return channels_.size(); }

  void on_open(std::uint16_t number);
  void on_close(Channel& channel);     // channel.close of the client
  void on_close_ok(Channel& channel);  // of one that is closing

  // An error of `method` on this channel: closes it, or the connection where the refusal says so.
  void fail(Channel& channel, const broker::Refusal& why, wire::MethodId method);
  // The connection ends: forgets all channels. Does not tell the broker, who drops the client as a whole.
  void drop_all();

  // Whether a broker has nothing of any channel: no consumers, deliveries or messages that are outstanding.
  bool unused() const;
  // The connection moves to another shard.
  void leave_shard() { connection_.metrics().channels.sub(channels_.size()); }
  void join_shard() { connection_.metrics().channels.add(channels_.size()); }

  // An answer for a broker call: f(channel, value) runs if the channel is still open by then, an error ends
  // the channel or connection. The connection waits meanwhile.
  template <class T, class F>
  broker::Answer<T> await(const Channel& channel, wire::MethodId method, F f) {
    connection_.begin_wait();
    return [this, alive = connection_.alive(), number = channel.number, generation = channel.generation,
            method, f = std::move(f)](broker::Outcome<T> outcome) mutable {
      if (alive.expired()) return;
      connection_.end_wait();
      Channel* const there = find_open(number);
      if (there == nullptr || there->generation != generation || !connection_.is_open()) return;
      if (!outcome) return fail(*there, outcome.error(), method);
      if constexpr (std::is_void_v<T>) {
        f(*there);
      } else {
        f(*there, std::move(*outcome));
      }
    };
  }

  Settlements settlements;
  // Sum over all channels, kept by those who change it.
  std::size_t unsettled = 0;
  std::uint64_t assembling_bytes = 0;

  template <class F>
  void for_each(F&& f) const {
    for (const auto& channel : channels_) f(static_cast<const Channel&>(*channel));
  }

 private:
  // Gives back what the channel holds; what is left of it can wait for close-ok. Answered when the queues
  // have taken it back.
  void release(Channel& channel, broker::Answer<> answer);
  void erase(const Channel& channel);

  Connection& connection_;
  std::vector<std::unique_ptr<Channel>> channels_;  // by number
  std::size_t last_found_ = 0;
  std::uint32_t generations_ = 0;
};

}  // namespace sluice::amqp
