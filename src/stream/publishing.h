// SPDX-License-Identifier: Apache-2.0
// The publishing half of a session: publishers by id, Publish frames to the broker, confirms and refusals
// back, and the credit that stops the reading of a socket with too many unconfirmed messages. Reference:
// section 7.
#pragma once

#include <memory>

#include "stream/connection.h"

namespace sluice::stream {

class Publishing {
 public:
  explicit Publishing(Connection& connection)
      : connection_(connection), credit_(connection.options().initial_credits) {}

  void on(std::uint32_t correlation, const streamproto::DeclarePublisher& request);
  void on(std::uint32_t correlation, const streamproto::DeletePublisher& request);
  // Malformed entries: none of the frame's last batch is published, and the error is for the connection.
  base::Result<> on(const streamproto::Publish& request);
  void on(std::uint32_t correlation, const streamproto::QueryPublisherSequence& request);

  // Events of the broker.
  void on_confirmed(broker::Token token, std::span<const std::uint64_t> ids);
  void on_refused(broker::Token token, std::span<const std::uint64_t> ids, base::Errc why);

  // The broker has dropped the publishers of that stream. True when there were any.
  bool forget_stream(std::string_view stream);
  // Removes publishers whose user may no longer write; their streams are added.
  void drop_forbidden(std::vector<std::string>& streams);

  // Disk alarm, or a stream that cannot keep up.
  void on_flow(bool may_publish) { stopped_ = !may_publish; }

  // True: the socket is not to be read.
  bool blocked() const { return out_of_credit_ || (stopped_ && count_ > 0); }
  std::size_t count() const { return count_; }
  void list(std::vector<broker::PublisherRow>& into) const;

 private:
  struct Publisher {
    broker::Token token = 0;
    std::string stream, reference;
    std::uint64_t published = 0, confirmed = 0, errored = 0;
    std::size_t outstanding = 0;  // neither confirmed nor refused by the broker; its part of the spent credit
  };

  streamproto::ResponseCode declare(const streamproto::DeclarePublisher& request);
  // The publisher an event is about, with the credit of `answered` messages given back; null for a late
  // event.
  Publisher* settle(broker::Token token, std::size_t answered);
  void remove(std::uint8_t id);
  void give_credit(std::size_t messages);
  void refuse_rest(std::uint8_t id, Publisher* publisher, streamproto::PublishEntries entries,
                   streamproto::ResponseCode code);
  void flush(Publisher& publisher, std::vector<broker::PublishEntry>& batch);

  Connection& connection_;
  // By publisher id; grows to the highest id used, 256 at most.
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::size_t count_ = 0;
  std::uint32_t generation_ = 0;  // upper bits of a token: a late event of a deleted publisher finds nobody
  std::int64_t credit_;
  bool out_of_credit_ = false;
  bool stopped_ = false;  // by the broker
};

}  // namespace sluice::stream
