// SPDX-License-Identifier: Apache-2.0
// Publishing with confirms: a window of unconfirmed messages kept full for some seconds; all confirms awaited
// before the clock stops. Several publishers have a connection each. Latency: one message at a time at a
// fixed rate.
//
// The streams keep --kept-mib and are measured when they have had half as much again: in their steady state.
// On a virtual machine whose host takes free memory back, an ever growing file measures above all what it
// costs to get memory from the host, some 7 us a page, whoever writes it.
#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "publisher.h"
#include "scenario.h"

namespace sluice::bench {
namespace {

using streamproto::Frame;
using streamproto::Key;
using streamproto::ResponseCode;

constexpr std::uint32_t latency_rate = 2'000;

// The arguments of a stream that keeps --kept-mib.
struct Keeping {
  explicit Keeping(const Settings& settings)
      : bytes(std::to_string(settings.kept_mib << 20)),
        segment_bytes(std::to_string(std::max<std::uint64_t>(settings.kept_mib / 4, 1) << 20)) {
    if (settings.kept_mib > 0)
      arguments = {{"max-length-bytes", bytes}, {"stream-max-segment-size-bytes", segment_bytes}};
  }
  Keeping(const Keeping&) = delete;
  const std::string bytes, segment_bytes;
  streamproto::Properties arguments;  // points to them
};

// How many times --kept-mib is kept when all streams are full.
std::size_t streams_kept(std::vector<std::string> streams) {
  std::sort(streams.begin(), streams.end());
  return static_cast<std::size_t>(std::unique(streams.begin(), streams.end()) - streams.begin());
}

// Runs one publisher per stream name until the time is up.
Measurement publish_to(const Settings& settings, const std::vector<std::string>& streams,
                       std::uint32_t message_bytes) {
  std::vector<std::unique_ptr<Link>> owned;
  std::vector<Link*> links;
  std::vector<std::unique_ptr<Publisher>> publishers;
  for (const std::string& stream : streams) {
    owned.push_back(std::make_unique<Link>(settings.broker));
    links.push_back(owned.back().get());
    PublishPlan plan;
    plan.stream = stream;
    plan.message_bytes = message_bytes;
    plan.frame_messages = settings.frame_messages;
    plan.window_messages = settings.window_messages;
    publishers.push_back(std::make_unique<Publisher>(*links.back(), 0, plan));
  }
  const auto confirmed = [&] {
    std::uint64_t messages = 0;
    for (const auto& publisher : publishers) messages += publisher->confirmed();
    return messages;
  };
  const auto turn = [&] {
    bool open = false;
    for (const auto& publisher : publishers) {
      publisher->pump();
      open = open || !publisher->done();
    }
    if (open)
      serve(links, second_ns, [&](std::size_t i, const Frame& frame) { publishers[i]->on_frame(frame); });
    return open;
  };
  const std::uint64_t before = (settings.kept_mib << 20) * 3 / 2 / message_bytes * streams_kept(streams);
  while (confirmed() < before) turn();
  Meter meter(settings);
  meter.start(links);
  const std::uint64_t unmeasured = confirmed();
  while (meter.elapsed() < settings.seconds) turn();
  for (const auto& publisher : publishers) publisher->stop();
  while (turn()) {
  }
  return meter.stop(links, confirmed() - unmeasured);
}

template <std::uint32_t bytes, std::size_t producers>
Measurement publish(const Settings& settings) {
  const std::string stream = "bench-publish";
  {
    Link link(settings.broker);
    recreate_stream(link, stream, Keeping(settings).arguments);
  }
  Measurement measured = publish_to(settings, std::vector<std::string>(producers, stream), bytes);
  Link link(settings.broker);
  delete_stream(link, stream);
  return measured;
}

Measurement superstream(const Settings& settings) {
  const std::string name = "bench-super";
  Link link(settings.broker);
  streamproto::DeleteSuperStream remove;
  remove.name = name;
  if (!link.filters_supported())
    return {.supported = false};  // superstreams by protocol came with filters, 3.13
  link.call<streamproto::DeleteSuperStreamResponse>(remove);
  const std::vector<std::string> partitions{name + "-0", name + "-1", name + "-2", name + "-3"};
  streamproto::CreateSuperStream create;
  create.name = name;
  create.partitions.assign(partitions.begin(), partitions.end());
  create.binding_keys = {"0", "1", "2", "3"};
  const Keeping keeping(settings);
  create.arguments = keeping.arguments;
  if (link.call<streamproto::CreateSuperStreamResponse>(create) != ResponseCode::ok)
    die("create superstream refused");
  Measurement measured = publish_to(settings, partitions, 100);
  link.call<streamproto::DeleteSuperStreamResponse>(remove);
  return measured;
}

void put_time(base::ByteBuffer& out, std::uint8_t publisher, std::uint64_t id) {
  std::array<std::uint8_t, 100> body{};
  base::store_be(body.data(), static_cast<std::uint64_t>(now_seconds() * 1e9));
  streamproto::PublishFrameWriter frame(out, publisher, 1);
  frame.add(id, body);
  frame.finish();
}

Measurement latency(const Settings& settings) {
  const std::string stream = "bench-latency";
  Link publishing(settings.broker);
  Link consuming(settings.broker);
  recreate_stream(publishing, stream);
  PublishPlan plan;
  plan.stream = stream;
  Publisher publisher(publishing, 0, plan);
  streamproto::Subscribe subscribe;
  subscribe.stream = stream;
  subscribe.offset_spec = streamproto::OffsetSpec::next();
  subscribe.credit = settings.credit;
  if (consuming.call<streamproto::SubscribeResponse>(subscribe) != ResponseCode::ok) die("subscribe refused");

  const std::array links{&publishing, &consuming};
  std::vector<double> latencies;
  const auto wanted = static_cast<std::uint64_t>(settings.seconds * latency_rate);
  latencies.reserve(wanted);
  Meter meter(settings);
  meter.start(links);
  const double began = now_seconds();
  for (std::uint64_t sent = 0; latencies.size() < wanted;) {
    const double now = now_seconds();
    const double due = began + static_cast<double>(sent) / latency_rate;
    if (sent < wanted && now >= due) {
      put_time(publishing.out(), 0, ++sent);
      publishing.flush();
    }
    if (now - began > settings.seconds + 10)
      die("{} of {} messages did not come", wanted - latencies.size(), wanted);
    const double pause = sent < wanted ? began + static_cast<double>(sent) / latency_rate - now_seconds() : 1;
    serve(links, std::max<std::int64_t>(0, static_cast<std::int64_t>(pause * 1e9)),
          [&](std::size_t, const Frame& frame) {
            if (frame.key() != Key::deliver) return;
            const auto deliver = streamproto::decode<streamproto::Deliver>(frame);
            if (!deliver) die("a Deliver that does not parse");
            const double arrived = now_seconds();
            streamproto::Entries entries = deliver->message.chunk.entries();
            for (streamproto::EntryView entry; entries.next(entry);) {
              latencies.push_back(arrived -
                                  static_cast<double>(base::load_be<std::uint64_t>(entry.data.data())) / 1e9);
            }
            streamproto::Credit credit;
            credit.credit = 1;
            consuming.send(credit);
          });
    consuming.flush();
  }
  Measurement measured = meter.stop(links, latencies.size());
  report_latencies(latencies, measured);
  delete_stream(publishing, stream);
  return measured;
}

constexpr std::array publish_list{
    Scenario{"publish-100b-1p", "100-byte messages, one publisher, confirms", publish<100, 1>},
    Scenario{"publish-100b-4p", "100-byte messages, four publishers on one stream", publish<100, 4>},
    Scenario{"publish-1k-1p", "1,000-byte messages, one publisher", publish<1000, 1>},
    Scenario{"publish-1k-4p", "1,000-byte messages, four publishers on one stream", publish<1000, 4>},
    Scenario{"latency", "publish to deliver at 2,000 messages a second", latency},
    Scenario{"superstream", "100-byte messages into four partitions of a superstream", superstream},
};

}  // namespace

std::span<const Scenario> publish_scenarios() {
  return publish_list;
}

}  // namespace sluice::bench
