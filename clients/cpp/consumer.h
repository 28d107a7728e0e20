// SPDX-License-Identifier: Apache-2.0
// Reads one stream. Each message is handed to the handler in order of offset, from the offset asked for on,
// once the chunk's CRC was checked and sub-entry batches are unpacked. A handled chunk gives one credit back,
// so a slow handler slows the server. After a lost connection it goes on after the last message handed over.
//
// Tracking stores the offset of the last handled message under the consumer's name and starts after the
// stored one next time. Single active consumers get nothing until the server makes them active
// (ConsumerOptions::on_update).
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "client/connection.h"
#include "client/options.h"
#include "client/task.h"

namespace sluice::client {

class Environment;

struct ConsumerCounters {
  std::uint64_t chunks = 0;
  std::uint64_t chunk_bytes = 0;        // headers and data
  std::uint64_t messages_received = 0;  // in those chunks
  std::uint64_t messages_handled = 0;   // after offset and post-filter
  std::uint64_t reconnections = 0;
};

class Consumer : public SubscriptionEvents, public std::enable_shared_from_this<Consumer> {
 public:
  Consumer(std::shared_ptr<Environment> environment, ConsumerOptions options, MessageHandler handler);
  ~Consumer() override;
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Called by Environment::create_consumer.
  Task<base::Result<void>> open();
  // Commits (auto-commit), unsubscribes. No handler call after it returned.
  Task<base::Result<void>> close();

  // Manual tracking: `offset` is that of the last message processed. Needs a name.
  base::Result<void> store_offset(std::uint64_t offset);
  // Error no_offset when none was stored.
  Task<base::Result<std::uint64_t>> stored_offset();

  // Offset after the last message handed over.
  std::optional<std::uint64_t> next_offset() const { return next_offset_; }
  bool is_active() const { return active_; }
  const ConsumerCounters& counters() const { return counters_; }
  const std::optional<base::Error>& failure() const { return failed_; }

  const std::string& stream() const override { return options_.stream; }
  void on_lost(const base::Error& error) override;
  void on_deliver(const streamproto::Deliver& deliver) override;
  void on_consumer_update(std::uint32_t correlation, bool active) override;

 private:
  Task<base::Result<void>> attach();
  Task<void> reattach();
  Task<OffsetSpec> start_spec();
  Task<void> wait_until_committed();
  Task<void> answer_update(std::uint32_t correlation, bool active);
  std::vector<std::pair<std::string, std::string>> subscription_properties() const;
  base::Result<void> handle_chunk(const streamproto::Deliver& deliver);
  void handle_message(const streamproto::Deliver& deliver, std::uint64_t offset, base::ByteView body);
  void commit_if_due();
  void commit();
  void schedule_commit();
  void fail(const base::Error& error);

  std::shared_ptr<Environment> environment_;
  ConsumerOptions options_;
  MessageHandler handler_;
  std::shared_ptr<Connection> connection_;
  asio::steady_timer commit_timer_;
  std::uint8_t id_ = 0;
  std::optional<std::uint64_t> next_offset_;
  std::uint64_t skip_below_ = 0;  // of the present subscription
  std::optional<std::uint64_t> committed_;
  std::uint32_t handled_since_commit_ = 0;
  ConsumerCounters counters_;
  std::optional<base::Error> failed_;
  bool attached_ = false;  // has a subscription id
  bool running_ = false;   // and the server said yes
  bool lost_ = false;
  bool closed_ = false;
  bool active_ = false;
};

}  // namespace sluice::client
