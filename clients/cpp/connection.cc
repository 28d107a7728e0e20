// SPDX-License-Identifier: Apache-2.0
#include "client/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

namespace sluice::client {
namespace {

using namespace std::chrono_literals;
using base::ByteBuffer;
using base::ByteView;
using base::Errc;
using base::Error;
using base::Result;
using streamproto::Frame;
using streamproto::FrameStatus;
using streamproto::Key;
using streamproto::ResponseCode;
using Clock = std::chrono::steady_clock;

constexpr std::size_t input_bytes_initial = 256 * 1024;
constexpr auto tick_interval = 500ms;

std::uint32_t negotiate(std::uint32_t ours, std::uint32_t theirs) {
  if (ours == 0 || theirs == 0) return std::max(ours, theirs);
  return std::min(ours, theirs);
}

}  // namespace

Connection::Connection(asio::any_io_executor executor, const EnvironmentOptions& options, Endpoint endpoint)
    : executor_(executor),
      options_(options),
      endpoint_(std::move(endpoint)),
      socket_(executor),
      tick_timer_(executor),
      input_(input_bytes_initial) {}

// --- opening and closing ---

Task<Result<void>> Connection::open() {
  auto self = shared_from_this();
  open_deadline_ = Clock::now() + options_.request_timeout;
  tick();
  Result<void> result = co_await connect();
  if (result) {
    last_read_ = last_write_ = Clock::now();
    read_some();
    result = co_await handshake();
  }
  if (result && server_knows(Key::exchange_command_versions)) result = co_await exchange_versions();
  if (!result) {
    fail(result.error());
    co_return result;
  }
  if (failed_) co_return std::unexpected(*failed_);
  opened_ = true;
  co_return result;
}

Task<Result<void>> Connection::connect() {
  const auto token = asio::as_tuple(asio::use_awaitable);
  const std::string where = fmt::format("{}:{}", endpoint_.host, endpoint_.port);
  asio::ip::tcp::resolver resolver(executor_);
  auto [resolve_error, addresses] =
      co_await resolver.async_resolve(endpoint_.host, std::to_string(endpoint_.port), token);
  if (resolve_error)
    co_return base::fail(Errc::io_failed, fmt::format("{}: {}", where, resolve_error.message()));
  auto [connect_error, address] = co_await asio::async_connect(socket_, addresses, token);
  if (connect_error)
    co_return base::fail(Errc::io_failed, fmt::format("{}: {}", where, connect_error.message()));
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  co_return Result<void>{};
}

Task<Result<void>> Connection::handshake() {
  streamproto::PeerProperties peer;
  peer.properties = {{"product", "Sluice C++ client"},
                     {"version", "0.1.0"},
                     {"platform", "C++"},
                     {"connection_name", options_.connection_name}};
  auto properties = co_await call<streamproto::PeerPropertiesResponse>(std::move(peer));
  if (!properties) co_return std::unexpected(std::move(properties).error());
  for (const auto& property : properties->message.properties) {
    if (property.value.find("Sluice") != std::string_view::npos) server_is_sluice_ = true;
  }
  // Servers since 3.11 have ExchangeCommandVersions; older ones close the connection on it.
  const std::string version(streamproto::find_property(properties->message.properties, "version"));
  int major = 0;
  int minor = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2 &&
      (major > 3 || (major == 3 && minor >= 11))) {
    server_versions_[static_cast<std::uint16_t>(Key::exchange_command_versions)] = 1;
  }

  auto mechanisms = co_await call<streamproto::SaslHandshakeResponse>(streamproto::SaslHandshake{});
  if (!mechanisms) co_return std::unexpected(std::move(mechanisms).error());
  const auto& offered = mechanisms->message.mechanisms;
  if (std::find(offered.begin(), offered.end(), "PLAIN") == offered.end()) {
    co_return base::fail(Errc::authentication_failed, "the server does not offer PLAIN");
  }
  std::string secret;
  secret.append(1, '\0').append(options_.user).append(1, '\0').append(options_.password);
  streamproto::SaslAuthenticate authenticate;
  authenticate.mechanism = "PLAIN";
  authenticate.data = base::as_bytes(secret);
  auto authenticated = co_await call<streamproto::SaslAuthenticateResponse>(authenticate);
  if (!authenticated) co_return std::unexpected(std::move(authenticated).error());

