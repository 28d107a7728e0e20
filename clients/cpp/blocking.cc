// SPDX-License-Identifier: Apache-2.0
#include "client/blocking.h"

#include "client/retry.h"

namespace sluice::client {
namespace {

using base::Errc;
using base::Result;

Task<Result<std::uint64_t>> publish_all(std::shared_ptr<Environment> environment, ProducerOptions options,
                                        std::span<const std::string> bodies, std::string filter_value) {
  auto opened = co_await environment->create_producer(std::move(options));
  if (!opened) co_return std::unexpected(std::move(opened).error());
  const std::shared_ptr<Producer> producer = *opened;
  auto refused = std::make_shared<Result<void>>();
  for (const std::string& body : bodies) {
    Result<void> room = co_await producer->wait_for_room();
    if (!room) co_return std::unexpected(std::move(room).error());
    PublishOptions publish_options;
    publish_options.filter_value = filter_value;
    auto published =
        producer->publish(base::as_bytes(body), publish_options, [refused](const Confirmation& confirmation) {
          if (!confirmation.outcome) *refused = confirmation.outcome;
        });
    if (!published) co_return published;
  }
  Result<void> confirmed = co_await producer->wait_for_confirms();
  const std::uint64_t last = producer->last_publishing_id();
  [[maybe_unused]] auto closed = co_await producer->close();
  if (!confirmed) co_return std::unexpected(std::move(confirmed).error());
  if (!*refused) co_return std::unexpected(refused->error());
  co_return last;
}

struct Reading {
  std::vector<StoredMessage> messages;
  std::size_t wanted = 0;
  Result<void> outcome;
  asio::steady_timer done;  // cancelled when there is enough
};

Task<Result<std::vector<StoredMessage>>> read_some(std::shared_ptr<Environment> environment,
                                                   ConsumerOptions options, std::size_t count,
                                                   std::chrono::milliseconds timeout) {
  std::shared_ptr<Reading> reading(
      new Reading{{}, count, {}, asio::steady_timer(environment->executor(), timeout)});
  options.on_failed = [reading](const base::Error& error) {
    reading->outcome = std::unexpected(error);
    reading->done.cancel();
  };
  auto opened =
      co_await environment->create_consumer(std::move(options), [reading](const Delivery& delivery) {
        if (reading->messages.size() == reading->wanted) return;
        reading->messages.push_back(
            {delivery.offset, delivery.timestamp_ms, std::string(base::as_text(delivery.body))});
        if (reading->messages.size() == reading->wanted)
          reading->done.expires_at(asio::steady_timer::time_point::min());
      });
  if (!opened) co_return std::unexpected(std::move(opened).error());
  const std::shared_ptr<Consumer> consumer = *opened;
  if (reading->messages.size() < count && reading->outcome) {
    co_await reading->done.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  Result<void> outcome = reading->outcome;
  [[maybe_unused]] auto closed = co_await consumer->close();
  if (!outcome) co_return std::unexpected(std::move(outcome).error());
  co_return std::move(reading->messages);
}

}  // namespace

BlockingClient::BlockingClient(EnvironmentOptions options)
    : work_(asio::make_work_guard(io_)),
      environment_(Environment::create(io_.get_executor(), std::move(options))),
      thread_([this] { io_.run(); }) {}

BlockingClient::~BlockingClient() {
  asio::co_spawn(io_, environment_->close(), asio::use_future).get();
  work_.reset();
  io_.stop();
  thread_.join();
}

void BlockingClient::create_stream(const std::string& name, StreamOptions options) {
  Result<void> created =
      asio::co_spawn(io_, environment_->create_stream(name, std::move(options)), asio::use_future).get();
  if (!created && created.error().code != Errc::stream_exists) throw ClientError(std::move(created).error());
}

void BlockingClient::delete_stream(const std::string& name) {
  run(environment_->delete_stream(name));
}

std::uint64_t BlockingClient::publish(const ProducerOptions& options, std::span<const std::string> bodies,
                                      const std::string& filter_value) {
  return run(publish_all(environment_, options, bodies, filter_value));
}

std::uint64_t BlockingClient::publish(const std::string& stream, const std::vector<std::string>& bodies,
                                      const std::string& filter_value) {
  ProducerOptions options;
  options.stream = stream;
  return publish(options, bodies, filter_value);
}

std::vector<StoredMessage> BlockingClient::read(ConsumerOptions options, std::size_t count,
                                                std::chrono::milliseconds timeout) {
  return run(read_some(environment_, std::move(options), count, timeout));
}

std::vector<StoredMessage> BlockingClient::read(const std::string& stream, OffsetSpec start,
                                                std::size_t count) {
  ConsumerOptions options;
  options.stream = stream;
  options.start = start;
  return read(std::move(options), count);
}

}  // namespace sluice::client
