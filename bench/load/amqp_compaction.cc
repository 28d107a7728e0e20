// SPDX-License-Identifier: Apache-2.0
// What publishers and consumers feel while the journal compacts. A backlog of --backlog-messages of 1,000
// bytes is delivered to a consumer that acknowledges every second message, and later every second of the
// rest: then three quarters of each file are dead, which is below what is kept, and the rest is copied.
// Beside it all a probe publishes and consumes at a low rate; its latencies are reported for each part, the
// longest one is the pause.
#include <algorithm>
#include <array>

#include "amqp_flow.h"
#include "scenario.h"

namespace sluice::bench {
namespace {

using wire::Frame;

constexpr std::uint32_t probe_rate = 500;
constexpr auto filled_queue = "bench-compaction", probe_queue = "bench-compaction-probe";

void ack_one(AmqpLink& link, std::uint64_t tag) {
  wire::BasicAck ack;
  ack.delivery_tag = tag;
  link.send(ack);
}

// One publisher and one consumer of 100-byte messages, at a rate, and who holds the backlog.
class Bed {
 public:
  explicit Bed(const Settings& settings)
      : settings_(settings),
        setup_(settings.broker),
        publishing_(settings.broker),
        consuming_(settings.broker),
        holding_(settings.broker) {
    for (const char* name : {filled_queue, probe_queue}) {
      setup_.delete_queue(name);
      setup_.declare_queue(name);
    }
    AmqpPublishPlan plan;
    plan.routing_key = probe_queue;
    publisher_.emplace(publishing_, plan);
    consumer_.emplace(consuming_, Acks::each, 1);
    consuming_.consume(probe_queue, false, settings.prefetch);
  }
  ~Bed() {
    setup_.delete_queue(filled_queue);
    setup_.delete_queue(probe_queue);
  }
  Bed(const Bed&) = delete;

  void fill() {
    AmqpPublishPlan plan;
    plan.routing_key = filled_queue;
    plan.message_bytes = 1000;
    plan.window_messages = settings_.window_messages;
    plan.messages_max = settings_.backlog_messages;
    publish_all(settings_.broker, plan);
  }
  void hold() { holding_.consume(filled_queue, false, 0); }

  // The probe goes on until `done`; the consumer of the backlog acknowledges odd tags as they come. The
  // latencies' figures are named after the part.
  template <class Done>
  void part(const std::string& name, Measurement& into, Done done) {
    const double began = now_seconds();
    const std::uint64_t first = publisher_->published();
    while (!done(now_seconds() - began)) {
      const double due = began + static_cast<double>(publisher_->published() - first) / probe_rate;
      if (now_seconds() >= due) publisher_->publish_one();
      const double pause = std::clamp(due - now_seconds(), 0.0, 0.001);
      serve(links(), static_cast<std::int64_t>(pause * 1e9),
            [&](std::size_t i, const Frame& frame) { on_frame(i, frame); });
      holding_.flush();
      consuming_.flush();
    }
    Measurement figures;
    report_latencies(consumer_->latencies(), figures);
    consumer_->latencies().clear();
    for (const auto& [key, value] : figures.more) into.more.emplace_back(name + "_" + key, value);
    into.more.emplace_back(name + "_s", now_seconds() - began);
  }

  std::array<AmqpLink*, 3> links() { return {&publishing_, &consuming_, &holding_}; }
  std::uint64_t held() const { return held_; }
  // Half of what the first round left.
  void ack_again() {
    for (std::uint64_t tag = 2; tag <= held_; tag += 4) ack_one(holding_, tag);
  }
  bool all_sent() { return holding_.unsent_bytes() == 0; }

 private:
  void on_frame(std::size_t i, const Frame& frame) {
    if (i == 0) return publisher_->on_frame(frame);
    if (i == 1) return consumer_->on_frame(frame);
    if (packed_method_of(frame) != wire::BasicDeliver::id.packed()) return;
    if (++held_ % 2 == 1) ack_one(holding_, held_);
  }

  const Settings& settings_;
  AmqpLink setup_, publishing_, consuming_, holding_;
  std::optional<AmqpPublisher> publisher_;
  std::optional<AmqpConsumer> consumer_;
  std::uint64_t held_ = 0;
};

Measurement compaction(const Settings& settings) {
  Bed bed(settings);
  Measurement parts;
  bed.part("quiet", parts, [](double seconds) { return seconds > 2; });
  bed.fill();
  Meter meter(settings);
  meter.start(bed.links());
  bed.hold();
  bed.part("halved", parts, [&](double) { return bed.held() >= settings.backlog_messages; });
  bed.ack_again();
  bed.part("quartered", parts, [&](double) { return bed.all_sent(); });
  // Compaction has begun; how long it takes, the metrics of the broker say.
  bed.part("compacted", parts, [&](double seconds) { return seconds > settings.seconds; });
  Measurement measured = meter.stop(bed.links(), settings.backlog_messages);
  measured.more = std::move(parts.more);
  return measured;
}

constexpr std::array scenarios{
    Scenario{"amqp-compaction",
             "latency beside a backlog of which three quarters are acknowledged, here and there", compaction},
};

}  // namespace

std::span<const Scenario> amqp_compaction_scenarios() {
  return scenarios;
}

}  // namespace sluice::bench