  while (!tuned_ && !failed_) co_await tuned_waiters_.wait();
  streamproto::Open open_request;
  open_request.vhost = options_.vhost;
  auto opened = co_await call<streamproto::OpenResponse>(open_request);
  if (!opened) co_return std::unexpected(std::move(opened).error());
  co_return Result<void>{};
}

Task<Result<void>> Connection::exchange_versions() {
  streamproto::ExchangeCommandVersions ours;
  streamproto::for_each_command(streamproto::AllCommands{}, [&]<class T>() {
    if (!T::info.response) ours.commands.push_back({T::info.key, 1, T::info.max_version});
  });
  auto versions = co_await call<streamproto::ExchangeCommandVersionsResponse>(std::move(ours));
  if (!versions) co_return std::unexpected(std::move(versions).error());
  for (const auto& row : versions->message.commands) {
    server_versions_[static_cast<std::uint16_t>(row.key)] = row.max_version;
  }
  co_return Result<void>{};
}

bool Connection::server_knows(Key key, std::uint16_t version) const {
  const auto row = server_versions_.find(static_cast<std::uint16_t>(key));
  return row != server_versions_.end() && row->second >= version;
}

Task<void> Connection::close() {
  auto self = shared_from_this();
  if (is_open()) {
    streamproto::Close request;
    request.closing_code = ResponseCode::ok;
    request.reason = "OK";
    [[maybe_unused]] auto answer = co_await call<streamproto::CloseResponse>(request);
  }
  fail({Errc::io_failed, "closed by this client"});
}

void Connection::fail(Error error) {
  if (failed_) return;
  auto self = shared_from_this();
  failed_ = std::move(error);
  boost::system::error_code ignored;
  socket_.close(ignored);
  tick_timer_.cancel();
  tuned_waiters_.wake_all();
  for (auto& [correlation, pending] : std::exchange(pending_, {})) {
    pending.completion.complete(std::unexpected(*failed_));
  }
  lose(publishers_, *failed_, nullptr);
  lose(subscriptions_, *failed_, nullptr);
}

// --- users ---

template <class User>
std::optional<std::uint8_t> Connection::add_to(Table<User>& table, User* user, std::size_t limit) {
  if (table.count >= std::min(limit, ids_max)) return std::nullopt;
  const auto free = std::find(table.users.begin(), table.users.end(), nullptr);
  *free = user;
  ++table.count;
  return static_cast<std::uint8_t>(free - table.users.begin());
}

template <class User>
void Connection::remove(Table<User>& table, std::uint8_t id) {
  if (std::exchange(table.users[id], nullptr) != nullptr) --table.count;
}

template <class User>
void Connection::lose(Table<User>& table, const Error& error, const std::string_view* only_stream) {
  for (User*& slot : table.users) {
    if (slot == nullptr || (only_stream != nullptr && slot->stream() != *only_stream)) continue;
    User* user = std::exchange(slot, nullptr);
    --table.count;
    user->on_lost(error);
  }
}

std::optional<std::uint8_t> Connection::add(PublisherEvents* publisher, std::size_t limit) {
  return add_to(publishers_, publisher, limit);
}
std::optional<std::uint8_t> Connection::add(SubscriptionEvents* subscription, std::size_t limit) {
  return add_to(subscriptions_, subscription, limit);
}

void Connection::remove_publisher(std::uint8_t id) {
  remove(publishers_, id);
}
void Connection::remove_subscription(std::uint8_t id) {
  remove(subscriptions_, id);
}

namespace {

// Holds the place of a user that is gone.
class RetiredPublisher final : public PublisherEvents {
 public:
  const std::string& stream() const override { return nothing_; }
  void on_lost(const Error&) override {}
  void on_confirms(const streamproto::PublishConfirm&) override {}
  void on_publish_errors(const streamproto::PublishError&) override {}

