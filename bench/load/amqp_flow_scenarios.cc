// SPDX-License-Identifier: Apache-2.0
// Messages through one queue over AMQP 0-9-1: durable queue, persistent messages, publisher confirms, one
// publisher and one consumer with a connection each. In the flow scenarios at most --window messages are
// under way from publisher to consumer, so that all brokers do the same work: a publisher that ran ahead
// would measure how a queue grows. That is what the backlog scenario is for.
#include <algorithm>
#include <array>

#include "amqp_flow.h"
#include "scenario.h"

namespace sluice::bench {
namespace {

using wire::Frame;

constexpr std::uint32_t latency_rate = 2'000;
constexpr double warm_up_seconds = 1;

base::FieldTable of_type(const char* type) {
  base::FieldTable arguments;
  arguments.set("x-queue-type", type);
  return arguments;
}

// A queue made anew, and both ends of it.
class Flow {
 public:
  Flow(const Settings& settings, const char* type, std::uint32_t message_bytes, Acks acks,
       const std::string& name = "bench-flow")
      : setup_(settings.broker), publishing_(settings.broker), consuming_(settings.broker), name_(name) {
    setup_.delete_queue(name_);
    setup_.declare_queue(name_, of_type(type));
    plan_.routing_key = name_;
    plan_.message_bytes = message_bytes;
    plan_.window_messages = settings.window_messages;
    publisher_.emplace(publishing_, plan_);
    consumer_.emplace(consuming_, acks, settings.ack_every);
    consuming_.consume(name_, acks == Acks::none, acks == Acks::none ? 0 : settings.prefetch);
  }
  ~Flow() { setup_.delete_queue(name_); }
  Flow(const Flow&) = delete;

  std::array<AmqpLink*, 2> links() { return {&publishing_, &consuming_}; }
  AmqpPublisher& publisher() { return *publisher_; }
  AmqpConsumer& consumer() { return *consumer_; }

  void wait(std::int64_t timeout_ns) {
    serve(links(), timeout_ns, [&](std::size_t i, const Frame& frame) {
      i == 0 ? publisher_->on_frame(frame) : consumer_->on_frame(frame);
    });
    consuming_.flush();
  }
  // Publishes as fast as the window allows for a while, then waits until everything is confirmed, consumed
  // and acknowledged.
  void run(double seconds) {
    const double until = now_seconds() + seconds;
    publisher_->resume();
    while (now_seconds() < until) {
      const std::uint64_t under_way = publisher_->published() - consumer_->consumed();
      publisher_->pump(plan_.window_messages - std::min<std::uint64_t>(under_way, plan_.window_messages));
      wait(second_ns);
    }
    publisher_->stop();
    while (!done()) wait(second_ns);
    consumer_->ack_rest();
  }
  bool done() const {
    return publisher_->all_confirmed() && consumer_->consumed() >= publisher_->published();
  }

