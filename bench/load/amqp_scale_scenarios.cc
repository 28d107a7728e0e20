// SPDX-License-Identifier: Apache-2.0
// Many of something over AMQP 0-9-1: queues behind one exchange, queues with a little traffic each,
// connections and queues that do nothing, connections that come and go.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "amqp_flow.h"
#include "scenario.h"

namespace sluice::bench {
namespace {

using wire::Frame;

constexpr std::size_t pipelined = 200;  // methods sent before their answers are read
constexpr std::uint32_t fanout_queues = 1'000;
constexpr std::uint64_t fanout_messages_max = 5'000;
constexpr std::size_t small_input_bytes = 8 * 1024;

std::string queue_name(std::size_t number) {
  return fmt::format("bench-many-{}", number);
}

// Sends `count` methods, made by make(number, send), and waits for as many answers.
template <class Reply, class Make>
void pipeline(AmqpLink& link, std::size_t count, Make make) {
  for (std::size_t done = 0; done < count;) {
    const std::size_t some = std::min(pipelined, count - done);
    for (std::size_t i = 0; i < some; ++i) make(done + i);
    link.expect<Reply>(some, [](const Reply&) {});
    done += some;
  }
}

void declare_queues(AmqpLink& link, std::size_t count) {
  pipeline<wire::QueueDeclareOk>(link, count, [&](std::size_t number) {
    const std::string name = queue_name(number);
    wire::QueueDeclare declare;
    declare.queue = name;
    declare.durable = true;
    link.send(declare);
  });
}
void delete_queues(AmqpLink& link, std::size_t count) {
  pipeline<wire::QueueDeleteOk>(link, count, [&](std::size_t number) {
    const std::string name = queue_name(number);
    wire::QueueDelete remove;
    remove.queue = name;
    link.send(remove);
  });
}

// Each message becomes one in each of 1,000 queues; counted are those.
Measurement fanout(const Settings& settings) {
  const std::string exchange = "bench-fanout";
  AmqpLink setup(settings.broker);
  delete_queues(setup, fanout_queues);
  declare_queues(setup, fanout_queues);
  wire::ExchangeDeclare declare;
  declare.exchange = exchange;
  declare.type = "fanout";
  declare.durable = true;
  setup.call<wire::ExchangeDeclareOk>(declare);
  pipeline<wire::QueueBindOk>(setup, fanout_queues, [&](std::size_t number) {
    const std::string name = queue_name(number);
    wire::QueueBind bind;
    bind.queue = name;
    bind.exchange = exchange;
    setup.send(bind);
  });
  AmqpPublishPlan plan;
  plan.exchange = exchange;
  plan.block_messages = 1;
  plan.window_messages = 100;
  plan.messages_max = fanout_messages_max;
  AmqpLink publishing(settings.broker);
  AmqpPublisher publisher(publishing, plan);
  const std::array links{&publishing};
  Meter meter(settings);
  meter.start(links);
  while (!(publisher.exhausted() || meter.elapsed() >= settings.seconds) || !publisher.all_confirmed()) {
    if (meter.elapsed() >= settings.seconds) publisher.stop();
    publisher.pump();
    serve(links, second_ns, [&](std::size_t, const Frame& frame) { publisher.on_frame(frame); });
  }
  Measurement measured = meter.stop(links, publisher.confirmed() * fanout_queues);
  delete_queues(setup, fanout_queues);
  wire::ExchangeDelete remove;
  remove.exchange = exchange;
  setup.call<wire::ExchangeDeleteOk>(remove);
  return measured;
}

// --queues durable queues, each with a consumer, and one persistent message a second to each: over ten
// connections.
class Trickle {
 public:
  explicit Trickle(const Settings& settings) : queues_(settings.queues) {
    for (std::size_t i = 0; i < connections; ++i) {
      links_.push_back(std::make_unique<AmqpLink>(settings.broker));
      all_.push_back(links_.back().get());
      links_.back()->select_confirms();
    }
    declare_queues(*all_[0], queues_);
    for (std::size_t i = 0; i < connections; ++i) consume(i);
  }

  void run(double seconds) {
    const double began = now_seconds();
    const std::uint64_t wanted = sent_ + static_cast<std::uint64_t>(seconds) * queues_;
    const std::uint64_t first = sent_;
    while (delivered_ < wanted) {
      const double now = now_seconds();
      if (now - began > seconds + 60) die("{} of {} messages did not come", wanted - delivered_, wanted);
      const auto due = first + static_cast<std::uint64_t>((now - began) * static_cast<double>(queues_));
      for (; sent_ < std::min(due, wanted); ++sent_) publish(sent_ % queues_);
      for (AmqpLink* link : all_) link->flush();
      serve(all_, second_ns / 1000, [&](std::size_t i, const Frame& frame) { on_frame(i, frame); });
    }
  }

  const std::vector<AmqpLink*>& links() const { return all_; }
  std::uint64_t delivered() const { return delivered_; }
  std::vector<double>& latencies() { return latencies_; }

 private:
  static constexpr std::size_t connections = 10;

  void consume(std::size_t connection) {
    AmqpLink& link = *all_[connection];
    wire::BasicQos qos;
    qos.prefetch_count = 10;
    link.call<wire::BasicQosOk>(qos);
    const std::size_t count = queues_ / connections;
    pipeline<wire::BasicConsumeOk>(link, count, [&](std::size_t number) {
      const std::string name = queue_name(number * connections + connection);
      wire::BasicConsume consume;
      consume.queue = name;
      link.send(consume);
    });
  }