 private:
  std::string nothing_;
};
class RetiredSubscription final : public SubscriptionEvents {
 public:
  const std::string& stream() const override { return nothing_; }
  void on_lost(const Error&) override {}
  void on_deliver(const streamproto::Deliver&) override {}
  void on_consumer_update(std::uint32_t, bool) override {}

 private:
  std::string nothing_;
};

}  // namespace

void Connection::retire_publisher(std::uint8_t id) {
  static RetiredPublisher retired;
  if (!is_open()) return remove_publisher(id);
  publishers_.users[id] = &retired;
  streamproto::DeletePublisher request;
  request.publisher_id = id;
  start(executor_, [](auto connection, auto remove) -> Task<void> {
    [[maybe_unused]] auto done =
        co_await connection->template call<streamproto::DeletePublisherResponse>(remove);
    connection->remove_publisher(remove.publisher_id);
  }(shared_from_this(), request));
}

void Connection::retire_subscription(std::uint8_t id) {
  static RetiredSubscription retired;
  if (!is_open()) return remove_subscription(id);
  subscriptions_.users[id] = &retired;
  streamproto::Unsubscribe request;
  request.subscription_id = id;
  start(executor_, [](auto connection, auto remove) -> Task<void> {
    [[maybe_unused]] auto done = co_await connection->template call<streamproto::UnsubscribeResponse>(remove);
    connection->remove_subscription(remove.subscription_id);
  }(shared_from_this(), request));
}

// --- requests ---

Task<Result<ByteBuffer>> Connection::exchange(std::uint32_t correlation) {
  return suspend<Result<ByteBuffer>>([this, correlation](Completion<Result<ByteBuffer>> completion) {
    pending_.insert_or_assign(correlation,
                              Pending{std::move(completion), Clock::now() + options_.request_timeout});
  });
}

void Connection::on_response(const Frame& frame) {
  if (frame.body.size() < sizeof(std::uint32_t)) return;
  const auto found = pending_.find(base::load_be<std::uint32_t>(frame.body.data()));
  if (found == pending_.end()) return;  // answered after its deadline
  Pending pending = std::move(found->second);
  pending_.erase(found);
  pending.completion.complete(ByteBuffer(frame.body.begin(), frame.body.end()));
}

void Connection::tick() {
  if (failed_) return;
  const auto now = Clock::now();
  if (!opened_ && now > open_deadline_) return fail({Errc::io_failed, "the handshake took too long"});
  for (auto at = pending_.begin(); at != pending_.end();) {
    if (at->second.deadline > now) {
      ++at;
      continue;
    }
    Pending late = std::move(at->second);
    at = pending_.erase(at);
    late.completion.complete(base::fail(Errc::io_failed, "no answer in time"));
  }
  if (heartbeat_s_ != 0 && tuned_) {
    const auto interval = std::chrono::seconds(heartbeat_s_);
    if (now - last_read_ > 2 * interval) return fail({Errc::io_failed, "no sign of life from the server"});
    if (now - last_write_ > interval / 2) send(streamproto::Heartbeat{});
  }
  tick_timer_.expires_after(tick_interval);
  tick_timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->tick();
  });
}

// --- bytes ---

void Connection::wake_writer() {
  if (writing_ || write_posted_) return;
  write_posted_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    self->write_posted_ = false;
    self->write_some();
  });
}

void Connection::write_some() {
  if (writing_ || failed_ || outgoing_.empty()) return;
  writing_ = true;
  in_flight_.clear();
  in_flight_.swap(outgoing_);
  asio::async_write(socket_, asio::buffer(in_flight_),
                    [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                      self->writing_ = false;
                      self->last_write_ = Clock::now();
                      if (error) return self->fail({Errc::io_failed, "write: " + error.message()});
                      self->write_some();
                    });
}

