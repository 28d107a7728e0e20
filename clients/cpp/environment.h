// SPDX-License-Identifier: Apache-2.0
// The door of the client: administrative requests over one locator connection, and producers and consumers
// over pooled connections to where the streams live.
//
//   auto environment = Environment::create(io.get_executor(), options);
//   co_await environment->create_stream("readings", {});
//   auto producer = co_await environment->create_producer({.stream = "readings"});
//
// Runs on one executor (one thread, or a strand) and must be called on it. Connections are opened when first
// needed and again after they were lost. close() ends everything made here.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/connection.h"
#include "client/options.h"
#include "client/task.h"

namespace sluice::client {

class Producer;
class Consumer;

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  static std::shared_ptr<Environment> create(asio::any_io_executor executor, EnvironmentOptions options);

  // Errc::stream_exists when it is there with the same arguments, precondition_failed with others.
  Task<base::Result<void>> create_stream(std::string name, StreamOptions options);
  Task<base::Result<void>> delete_stream(std::string name);
  // Partitions <name>-<key> bound with that key, one for each of `binding_keys`.
  Task<base::Result<void>> create_super_stream(std::string name, std::vector<std::string> binding_keys,
                                               StreamOptions options);
  Task<base::Result<void>> create_super_stream(std::string name, std::uint32_t partitions,
                                               StreamOptions options);
  Task<base::Result<void>> delete_super_stream(std::string name);

  Task<base::Result<std::map<std::string, base::Result<StreamPlacement>>>> metadata(
      std::vector<std::string> streams);
  Task<base::Result<std::vector<std::string>>> partitions(std::string super_stream);
  Task<base::Result<std::vector<std::string>>> route(std::string super_stream, std::string routing_key);
  Task<base::Result<StreamStatistics>> stream_statistics(std::string stream);
  Task<base::Result<std::uint64_t>> query_offset(std::string reference, std::string stream);
  Task<base::Result<std::uint64_t>> query_publisher_sequence(std::string reference, std::string stream);
  Task<base::Result<std::uint64_t>> resolve_offset_spec(std::string stream, OffsetSpec spec);
  // One way: a later query sees it, an error is not reported.
  Task<base::Result<void>> store_offset(std::string reference, std::string stream, std::uint64_t offset);

  Task<base::Result<std::shared_ptr<Producer>>> create_producer(ProducerOptions options);
  Task<base::Result<std::shared_ptr<Consumer>>> create_consumer(ConsumerOptions options,
                                                                MessageHandler handler);

  // Closes all connections; producers and consumers made here end.
  Task<void> close();

  const asio::any_io_executor& executor() const { return executor_; }
  const EnvironmentOptions& options() const { return options_; }
  bool is_closed() const { return closed_; }
  // Bytes that arrived over all connections so far, living or gone.
  std::uint64_t bytes_received() const;

  // For Producer and Consumer: a connection to the leader (or to any replica) of the stream with a free id,
  // taken for `user`; the id is given back with remove_publisher / remove_subscription.
  struct Slot {
    std::shared_ptr<Connection> connection;
    std::uint8_t id = 0;
  };
  Task<base::Result<Slot>> take_slot(PublisherEvents* user);
  Task<base::Result<Slot>> take_slot(SubscriptionEvents* user);

 private:
  Environment(asio::any_io_executor executor, EnvironmentOptions options);

  Task<base::Result<std::shared_ptr<Connection>>> connect(Endpoint endpoint);
  Task<base::Result<std::shared_ptr<Connection>>> locator();
  Task<base::Result<std::vector<Endpoint>>> places_of(std::string stream, bool leader_only);
  template <class User>
  Task<base::Result<Slot>> take(User* user, bool leader_only, std::size_t limit);
  template <class Response, class Request>
  Task<base::Result<Answer<Response>>> ask(Request request);

  asio::any_io_executor executor_;
  EnvironmentOptions options_;
  std::shared_ptr<Connection> locator_;
  std::vector<std::shared_ptr<Connection>> connections_;  // those with publishers or subscriptions
  TaskMutex locator_mutex_;
  TaskMutex connections_mutex_;
  std::uint64_t bytes_received_before_ = 0;
  std::size_t next_endpoint_ = 0;
  bool closed_ = false;
};

}  // namespace sluice::client
