// SPDX-License-Identifier: Apache-2.0
// Reads only what one filter value marks: with the standard filter and a post-filter (works with
// RabbitMQ 3.13 and later), and with Sluice's filter expressions, which decide exactly and on the server.
#include "client/consumer.h"
#include "client/message.h"
#include "client/producer.h"
#include "example.h"

namespace {

using namespace example;

std::string country_of(int i) {
  return i % 100 == 0 ? "KR" : i % 3 == 0 ? "JP" : "DE";
}

Task<void> fill(std::shared_ptr<Environment> environment) {
  [[maybe_unused]] auto dropped = co_await environment->delete_stream("example-filter");
  must(co_await environment->create_stream("example-filter", {}));
  ProducerOptions options;
  options.stream = "example-filter";
  std::shared_ptr<Producer> producer = must(co_await environment->create_producer(options));
  // [publish]
  for (int i = 0; i < 10'000; ++i) {
    Message message;
    message.application_properties = {{"country", country_of(i)}, {"temp", std::int64_t{i % 40}}};
    const std::string country = country_of(i);
    must(co_await producer->wait_for_room());
    must(producer->publish(encode(message), {.filter_value = country}));
  }
  // [/publish]
  must(co_await producer->close());
}

Task<ConsumerCounters> count(std::shared_ptr<Environment> environment, FilterOptions filter,
                             std::uint64_t wanted) {
  ConsumerOptions options;
  options.stream = "example-filter";
  options.start = OffsetSpec::first();
  options.filter = std::move(filter);
  std::uint64_t handled = 0;
  std::shared_ptr<Consumer> consumer =
      must(co_await environment->create_consumer(options, [&](const Delivery&) { ++handled; }));
  co_await until(environment, [&] { return handled >= wanted; }, "all matches");
  must(co_await consumer->close());
  expect(handled == wanted, "no more than the matches");
  co_return consumer->counters();
}

Task<void> filter(std::shared_ptr<Environment> environment) {
  co_await fill(environment);
  // [filter]
  FilterOptions by_value;
  by_value.values = {"KR"};
  by_value.post_filter = [](sluice::base::ByteView body) {
    const auto message = decode(body);
    const Value* country = message ? find(message->application_properties, "country") : nullptr;
    return country != nullptr && *country == Value(std::string("KR"));
  };
  // [/filter]
  const ConsumerCounters value = co_await count(environment, by_value, 100);
  std::printf("filter value KR: 100 wanted, %llu received\n",
              static_cast<unsigned long long>(value.messages_received));

  // [expression]
  FilterOptions by_expression;
  by_expression.expression = "country IN ('KR','JP') AND temp > 30";
  // [/expression]
  std::uint64_t wanted = 0;
  for (int i = 0; i < 10'000; ++i) wanted += country_of(i) != "DE" && i % 40 > 30;
  const ConsumerCounters expression = co_await count(environment, by_expression, wanted);
  std::printf("%s: %llu wanted, %llu received\n", by_expression.expression.c_str(),
              static_cast<unsigned long long>(wanted),
              static_cast<unsigned long long>(expression.messages_received));
}

}  // namespace

int main() {
  return run(filter);
}