void Connection::read_some() {
  socket_.async_read_some(asio::buffer(input_.data() + input_end_, input_.size() - input_end_),
                          [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
                            if (self->failed_) return;
                            if (error) return self->fail({Errc::io_failed, "read: " + error.message()});
                            self->last_read_ = Clock::now();
                            self->bytes_received_ += size;
                            self->input_end_ += size;
                            if (self->on_input()) self->read_some();
                          });
}

// Handles the whole frames of the input and makes room for the rest of the next. False: the connection has
// failed.
bool Connection::on_input() {
  streamproto::FrameReader frames(ByteView(input_).first(input_end_), options_.deliver_bytes_max);
  for (;;) {
    const streamproto::FrameRead read = frames.next();
    if (read.status == FrameStatus::complete) {
      if (Result<void> handled = on_frame(read.frame); !handled) fail(std::move(handled).error());
      if (failed_) return false;
      continue;
    }
    if (read.status != FrameStatus::need_more) {
      fail({Errc::malformed, "a frame of a size that cannot be"});
      return false;
    }
    const std::size_t rest = input_end_ - frames.consumed_bytes();
    std::memmove(input_.data(), input_.data() + frames.consumed_bytes(), rest);
    input_end_ = rest;
    if (read.size_bytes > input_.size()) input_.resize(read.size_bytes);
    return true;
  }
}

template <class Command, class Handler>
Result<void> Connection::handle(const Frame& frame, Handler handler) {
  auto received = streamproto::decode<Command>(frame);
  if (!received) return std::unexpected(std::move(received).error());
  handler(*received);
  return {};
}

Result<void> Connection::on_frame(const Frame& frame) {
  if (frame.is_response() && frame.key() != Key::credit) return on_response(frame), Result<void>{};
  switch (frame.key()) {
    case Key::deliver:
      return handle<streamproto::Deliver>(frame, [&](const auto& received) {
        if (auto* user = subscriptions_.users[received.message.subscription_id])
          user->on_deliver(received.message);
      });
    case Key::publish_confirm:
      return handle<streamproto::PublishConfirm>(frame, [&](const auto& received) {
        if (auto* user = publishers_.users[received.message.publisher_id])
          user->on_confirms(received.message);
      });
    case Key::publish_error:
      return handle<streamproto::PublishError>(frame, [&](const auto& received) {
        if (auto* user = publishers_.users[received.message.publisher_id])
          user->on_publish_errors(received.message);
      });
    case Key::consumer_update:
      return handle<streamproto::ConsumerUpdate>(frame, [&](const auto& received) {
        if (auto* user = subscriptions_.users[received.message.subscription_id]) {
          user->on_consumer_update(received.correlation, received.message.active != 0);
        }
      });
    case Key::metadata_update:
      return handle<streamproto::MetadataUpdate>(frame, [&](const auto& received) {
        const std::string_view stream = received.message.stream;
        const Error error{Errc::stream_unavailable, fmt::format("stream '{}' is not available", stream)};
        lose(publishers_, error, &stream);
        lose(subscriptions_, error, &stream);
      });
    case Key::tune:
      return handle<streamproto::Tune>(frame, [&](const auto& received) {
        frame_max_bytes_ = negotiate(options_.frame_max_bytes, received.message.frame_max_bytes);
        heartbeat_s_ = negotiate(options_.heartbeat_s, received.message.heartbeat_s);
        streamproto::TuneResponse answer;
        answer.frame_max_bytes = frame_max_bytes_;
        answer.heartbeat_s = heartbeat_s_;
        send(answer);
        tuned_ = true;
        tuned_waiters_.wake_all();
      });
    case Key::close:
      return handle<streamproto::Close>(frame, [&](const auto& received) {
        send(streamproto::CloseResponse{}, received.correlation);
        write_some();  // one attempt before the socket goes
        fail({errc_of(received.message.closing_code),
              fmt::format("closed by the server: {}", received.message.reason)});
      });
    case Key::heartbeat:
    case Key::credit:  // a grant for a subscription that has just gone
      return {};
    default:
      return base::fail(Errc::malformed, fmt::format("unexpected frame, key {:#x}", frame.raw_key));
  }
}

}  // namespace sluice::client
