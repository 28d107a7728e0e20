// SPDX-License-Identifier: Apache-2.0
// One TCP connection to a broker: handshake, frames in both directions, requests matched to responses by
// correlation id with a deadline, heartbeats, and the table of publishers and subscriptions that live on it.
//
// Made by Environment; used by Producer and Consumer through the two event interfaces below. Everything runs
// on one executor. What is written during one turn of the executor leaves in one system call. A connection
// that is lost tells every pending request and every user once, is never repaired and never reused: users
// attach to a new one.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "client/options.h"
#include "client/task.h"
#include "streamproto/commands.h"

namespace sluice::client {

// Owner of a publisher or subscription id. on_lost comes once, after it nothing else: the connection ended or
// the server dropped the stream (MetadataUpdate); the id is free again.
class ConnectionUser {
 public:
  virtual ~ConnectionUser() = default;
  virtual const std::string& stream() const = 0;
  virtual void on_lost(const base::Error& error) = 0;
};

class PublisherEvents : public ConnectionUser {
 public:
  virtual void on_confirms(const streamproto::PublishConfirm& confirms) = 0;
  virtual void on_publish_errors(const streamproto::PublishError& errors) = 0;
};

class SubscriptionEvents : public ConnectionUser {
 public:
  virtual void on_deliver(const streamproto::Deliver& deliver) = 0;
  virtual void on_consumer_update(std::uint32_t correlation, bool active) = 0;
};

base::Errc errc_of(streamproto::ResponseCode code);
base::Error error_of(streamproto::ResponseCode code, std::string_view what);

// A decoded response with the bytes it points into.
template <class Response>
struct Answer {
  base::ByteBuffer bytes;
  Response message;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr std::size_t ids_max = 256;

  Connection(asio::any_io_executor executor, const EnvironmentOptions& options, Endpoint endpoint);

  // Resolves, connects, authenticates, opens the virtual host and exchanges command versions.
  Task<base::Result<void>> open();
  // Says goodbye and waits for the answer; then all users are told.
  Task<void> close();
  void fail(base::Error error);

  bool is_open() const { return opened_ && !failed_; }
  const Endpoint& endpoint() const { return endpoint_; }
  std::uint32_t frame_max_bytes() const { return frame_max_bytes_; }
  bool server_knows(streamproto::Key key, std::uint16_t version = 1) const;
  // A Sluice server: takes what goes beyond RabbitMQ (filter values on sub-entry batches).
  bool server_is_sluice() const { return server_is_sluice_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

  // The lowest free id, or nothing when `limit` ids are taken.
  std::optional<std::uint8_t> add(PublisherEvents* publisher, std::size_t limit);
  std::optional<std::uint8_t> add(SubscriptionEvents* subscription, std::size_t limit);
  void remove_publisher(std::uint8_t id);
  void remove_subscription(std::uint8_t id);
  // For users that go without a word: the id stays taken until the server has let go of it, so that what
  // still comes for it reaches nobody else.
  void retire_publisher(std::uint8_t id);
  void retire_subscription(std::uint8_t id);
  std::size_t publisher_count() const { return publishers_.count; }
  std::size_t subscription_count() const { return subscriptions_.count; }

  // Sends `request`, waits for its response; a response code other than OK is an error.
  template <class Response, class Request>
  Task<base::Result<Answer<Response>>> call(Request request);
  // One-way commands and answers to the server.
  template <class Command>
  void send(const Command& command, std::uint32_t correlation = 0) {
    streamproto::encode(command, correlation, outgoing_);
    wake_writer();
  }
  // For Publish: append whole frames, then wake_writer().
  base::ByteBuffer& outgoing() { return outgoing_; }
  void wake_writer();

 private:
  template <class User>
  struct Table {
    std::array<User*, ids_max> users{};
    std::size_t count = 0;
  };
  struct Pending {
    Completion<base::Result<base::ByteBuffer>> completion;
    std::chrono::steady_clock::time_point deadline;
  };

  template <class User>
  static std::optional<std::uint8_t> add_to(Table<User>& table, User* user, std::size_t limit);
  template <class User>
  static void remove(Table<User>& table, std::uint8_t id);
  template <class User>
  static void lose(Table<User>& table, const base::Error& error, const std::string_view* only_stream);

  Task<base::Result<base::ByteBuffer>> exchange(std::uint32_t correlation);
  Task<base::Result<void>> connect();
  Task<base::Result<void>> handshake();
  Task<base::Result<void>> exchange_versions();
  void read_some();
  void write_some();
  void tick();
  bool on_input();
  base::Result<void> on_frame(const streamproto::Frame& frame);
  void on_response(const streamproto::Frame& frame);

  template <class Command, class Handler>
  base::Result<void> handle(const streamproto::Frame& frame, Handler handler);

  asio::any_io_executor executor_;
  EnvironmentOptions options_;
  Endpoint endpoint_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer tick_timer_;
  Waiters tuned_waiters_;
  base::ByteBuffer input_;
  std::size_t input_end_ = 0;
  base::ByteBuffer outgoing_;
  base::ByteBuffer in_flight_;
  std::unordered_map<std::uint32_t, Pending> pending_;
  Table<PublisherEvents> publishers_;
  Table<SubscriptionEvents> subscriptions_;
  std::unordered_map<std::uint16_t, std::uint16_t> server_versions_;
  std::optional<base::Error> failed_;
  std::chrono::steady_clock::time_point last_read_;
  std::chrono::steady_clock::time_point last_write_;
  std::chrono::steady_clock::time_point open_deadline_;
  std::uint64_t bytes_received_ = 0;
  std::uint32_t next_correlation_ = 0;
  std::uint32_t frame_max_bytes_ = 0;
  std::uint32_t heartbeat_s_ = 0;
  bool tuned_ = false;
  bool opened_ = false;
  bool writing_ = false;
  bool write_posted_ = false;
  bool server_is_sluice_ = false;
};

template <class Response, class Request>
Task<base::Result<Answer<Response>>> Connection::call(Request request) {
  auto self = shared_from_this();
  if (failed_) co_return std::unexpected(*failed_);
  const std::uint32_t correlation = next_correlation_++ & 0x7fffffff;
  send(request, correlation);
  base::Result<base::ByteBuffer> bytes = co_await exchange(correlation);
  if (!bytes) co_return std::unexpected(std::move(bytes).error());
  Answer<Response> answer{std::move(*bytes), {}};
  auto decoded = streamproto::decode<Response>(answer.bytes);
  if (!decoded) co_return std::unexpected(std::move(decoded).error());
  answer.message = std::move(decoded->message);
  if constexpr (requires { answer.message.code; }) {
    if (answer.message.code != streamproto::ResponseCode::ok) {
      co_return std::unexpected(error_of(answer.message.code, Request::info.name));
    }
  }
  co_return answer;
}

}  // namespace sluice::client