 private:
  AmqpLink setup_, publishing_, consuming_;
  std::string name_;
  AmqpPublishPlan plan_;
  std::optional<AmqpPublisher> publisher_;
  std::optional<AmqpConsumer> consumer_;
};

template <bool quorum, std::uint32_t bytes, Acks acks>
Measurement flow(const Settings& settings) {
  Flow flow(settings, quorum ? "quorum" : "classic", bytes, acks);
  flow.run(warm_up_seconds);
  flow.consumer().latencies().clear();
  const std::uint64_t before = flow.consumer().consumed();
  Meter meter(settings);
  meter.start(flow.links());
  flow.run(settings.seconds);
  Measurement measured = meter.stop(flow.links(), flow.consumer().consumed() - before);
  report_latencies(flow.consumer().latencies(), measured);
  return measured;
}

template <bool quorum>
Measurement latency(const Settings& settings) {
  Flow flow(settings, quorum ? "quorum" : "classic", 100, Acks::each);
  flow.run(warm_up_seconds / 4);
  flow.consumer().latencies().clear();
  const std::uint64_t before = flow.consumer().consumed();
  const auto wanted = static_cast<std::uint64_t>(settings.seconds * latency_rate);
  Meter meter(settings);
  meter.start(flow.links());
  const double began = now_seconds();
  for (std::uint64_t sent = 0; sent < wanted || !flow.done();) {
    const auto due = [&] { return began + static_cast<double>(sent) / latency_rate; };
    if (sent < wanted && now_seconds() >= due()) {
      flow.publisher().publish_one();
      ++sent;
    }
    const double pause = sent < wanted ? due() - now_seconds() : 1;
    flow.wait(std::max<std::int64_t>(0, static_cast<std::int64_t>(pause * 1e9)));
    if (now_seconds() - began > settings.seconds + 30) die("messages did not come");
  }
  Measurement measured = meter.stop(flow.links(), flow.consumer().consumed() - before);
  report_latencies(flow.consumer().latencies(), measured);
  return measured;
}

// Reads `messages` from the queue with one consumer; the consumer's connection closes afterwards.
void drain(const Settings& settings, AmqpLink& link, std::uint64_t messages) {
  AmqpConsumer consumer(link, Acks::some, settings.ack_every);
  const std::array links{&link};
  while (consumer.consumed() < messages) {
    serve(links, second_ns, [&](std::size_t, const Frame& frame) { consumer.on_frame(frame); });
    link.flush();
  }
  consumer.ack_rest();
}

constexpr auto backlog_name = "bench-backlog";

Measurement fill(const Settings& settings) {
  AmqpLink setup(settings.broker);
  setup.declare_queue(backlog_name);
  const std::array links{&setup};
  AmqpPublishPlan plan;
  plan.routing_key = backlog_name;
  plan.message_bytes = 1000;
  plan.window_messages = settings.window_messages;
  plan.messages_max = settings.backlog_messages;
  Meter meter(settings);
  meter.start(links);
  publish_all(settings.broker, plan);
  return meter.stop(links, settings.backlog_messages);
}

Measurement drain(const Settings& settings) {
  AmqpLink reading(settings.broker);
  const std::array links{&reading};
  Meter meter(settings);
  meter.start(links);
  reading.consume(backlog_name, false, settings.prefetch);
  drain(settings, reading, settings.backlog_messages);
  return meter.stop(links, settings.backlog_messages);
}

// Half of the work is writing what nobody reads yet, half reading what was written long ago.
Measurement backlog(const Settings& settings) {
  AmqpLink setup(settings.broker);
  setup.delete_queue(backlog_name);
  const Measurement filled = fill(settings);
  Measurement measured = drain(settings);
  measured.more.emplace_back("fill_per_s", static_cast<double>(filled.messages) / filled.seconds);
  measured.more.emplace_back("fill_broker_cpu_s", filled.broker_cpu_seconds);
  measured.more.emplace_back("drain_per_s", static_cast<double>(measured.messages) / measured.seconds);
  measured.more.emplace_back("drain_broker_cpu_s", measured.broker_cpu_seconds);
  measured.seconds += filled.seconds;
  measured.broker_cpu_seconds += filled.broker_cpu_seconds;
  measured.client_cpu_seconds += filled.client_cpu_seconds;
  measured.memory.rss_peak_bytes = std::max(measured.memory.rss_peak_bytes, filled.memory.rss_peak_bytes);
  setup.delete_queue(backlog_name);
  return measured;
}

// A stream, written and read over AMQP 0-9-1.
Measurement stream_publish(const Settings& settings) {
  const std::string name = "bench-amqp-stream";
  AmqpLink link(settings.broker);
  link.delete_queue(name);
  base::FieldTable arguments = of_type("stream");
  if (settings.kept_mib > 0) {
    arguments.set("x-max-length-bytes", static_cast<std::int64_t>(settings.kept_mib << 20));
    arguments.set("x-stream-max-segment-size-bytes", static_cast<std::int64_t>(settings.kept_mib << 18));
  }
  link.declare_queue(name, arguments);
  AmqpPublishPlan plan;
  plan.routing_key = name;
  plan.window_messages = settings.window_messages;
  AmqpLink publishing(settings.broker);
  AmqpPublisher publisher(publishing, plan);
  const std::array links{&publishing};
  const auto run = [&](double seconds) {
    const double until = now_seconds() + seconds;
    publisher.resume();
    while (now_seconds() < until || !publisher.all_confirmed()) {
      if (now_seconds() >= until) publisher.stop();
      publisher.pump();
      serve(links, second_ns, [&](std::size_t, const Frame& frame) { publisher.on_frame(frame); });
    }
  };
  run(warm_up_seconds);
  const std::uint64_t before = publisher.confirmed();
  Meter meter(settings);
  meter.start(links);
  run(settings.seconds);
  Measurement measured = meter.stop(links, publisher.confirmed() - before);
  link.delete_queue(name);
  return measured;
}

Measurement stream_read(const Settings& settings) {
  const std::string name = "bench-amqp-stream";
  AmqpLink setup(settings.broker);
  setup.delete_queue(name);
  setup.declare_queue(name, of_type("stream"));
  AmqpPublishPlan plan;
  plan.routing_key = name;
  plan.window_messages = settings.window_messages;
  plan.messages_max = settings.messages / 4;
  publish_all(settings.broker, plan);
  base::FieldTable from_first;
  from_first.set("x-stream-offset", "first");
  Meter meter(settings);
  const std::array links{&setup};
  meter.start(links);
  std::uint64_t readings = 0;
  std::uint64_t bytes_in = 0;
  do {
    AmqpLink link(settings.broker);
    link.consume(name, false, settings.prefetch, from_first);
    drain(settings, link, plan.messages_max);
    bytes_in += link.bytes_in();
    ++readings;
  } while (meter.elapsed() < settings.seconds);
  Measurement measured = meter.stop(links, readings * plan.messages_max);
  measured.bytes_in += bytes_in;
  measured.more.emplace_back("readings", static_cast<double>(readings));
  setup.delete_queue(name);
  return measured;
}

constexpr std::array amqp_flow_list{
    Scenario{"amqp-classic-100b", "durable classic queue, persistent, confirms, acks of many: 100 bytes",
             flow<false, 100, Acks::some>},
    Scenario{"amqp-classic-1k", "the same with 1,000 bytes", flow<false, 1000, Acks::some>},
    Scenario{"amqp-quorum-100b", "quorum queue: 100 bytes", flow<true, 100, Acks::some>},
    Scenario{"amqp-quorum-1k", "quorum queue: 1,000 bytes", flow<true, 1000, Acks::some>},
    Scenario{"amqp-ack-each", "classic, 100 bytes, each message acknowledged alone",
             flow<false, 100, Acks::each>},
    Scenario{"amqp-no-ack", "classic, 100 bytes, a consumer without acknowledgements",
             flow<false, 100, Acks::none>},
    Scenario{"amqp-latency", "classic, publish to deliver at 2,000 messages a second", latency<false>},
    Scenario{"amqp-latency-quorum", "the same in a quorum queue", latency<true>},
    Scenario{"amqp-backlog", "500,000 messages of 1,000 bytes filled into a queue, then drained", backlog},
    Scenario{"amqp-fill", "the first half of amqp-backlog: --backlog-messages more in its queue", fill},
    Scenario{"amqp-drain", "the second half: takes as many from it", drain},
    Scenario{"amqp-stream-publish", "100-byte messages into a stream over AMQP", stream_publish},
    Scenario{"amqp-stream-read", "a stored stream over AMQP from first to last", stream_read},
};

}  // namespace

std::span<const Scenario> amqp_flow_scenarios() {
  return amqp_flow_list;
}

}  // namespace sluice::bench
