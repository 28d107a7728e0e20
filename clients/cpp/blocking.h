// SPDX-License-Identifier: Apache-2.0
// The client for scripts and tests: every call waits. A thread of its own runs the environment, so heartbeats
// go on between calls. run() waits for any Task of the asynchronous interface, so nothing is out of reach:
//
//   BlockingClient client({.endpoints = {{"127.0.0.1", 5552}}});
//   client.create_stream("readings");
//   client.publish("readings", {"one", "two"});
//   for (const StoredMessage& message : client.read("readings", OffsetSpec::first(), 2)) ...
//
// Calls throw ClientError, which carries the error value. Callable from any one thread at a time.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "client/consumer.h"
#include "client/environment.h"
#include "client/producer.h"

namespace sluice::client {

class ClientError : public std::runtime_error {
 public:
  explicit ClientError(base::Error error)
      : std::runtime_error(std::string(base::to_string(error.code)) + ": " + error.text),
        error_(std::move(error)) {}
  const base::Error& error() const { return error_; }

 private:
  base::Error error_;
};

struct StoredMessage {
  std::uint64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::string body;
};

class BlockingClient {
 public:
  explicit BlockingClient(EnvironmentOptions options = {});
  ~BlockingClient();
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;

  const std::shared_ptr<Environment>& environment() const { return environment_; }

  // Runs a task on the client's thread and returns its value; the error of a Result is thrown.
  template <class T>
  T run(Task<base::Result<T>> task) {
    base::Result<T> result = asio::co_spawn(io_, std::move(task), asio::use_future).get();
    if (!result) throw ClientError(std::move(result).error());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

  // An existing stream of the same arguments is fine.
  void create_stream(const std::string& name, StreamOptions options = {});
  void delete_stream(const std::string& name);

  // Publishes all and waits for the confirms; returns the last publishing id.
  std::uint64_t publish(const ProducerOptions& options, std::span<const std::string> bodies,
                        const std::string& filter_value = {});
  std::uint64_t publish(const std::string& stream, const std::vector<std::string>& bodies,
                        const std::string& filter_value = {});

  // Up to `count` messages; fewer when the time is up.
  std::vector<StoredMessage> read(ConsumerOptions options, std::size_t count,
                                  std::chrono::milliseconds timeout = std::chrono::seconds(10));
  std::vector<StoredMessage> read(const std::string& stream, OffsetSpec start, std::size_t count);

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::shared_ptr<Environment> environment_;
  std::thread thread_;
};

}  // namespace sluice::client
