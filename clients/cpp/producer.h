// SPDX-License-Identifier: Apache-2.0
// Publishes to one stream. What is published in one turn of the executor leaves in as few Publish frames as
// frame_max allows. Everything unconfirmed is kept, within bounds, and sent again after a reconnection: with
// a name (ProducerOptions::name) the server drops what it already has; without one a resent message may be
// stored twice.
//
//   if (!producer->has_room()) co_await producer->wait_for_room();
//   producer->publish(body, {}, [](const Confirmation& c) { ... });       // callback form
//   auto id = co_await producer->publish_and_wait(body, {});              // waits for room and for the
//   confirm
//
// Publishing ids rise by one from the stored sequence of the name, or are given and must rise. A sub-entry
// batch has the id of its last message. Confirm handlers are called once each, in order of id unless the
// server confirms otherwise.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/connection.h"
#include "client/options.h"
#include "client/task.h"

namespace sluice::client {

class Environment;

struct Confirmation {
  std::uint64_t publishing_id = 0;
  base::Result<void> outcome;  // stored, or why not
};
using ConfirmHandler = std::move_only_function<void(const Confirmation&)>;

struct PublishOptions {
  std::string_view filter_value = {};  // empty: none
  std::optional<std::uint64_t> publishing_id = std::nullopt;
};

class Producer : public PublisherEvents, public std::enable_shared_from_this<Producer> {
 public:
  Producer(std::shared_ptr<Environment> environment, ProducerOptions options);
  ~Producer() override;
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Called by Environment::create_producer.
  Task<base::Result<void>> open();

  // Takes a copy of `body`. Refused: window full (ask has_room() first), closed or failed, ids that do not
  // rise, a filter value the server cannot take, a message above frame_max. Otherwise the publishing id.
  base::Result<std::uint64_t> publish(base::ByteView body, PublishOptions options = {},
                                      ConfirmHandler handler = {});
  Task<base::Result<std::uint64_t>> publish_and_wait(base::ByteBuffer body, std::string filter_value);

  bool has_room() const;
  Task<base::Result<void>> wait_for_room();
  // Sends an open sub-entry batch now instead of at the end of the turn.
  void flush();
  // Until everything published so far is confirmed or refused.
  Task<base::Result<void>> wait_for_confirms();
  Task<base::Result<void>> close();

  std::uint64_t last_publishing_id() const { return last_id_; }
  std::size_t unconfirmed_messages() const { return unconfirmed_messages_; }
  std::uint64_t reconnections() const { return reconnections_; }

  const std::string& stream() const override { return options_.stream; }
  void on_lost(const base::Error& error) override;
  void on_confirms(const streamproto::PublishConfirm& confirms) override;
  void on_publish_errors(const streamproto::PublishError& errors) override;

 private:
  // One entry of the stream: a message, or a sub-entry batch with its packed messages.
  struct Entry {
    std::uint64_t id = 0;
    base::ByteBuffer data;
    std::string filter_value;
    std::uint16_t records = 1;
    std::uint32_t uncompressed_bytes = 0;
    bool is_sub_batch = false;
    bool done = false;
    std::vector<std::pair<std::uint64_t, ConfirmHandler>> handlers;
  };

  Task<base::Result<void>> attach();
  Task<void> reattach();
  base::Result<void> check(base::ByteView body, const PublishOptions& options) const;
  void add_to_batch(base::ByteView body, std::string_view filter_value, ConfirmHandler handler);
  void seal_batch();
  void schedule_send();
  void send_unsent();
  void settle(std::uint64_t id, const base::Result<void>& outcome);
  void drop_settled();
  void fail(const base::Error& error);
  std::size_t wire_bytes(const Entry& entry) const;

  std::shared_ptr<Environment> environment_;
  ProducerOptions options_;
  std::shared_ptr<Connection> connection_;
  std::uint8_t id_ = 0;
  std::deque<Entry> entries_;  // by id; the first `sent_` were sent on the present connection
  std::size_t sent_ = 0;
  std::optional<Entry> batch_;  // open sub-entry batch
  std::size_t unconfirmed_messages_ = 0;
  std::size_t unconfirmed_bytes_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t reconnections_ = 0;
  std::optional<base::Error> failed_;
  Waiters changed_;
  bool attached_ = false;
  bool lost_ = false;  // the link went while attaching
  bool with_filter_ = false;
  bool send_scheduled_ = false;
  bool any_published_ = false;
};

}  // namespace sluice::client
