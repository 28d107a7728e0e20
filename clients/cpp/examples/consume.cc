// SPDX-License-Identifier: Apache-2.0
// Reads a stream from its first message, stores how far it came, and goes on from there with a second
// consumer.
#include "client/consumer.h"
#include "client/message.h"
#include "client/producer.h"
#include "example.h"

namespace {

using namespace example;

Task<void> fill(std::shared_ptr<Environment> environment, std::string stream, int from, int count) {
  ProducerOptions options;
  options.stream = stream;
  options.sub_batch_messages = 7;  // so that consumers have batches to unpack
  options.compression = Compression::lz4;
  std::shared_ptr<Producer> producer = must(co_await environment->create_producer(options));
  for (int i = from; i < from + count; ++i) {
    must(producer->publish(encode_data(sluice::base::as_bytes(std::to_string(i)))));
  }
  must(co_await producer->close());
}

Task<void> consume(std::shared_ptr<Environment> environment) {
  [[maybe_unused]] auto dropped = co_await environment->delete_stream("example-consume");
  must(co_await environment->create_stream("example-consume", {}));
  co_await fill(environment, "example-consume", 0, 1000);
  // [consume]
  ConsumerOptions options;
  options.stream = "example-consume";
  options.name = "example";
  options.start = OffsetSpec::first();
  options.tracking = TrackingOptions{};  // stores the offset now and then and at close
  std::uint64_t next = 0;
  std::shared_ptr<Consumer> consumer =
      must(co_await environment->create_consumer(options, [&](const Delivery& delivery) {
        const auto body = must(data_of(delivery.body));
        expect(sluice::base::as_text(body) == std::to_string(next), "the body that was published");
        ++next;
      }));
  // [/consume]
  co_await until(environment, [&] { return next == 1000; }, "1000 messages");
  must(co_await consumer->close());

  co_await fill(environment, "example-consume", 1000, 500);
  std::shared_ptr<Consumer> second =
      must(co_await environment->create_consumer(options, [&](const Delivery& delivery) {
        const auto body = must(data_of(delivery.body));
        expect(sluice::base::as_text(body) == std::to_string(next), "start after the stored offset");
        ++next;
      }));
  co_await until(environment, [&] { return next == 1500; }, "500 more messages");
  must(co_await second->close());

  std::uint64_t first_seen = 0;
  ConsumerOptions in_the_middle;
  in_the_middle.stream = "example-consume";
  in_the_middle.start = OffsetSpec::at(1234);
  std::shared_ptr<Consumer> third =
      must(co_await environment->create_consumer(in_the_middle, [&](const Delivery& d) {
        if (first_seen == 0) first_seen = d.offset;
      }));
  co_await until(environment, [&] { return first_seen != 0; }, "a message from the middle");
  expect(first_seen == 1234, "nothing below the offset asked for");
  must(co_await third->close());
  std::printf("read %llu messages, went on after the stored offset, started at 1234\n",
              static_cast<unsigned long long>(next));
}

}  // namespace

int main() {
  return run(consume);
}
