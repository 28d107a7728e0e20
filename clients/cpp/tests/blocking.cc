// SPDX-License-Identifier: Apache-2.0
// Run against a real broker: what the examples do not show. The blocking facade, the callback form,
// administrative questions, errors as values, filter values on sub-entry batches, consumers that stop for
// good.
#include "client/blocking.h"

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "client/message.h"
#include "example.h"

namespace {

using namespace example;
using sluice::base::Errc;

Errc error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ClientError& error) {
    return error.error().code;
  }
  throw std::runtime_error("expected: an error");
}

void publish_and_read(BlockingClient& client) {
  client.create_stream("test-blocking");
  client.create_stream("test-blocking");  // once more is fine
  std::vector<std::string> bodies;
  for (int i = 0; i < 5000; ++i) bodies.push_back("m" + std::to_string(i));
  expect(client.publish("test-blocking", bodies) == 5000, "the last publishing id");
  const auto all = client.read("test-blocking", OffsetSpec::first(), 5000);
  expect(all.size() == 5000 && all[4999].body == "m4999" && all[4999].offset == 4999, "all messages");
  const auto some = client.read("test-blocking", OffsetSpec::at(4000), 1000);
  expect(some.size() == 1000 && some[0].offset == 4000, "the messages from 4000 on");
  const auto by_time = client.read("test-blocking", OffsetSpec::timestamp(all[0].timestamp_ms), 1);
  expect(by_time.size() == 1 && by_time[0].offset == 0, "the first message by its time");
  ConsumerOptions nothing;
  nothing.stream = "test-blocking";
  expect(client.read(nothing, 1, std::chrono::milliseconds(50)).empty(), "nothing new");
}

void ask(BlockingClient& client) {
  Environment& environment = *client.environment();
  const StreamStatistics statistics = client.run(environment.stream_statistics("test-blocking"));
  expect(statistics.first_chunk_id == 0u && statistics.committed_offset == 4999u, "statistics");
  expect(client.run(environment.resolve_offset_spec("test-blocking", OffsetSpec::first())) == 0,
         "first is 0");
  client.run(environment.store_offset("reader", "test-blocking", 1234));
  expect(client.run(environment.query_offset("reader", "test-blocking")) == 1234, "the stored offset");
  expect(client.run(environment.query_publisher_sequence("nobody", "test-blocking")) == 0, "no sequence");
  auto placements = client.run(environment.metadata({"test-blocking", "test-none"}));
  expect(placements.at("test-blocking").has_value() && placements.at("test-blocking")->leader.has_value(),
         "a leader");
  expect(!placements.at("test-none") && placements.at("test-none").error().code == Errc::stream_not_found,
         "no stream");
}

void refusals(BlockingClient& client) {
  Environment& environment = *client.environment();
  expect(error_of([&] { client.run(environment.query_offset("none", "test-blocking")); }) == Errc::no_offset,
         "no offset");
  expect(error_of([&] { client.delete_stream("test-none"); }) == Errc::stream_not_found,
         "no stream to delete");
  expect(error_of([&] { client.publish("test-none", {"x"}); }) == Errc::stream_not_found,
         "no stream to publish to");
  expect(error_of([&] { client.read("test-none", OffsetSpec::first(), 1); }) == Errc::stream_not_found,
         "none to read");
  expect(error_of([&] { client.create_stream("test-blocking", {.max_length_bytes = 1'000'000}); }) ==
             Errc::precondition_failed,
         "other arguments");
  expect(error_of([&] { client.publish("test-blocking", {std::string(2'000'000, 'x')}); }) == Errc::too_large,
         "too large");
  ConsumerOptions bad;
  bad.stream = "test-blocking";
  bad.filter = FilterOptions{};
  bad.filter->expression = "country = ";
  expect(error_of([&] { client.read(bad, 1); }) == Errc::precondition_failed, "a filter that does not parse");
  EnvironmentOptions wrong = options_from_environment();
  wrong.password = "wrong";
  expect(error_of([&] { BlockingClient(wrong).create_stream("s"); }) == Errc::authentication_failed,
         "a wrong password");
}

// RabbitMQ drops the connection on a filter value with a sub-entry batch; Sluice takes it, and it covers the
// batch.
void filtered_batches(BlockingClient& client) {
  client.create_stream("test-batches");
  ProducerOptions options;
  options.stream = "test-batches";
  options.sub_batch_messages = 10;
  options.compression = Compression::zstd;
  const std::vector<std::string> wanted(95, "wanted");
  const std::vector<std::string> others(1000, "other");
  client.publish(options, others, "DE");
  client.publish(options, wanted, "KR");
  client.publish(options, others, "JP");
  ConsumerOptions reading;
  reading.stream = "test-batches";
  reading.start = OffsetSpec::first();
  reading.filter = FilterOptions{};
  reading.filter->values = {"KR"};
  reading.filter->mode = "exact";
  const auto messages = client.read(reading, 96, std::chrono::milliseconds(500));
  expect(messages.size() == 95, "95 wanted messages");
  expect(messages[0].body == "wanted" && messages[0].offset == 1000 && messages[94].offset == 1094,
         "at their offsets");
}

void callbacks(BlockingClient& client) {
  std::promise<std::uint64_t> confirmed;
  auto environment = client.environment();
  ProducerOptions options;
  options.stream = "test-blocking";
  asio::post(environment->executor(), [&] {
    start(environment->executor(), environment->create_producer(options),
          [&](Result<std::shared_ptr<Producer>> made) {
            const auto producer = must(std::move(made));
            must(producer->publish(
                sluice::base::as_bytes("hi"), {}, [&, producer](const Confirmation& confirmation) {
                  confirmed.set_value(confirmation.outcome ? confirmation.publishing_id : 0);
                }));
          });
  });
  expect(confirmed.get_future().get() == 1, "a confirm by callback");
}

void stream_goes_away(BlockingClient& client) {
  std::promise<Errc> failed;
  ConsumerOptions options;
  options.stream = "test-blocking";
  options.on_failed = [&](const sluice::base::Error& error) { failed.set_value(error.code); };
  auto consumer = client.run(client.environment()->create_consumer(options, [](const Delivery&) {}));
  client.delete_stream("test-blocking");
  expect(failed.get_future().get() == Errc::stream_not_found, "that the consumer learns of the deletion");
  client.delete_stream("test-batches");
  consumer.reset();
}

}  // namespace

int main() {
  try {
    EnvironmentOptions options = options_from_environment();
    options.retry.first_delay = std::chrono::milliseconds(10);
    BlockingClient client(options);
    publish_and_read(client);
    ask(client);
    refusals(client);
    filtered_batches(client);
    callbacks(client);
    stream_goes_away(client);
    std::puts("all as expected");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
