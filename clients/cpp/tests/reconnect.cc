// SPDX-License-Identifier: Apache-2.0
// Run against a real broker through a proxy that cuts all connections again and again while a named producer
// publishes and a consumer reads: everything is confirmed, stored once and in order, and read once and in
// order.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>
#include <list>

#include "client/consumer.h"
#include "client/producer.h"
#include "example.h"

namespace {

using namespace example;
using Tcp = asio::ip::tcp;

class Proxy {
 public:
  Proxy(asio::any_io_executor executor, Endpoint target)
      : executor_(executor),
        target_(std::move(target)),
        acceptor_(executor, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    start(executor_, accept());
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void cut() {
    for (auto& socket : sockets_) socket->close();
    sockets_.clear();
  }
  void stop() {
    acceptor_.close();
    cut();
  }

 private:
  using Socket = std::shared_ptr<Tcp::socket>;

  Task<void> accept() {
    const auto token = asio::as_tuple(asio::use_awaitable);
    for (;;) {
      auto client = std::make_shared<Tcp::socket>(executor_);
      auto [error] = co_await acceptor_.async_accept(*client, token);
      if (error) co_return;
      auto server = std::make_shared<Tcp::socket>(executor_);
      const Tcp::endpoint where(asio::ip::make_address(target_.host), target_.port);
      auto [connect_error] = co_await server->async_connect(where, token);
      if (connect_error) continue;
      sockets_.push_back(client);
      sockets_.push_back(server);
      start(executor_, pump(client, server));
      start(executor_, pump(server, client));
    }
  }

  static Task<void> pump(Socket from, Socket to) {
    const auto token = asio::as_tuple(asio::use_awaitable);
    std::vector<char> buffer(64 * 1024);
    for (;;) {
      auto [read_error, size] = co_await from->async_read_some(asio::buffer(buffer), token);
      if (read_error) break;
      auto [write_error, written] = co_await asio::async_write(*to, asio::buffer(buffer.data(), size), token);
      if (write_error) break;
    }
    boost::system::error_code ignored;
    to->close(ignored);
  }

  asio::any_io_executor executor_;
  Endpoint target_;
  Tcp::acceptor acceptor_;
  std::list<Socket> sockets_;
};

constexpr std::uint64_t messages = 100'000;
constexpr int cuts = 8;

Task<void> reconnect(std::shared_ptr<Environment> direct) {
  Proxy proxy(direct->executor(), direct->options().endpoints[0]);
  EnvironmentOptions options = direct->options();
  options.endpoints[0].port = proxy.port();
  options.endpoints[0].host = "127.0.0.1";
  options.retry.first_delay = std::chrono::milliseconds(20);
  auto environment = Environment::create(direct->executor(), options);

  [[maybe_unused]] auto dropped = co_await direct->delete_stream("test-reconnect");
  must(co_await direct->create_stream("test-reconnect", {}));
  ProducerOptions publishing;
  publishing.stream = "test-reconnect";
  publishing.name = "cut";
  std::shared_ptr<Producer> producer = must(co_await environment->create_producer(publishing));
  std::uint64_t read = 0;
  ConsumerOptions reading;
  reading.stream = "test-reconnect";
  reading.start = OffsetSpec::first();
  std::shared_ptr<Consumer> consumer =
      must(co_await environment->create_consumer(reading, [&](const Delivery& d) {
        expect(sluice::base::as_text(d.body) == std::to_string(read),
               "message " + std::to_string(read) + " once and in order");
        ++read;
      }));
  std::uint64_t confirmed = 0;
  for (std::uint64_t i = 0; i < messages; ++i) {
    must(co_await producer->wait_for_room());
    const std::string text = std::to_string(i);
    must(producer->publish(sluice::base::as_bytes(text), {},
                           [&](const Confirmation& c) { confirmed += c.outcome.has_value(); }));
    if (i % (messages / cuts) == messages / cuts / 2) proxy.cut();
  }
  must(co_await producer->wait_for_confirms());
  co_await until(direct, [&] { return read == messages; }, "all messages read");
  expect(confirmed == messages, "all messages confirmed");
  expect(producer->reconnections() > 0 && consumer->counters().reconnections > 0,
         "that connections were cut");
  std::printf("published and read %llu messages over %llu and %llu reconnections\n",
              static_cast<unsigned long long>(read),
              static_cast<unsigned long long>(producer->reconnections()),
              static_cast<unsigned long long>(consumer->counters().reconnections));
  must(co_await consumer->close());
  must(co_await producer->close());
  co_await environment->close();
  proxy.stop();
}

}  // namespace

int main() {
  return run(reconnect);
}
