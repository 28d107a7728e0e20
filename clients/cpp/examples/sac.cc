// SPDX-License-Identifier: Apache-2.0
// Single active consumer: two members of one group; the second takes over where the first left off.
#include "client/consumer.h"
#include "client/producer.h"
#include "example.h"

namespace {

using namespace example;

Task<void> fill(std::shared_ptr<Environment> environment, int count) {
  ProducerOptions options;
  options.stream = "example-sac";
  std::shared_ptr<Producer> producer = must(co_await environment->create_producer(options));
  for (int i = 0; i < count; ++i) must(producer->publish({}));
  must(co_await producer->close());
}

Task<void> sac(std::shared_ptr<Environment> environment) {
  [[maybe_unused]] auto dropped = co_await environment->delete_stream("example-sac");
  must(co_await environment->create_stream("example-sac", {}));
  co_await fill(environment, 100);
  // [sac]
  ConsumerOptions options;
  options.stream = "example-sac";
  options.name = "group";
  options.start = OffsetSpec::first();
  options.single_active = true;
  options.tracking = TrackingOptions{};
  options.on_update = [](Consumer&, bool active) -> std::optional<OffsetSpec> {
    std::printf("%s\n", active ? "active" : "stepping down");
    return std::nullopt;  // after the stored offset
  };
  std::uint64_t next = 0;
  int of_first = 0;
  int of_second = 0;
  std::shared_ptr<Consumer> first =
      must(co_await environment->create_consumer(options, [&](const Delivery& delivery) {
        expect(delivery.offset >= next, "the first reads in order");
        next = delivery.offset + 1;
        ++of_first;
      }));
  std::shared_ptr<Consumer> second =
      must(co_await environment->create_consumer(options, [&](const Delivery& delivery) {
        expect(delivery.offset >= next, "the second goes on after the first");
        next = delivery.offset + 1;
        ++of_second;
      }));
  // [/sac]
  co_await until(environment, [&] { return of_first == 100; }, "100 messages at the first");
  expect(first->is_active() && !second->is_active() && of_second == 0, "only the first is active");
  must(co_await first->close());
  co_await fill(environment, 50);
  co_await until(environment, [&] { return of_second == 50; }, "50 messages at the second");
  expect(second->is_active(), "the second is active");
  must(co_await second->close());
  std::printf("first %d, second %d\n", of_first, of_second);
}

}  // namespace

int main() {
  return run(sac);
}
