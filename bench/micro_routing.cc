// SPDX-License-Identifier: Apache-2.0
// bench_micro: the broker's Router. 100,000 bindings on one topic exchange, a fanout to 1,000 queues, the
// default exchange among 10,000 queues.
#include <string>

#include "base/check.h"
#include "broker/router.h"
#include "micro.h"
#include "support/test_shard.h"

namespace sluice::bench {
namespace {

class Site {
 public:
  Site() { apply(broker::PutVhost{{.name = "/"}}); }

  void queue(std::string name) {
    broker::QueueRecord record;
    record.vhost = "/";
    record.name = std::move(name);
    record.type = "classic";
    apply(broker::DeclareQueue{std::move(record), 0});
  }
  void bind(std::string exchange, std::string queue, std::string key) {
    broker::BindingRecord record;
    record.vhost = "/";
    record.source = std::move(exchange);
    record.destination = std::move(queue);
    record.routing_key = std::move(key);
    apply(broker::Bind{std::move(record)});
  }
  void measure_keys(std::string_view name, std::string_view exchange, std::uint64_t rounds,
                    const std::vector<std::string>& keys) {
    const auto place = router_.find("/", exchange);
    INVARIANT(place.has_value(), "no exchange {}", exchange);
    measure(name, rounds, [&](std::uint64_t, ResultHash& hash) {
      std::uint64_t routed = 0;
      for (const auto& key : keys) {
        for (const auto& each : router_.route(**place, {key, {}, {}, {}, {}}).queues)
          hash.add(each.queue.value), ++routed;
      }
      return std::uint64_t{routed};
    });
  }

 private:
  void apply(const broker::Command& command) {
    const auto changes = catalog_.apply(command);
    INVARIANT(changes.has_value(), "{}", changes.error().text);
    router_.apply(catalog_, *changes);
  }
  test::SeededRandom random_{1};
  broker::Catalog catalog_;
  broker::Router router_{random_, 2};
};

}  // namespace

void bench_routing(std::uint64_t rounds) {
  const bool small = rounds < 100;  // as a test
  const int queues = small ? 100 : 10'000, bindings = small ? 1'000 : 100'000, fanout = small ? 100 : 1'000;
  Site site;
  std::vector<std::string> names, keys;
  for (int i = 0; i < queues; ++i) site.queue(names.emplace_back("queue-" + std::to_string(i)));
  for (int i = 0; i < bindings; ++i) {
    const auto number = std::to_string(i);
    site.bind("amq.topic", names[static_cast<std::size_t>(i % queues)],
              i % 10 == 0 ? "region." + number + ".*" : "region." + number + ".created");
    if (i % (bindings / 100) == 0) keys.push_back("region." + number + ".created");
  }
  for (int i = 0; i < fanout; ++i) site.bind("amq.fanout", names[static_cast<std::size_t>(i)], "");
  names.resize(100);
  site.measure_keys("route default", "", rounds, names);
  site.measure_keys("route topic, many bindings", "amq.topic", rounds, keys);
  site.measure_keys("route fanout, per queue", "amq.fanout", rounds / 100 + 1, {"x"});
}

}  // namespace sluice::bench
