// SPDX-License-Identifier: Apache-2.0
// A superstream of three partitions: what has the same routing key stays in order in one partition; a
// consumer of the superstream reads all of them. Then routing by binding key.
#include "client/superstream.h"

#include <map>

#include "example.h"

namespace {

using namespace example;

Task<void> superstream(std::shared_ptr<Environment> environment) {
  [[maybe_unused]] auto dropped = co_await environment->delete_super_stream("example-meters");
  // [superstream]
  must(co_await environment->create_super_stream("example-meters", 3, {}));
  SuperStreamProducerOptions options;
  options.super_stream = "example-meters";
  auto producer = must(co_await SuperStreamProducer::create(environment, options));
  for (int i = 0; i < 3000; ++i) {
    const std::string meter = "meter-" + std::to_string(i % 30);
    const std::string text = meter + " " + std::to_string(i);
    must(co_await producer->publish(meter, {text.begin(), text.end()}, {}, {}));
  }
  must(co_await producer->wait_for_confirms());

  ConsumerOptions reading;
  reading.stream = "example-meters";
  reading.start = OffsetSpec::first();
  std::map<std::string, int> last_of_meter;
  std::map<std::string, int> messages_of_partition;
  int messages = 0;
  auto consumer =
      must(co_await SuperStreamConsumer::create(environment, reading, [&](const Delivery& delivery) {
        const std::string text(sluice::base::as_text(delivery.body));
        const std::string meter = text.substr(0, text.find(' '));
        const int number = std::stoi(text.substr(text.find(' ')));
        expect(!last_of_meter.contains(meter) || last_of_meter[meter] < number, "order within a routing key");
        last_of_meter[meter] = number;
        ++messages_of_partition[delivery.stream];
        ++messages;
      }));
  // [/superstream]
  co_await until(environment, [&] { return messages == 3000; }, "3000 messages");
  expect(messages_of_partition.size() == 3, "all partitions used");
  for (const auto& [partition, count] : messages_of_partition)
    std::printf("%s: %d\n", partition.c_str(), count);
  must(co_await consumer->close());
  must(co_await producer->close());

  [[maybe_unused]] auto gone = co_await environment->delete_super_stream("example-regions");
  std::vector<std::string> regions{"amer", "apac", "emea"};
  must(co_await environment->create_super_stream("example-regions", regions, {}));
  SuperStreamProducerOptions by_key;
  by_key.super_stream = "example-regions";
  by_key.routing = Routing::key;
  auto regional = must(co_await SuperStreamProducer::create(environment, by_key));
  const auto routed = must(co_await regional->route("apac"));
  expect(routed.size() == 1 && routed[0]->stream() == "example-regions-apac", "apac leads to its partition");
  auto unknown = co_await regional->route("mars");
  expect(!unknown, "no partition for an unknown key");
  must(co_await regional->close());
  std::printf("apac -> %s\n", routed[0]->stream().c_str());
}

}  // namespace

int main() {
  return run(superstream);
}
