// SPDX-License-Identifier: Apache-2.0
// What a session offers to its shard's broker: events that come without having been asked for. All calls
// happen on the session's shard, never from inside a Broker call the session is making, except where Broker
// says so.
#pragma once

#include <span>

#include "broker/types.h"

namespace sluice::broker {

class Client {
 public:
  virtual ~Client() = default;
  // Messages are committed (or were duplicates of committed ones). ids in no particular order.
  virtual void on_confirmed(Token publisher, std::span<const std::uint64_t> publishing_ids) = 0;
  // Messages will never be stored: stream_not_found, stream_unavailable, ...
  virtual void on_refused(Token publisher, std::span<const std::uint64_t> publishing_ids, base::Errc why) = 0;
  // The consumer may have more to deliver: call Consumer::deliver soon.
  virtual void on_readable(Token subscription) = 0;
  // Single active consumer: tell the client, then call Broker::consumer_updated with its answer.
  virtual void on_consumer_update(Token subscription, bool active) = 0;
  // The stream was deleted or went offline. The broker has already dropped this client's publishers and
  // subscriptions there (both sets of tokens are gone).
  virtual void on_stream_lost(std::string_view vhost, std::string_view stream) = 0;
  // Whether this client's publishers may go on: false while the disk alarm is on or a stream of one of them
  // cannot keep up. Called on change only; true for a client without publishers, and to begin with (see also
  // Broker::may_publish). While it is false the session does not read its socket.
  virtual void on_flow(bool may_publish) { static_cast<void>(may_publish); }
  // An operator (or a deleted vhost) closes the connection.
  virtual void on_close_requested(std::string_view reason) = 0;

  // False: a part of the broker itself, no connection; not listed.
  virtual bool is_session() const { return true; }
  // For listings; these four may be called from inside Broker calls.
  virtual ConnectionRow describe() const = 0;
  virtual void list_publishers(std::vector<PublisherRow>& into) const = 0;
  virtual void list_consumers(std::vector<ConsumerRow>& into) const = 0;
  virtual void list_channels(std::vector<ChannelRow>& into) const { static_cast<void>(into); }
};

}  // namespace sluice::broker