  void publish(std::size_t queue) {
    AmqpLink& link = *all_[(queue + 1) % connections];  // not the one that consumes it
    const std::string name = queue_name(queue);
    wire::BasicPublish publish;
    publish.routing_key = name;
    link.send(publish);
    base::ByteWriter writer(link.out());
    const auto begin = [&](wire::FrameType type, std::uint32_t size) {
      writer.write(static_cast<std::uint8_t>(type));
      writer.write(AmqpLink::channel);
      writer.write(size);
    };
    begin(wire::FrameType::header, 15);
    writer.write(std::uint32_t{60} << 16);
    writer.write(std::uint64_t{body_bytes});
    writer.write(std::uint16_t{1 << 12});
    writer.write(std::uint8_t{2});
    writer.write(wire::frame_end);
    begin(wire::FrameType::body, body_bytes);
    writer.write(static_cast<std::uint64_t>(now_seconds() * 1e9));
    link.out().resize(link.out().size() + body_bytes - 8, 'x');
    writer.write(wire::frame_end);
  }

  void on_frame(std::size_t connection, const Frame& frame) {
    const std::uint32_t method = packed_method_of(frame);
    if (method == wire::BasicDeliver::id.packed()) {
      const auto deliver = wire::decode<wire::BasicDeliver>(frame.payload.subspan(4));
      wire::BasicAck ack;
      ack.delivery_tag = deliver->delivery_tag;
      all_[connection]->send(ack);
      ++delivered_;
    } else if (frame.type == wire::FrameType::body && frame.payload.size() >= 8) {
      const auto sent = static_cast<double>(base::load_be<std::uint64_t>(frame.payload.data()));
      latencies_.push_back(now_seconds() - sent / 1e9);
    } else if (method == wire::BasicNack::id.packed()) {
      die("a message was refused");
    }
  }

  static constexpr std::uint32_t body_bytes = 100;
  std::uint64_t queues_;
  std::vector<std::unique_ptr<AmqpLink>> links_;
  std::vector<AmqpLink*> all_;
  std::uint64_t sent_ = 0, delivered_ = 0;
  std::vector<double> latencies_;
};

Measurement many_queues(const Settings& settings) {
  Measurement measured;
  {
    Trickle trickle(settings);
    trickle.run(2);
    trickle.latencies().clear();
    const std::uint64_t before = trickle.delivered();
    Meter meter(settings);
    meter.start(trickle.links());
    trickle.run(std::max(settings.seconds, 2.0));
    measured = meter.stop(trickle.links(), trickle.delivered() - before);
    report_latencies(trickle.latencies(), measured);
  }
  AmqpLink cleaning(settings.broker);
  delete_queues(cleaning, settings.queues);
  return measured;
}

// The broker's memory when nothing has happened for a while.
double settled_rss(const Settings& settings) {
  sleep(3);
  return static_cast<double>(memory_of(settings.broker.pid).rss_bytes);
}

Measurement idle_queues(const Settings& settings) {
  AmqpLink setup(settings.broker);
  const std::array links{&setup};
  const double before = settled_rss(settings);
  Meter meter(settings);
  meter.start(links);
  declare_queues(setup, settings.queues);
  Measurement measured = meter.stop(links, settings.queues);
  const double bytes = settled_rss(settings) - before;
  measured.more.emplace_back("bytes_each", bytes / settings.queues);
  delete_queues(setup, settings.queues);
  return measured;
}

Measurement idle_connections(const Settings& settings) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < settings.connections + 100) die("more open files are needed: ulimit -n");
  std::vector<std::unique_ptr<AmqpLink>> links;
  links.reserve(settings.connections);
  const double before = settled_rss(settings);
  Meter meter(settings);
  meter.start(std::array<AmqpLink*, 0>{});
  for (std::uint32_t i = 0; i < settings.connections; ++i)
    links.push_back(
        std::make_unique<AmqpLink>(settings.broker, AmqpLink::Open::connection, small_input_bytes));
  Measurement measured = meter.stop(std::array<AmqpLink*, 0>{}, settings.connections);
  const double bytes = settled_rss(settings) - before;
  measured.more.emplace_back("bytes_each", bytes / settings.connections);
  return measured;
}

// Connect, open a channel, publish one message, close: one after the other. Counted are connections.
Measurement churn(const Settings& settings) {
  const std::string name = "bench-churn";
  AmqpLink setup(settings.broker);
  setup.delete_queue(name);
  setup.declare_queue(name);
  const std::array links{&setup};
  Meter meter(settings);
  meter.start(links);
  std::uint64_t count = 0;
  for (; meter.elapsed() < settings.seconds; ++count) {
    AmqpLink link(settings.broker, AmqpLink::Open::channel, small_input_bytes);
    AmqpPublishPlan plan;
    plan.routing_key = name;
    plan.block_messages = 1;
    plan.window_messages = 1;
    AmqpPublisher publisher(link, plan);
    publisher.publish_one();
    while (!publisher.all_confirmed())
      serve(std::array{&link}, second_ns,
            [&](std::size_t, const Frame& frame) { publisher.on_frame(frame); });
    link.close();
  }
  Measurement measured = meter.stop(links, count);
  setup.delete_queue(name);
  return measured;
}

constexpr std::array amqp_scale_list{
    Scenario{"amqp-fanout-1000", "a fanout exchange to 1,000 durable queues, counted per queue", fanout},
    Scenario{"amqp-10k-queues", "10,000 queues with a consumer and one message a second each", many_queues},
    Scenario{"amqp-idle-queues", "10,000 durable queues declared; memory of each", idle_queues},
    Scenario{"amqp-idle-5k", "5,000 connections opened; memory of each", idle_connections},
    Scenario{"amqp-churn", "connect, publish one message with a confirm, close", churn},
};

}  // namespace

std::span<const Scenario> amqp_scale_scenarios() {
  return amqp_scale_list;
}

}  // namespace sluice::bench
