// SPDX-License-Identifier: Apache-2.0
// Publishes twice with the same name and ids, as a program does that crashed before it saw the confirms:
// stored once.
#include "client/consumer.h"
#include "client/producer.h"
#include "example.h"

namespace {

using namespace example;

Task<void> dedup(std::shared_ptr<Environment> environment) {
  [[maybe_unused]] auto dropped = co_await environment->delete_stream("example-dedup");
  must(co_await environment->create_stream("example-dedup", {}));
  // [dedup]
  ProducerOptions options;
  options.stream = "example-dedup";
  options.name = "meter-7";
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::shared_ptr<Producer> producer = must(co_await environment->create_producer(options));
    for (std::uint64_t id = 1; id <= 100; ++id) {
      const std::string text = "reading " + std::to_string(id);
      must(producer->publish(sluice::base::as_bytes(text), {.publishing_id = id}));
    }
    must(co_await producer->close());
  }
  const std::uint64_t last = must(co_await environment->query_publisher_sequence("meter-7", "example-dedup"));
  // [/dedup]
  expect(last == 100, "last publishing id 100");
  std::shared_ptr<Producer> producer = must(co_await environment->create_producer(options));
  ByteBuffer end_body{'e', 'n', 'd'};
  const std::uint64_t next = must(co_await producer->publish_and_wait(std::move(end_body), {}));
  expect(next == 101, "ids go on after the stored one");
  must(co_await producer->close());

  int messages = 0;
  ConsumerOptions reading;
  reading.stream = "example-dedup";
  reading.start = OffsetSpec::first();
  bool end = false;
  std::shared_ptr<Consumer> consumer =
      must(co_await environment->create_consumer(reading, [&](const Delivery& d) {
        ++messages;
        end = sluice::base::as_text(d.body) == "end";
      }));
  co_await until(environment, [&] { return end; }, "the last message");
  must(co_await consumer->close());
  expect(messages == 101, "each message once");
  std::printf("published 100 messages twice, stored %d\n", messages - 1);
}

}  // namespace

int main() {
  return run(dedup);
}
