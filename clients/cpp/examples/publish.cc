// SPDX-License-Identifier: Apache-2.0
// Publishes a hundred AMQP 1.0 messages and waits until the broker has confirmed them all.
#include "client/message.h"
#include "client/producer.h"
#include "example.h"

namespace {

using namespace example;

Task<void> publish(std::shared_ptr<Environment> environment) {
  [[maybe_unused]] auto dropped = co_await environment->delete_stream("example-publish");
  // [publish]
  must(co_await environment->create_stream("example-publish", {.max_length_bytes = 1'000'000'000}));
  ProducerOptions options;
  options.stream = "example-publish";
  std::shared_ptr<Producer> producer = must(co_await environment->create_producer(options));

  int confirmed = 0;
  for (int i = 0; i < 100; ++i) {
    Message message;
    message.properties = MessageProperties{};
    message.properties->message_id = static_cast<std::uint64_t>(i);
    message.application_properties = {{"country", std::string("KR")}, {"temp", std::int64_t{i}}};
    const std::string text = "reading " + std::to_string(i);
    message.body.assign(text.begin(), text.end());
    must(co_await producer->wait_for_room());
    must(producer->publish(encode(message), {},
                           [&](const Confirmation& c) { confirmed += c.outcome.has_value(); }));
  }
  must(co_await producer->wait_for_confirms());
  // [/publish]
  expect(confirmed == 100, "100 confirms");
  std::printf("published and confirmed: %d\n", confirmed);

  // Packed and compressed, 50 messages to an entry.
  for (const Compression compression :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    ProducerOptions packed = options;
    packed.sub_batch_messages = 50;
    packed.compression = compression;
    std::shared_ptr<Producer> packer = must(co_await environment->create_producer(packed));
    for (int i = 0; i < 100; ++i) {
      const std::string text = "packed " + std::to_string(i);
      must(packer->publish(encode_data(sluice::base::as_bytes(text)), {},
                           [&](const Confirmation&) { ++confirmed; }));
    }
    must(co_await packer->close());
  }
  expect(confirmed == 600, "500 more confirms");
  std::printf("packed in all compressions: %d\n", confirmed - 100);
  const auto id = must(co_await producer->publish_and_wait(encode_data(sluice::base::as_bytes("last")), {}));
  expect(id == 101, "publishing id 101");
  must(co_await producer->close());
}

}  // namespace

int main() {
  return run(publish);
}
