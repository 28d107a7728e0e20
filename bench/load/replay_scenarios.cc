// SPDX-License-Identifier: Apache-2.0
// Reading stored streams: whole, in small chunks, and filtered. The stream is written first, unmeasured. A
// replay reads from the first offset to the last message with ten credits and one more per chunk, as the
// stock clients do; it is repeated until the time is up, so that the broker's CPU time is long enough to be
// read.
#include <algorithm>
#include <array>
#include <memory>

#include "publisher.h"
#include "scenario.h"

namespace sluice::bench {
namespace {

using streamproto::Frame;
using streamproto::Key;
using streamproto::OffsetSpec;

constexpr std::string_view wanted_value = "KR";

enum class Until : std::uint8_t { all, wanted };

struct Reading {
  std::uint64_t records = 0;  // messages in the chunks that came
  std::uint64_t wanted = 0;   // those whose body starts with the wanted filter value
  std::uint64_t chunks = 0;
  double seconds = 0;
};

bool is_wanted(base::ByteView body) {
  return body.size() > wanted_value.size() &&
         base::as_text(body.first(wanted_value.size())) == wanted_value && body[wanted_value.size()] == ' ';
}

struct ReadPlan {
  std::string stream;
  std::uint64_t messages = 0;  // to read: of all, or of the wanted ones
  Until until = Until::all;
  streamproto::Properties properties = {};
  bool look = false;  // at each message, as a client does that filters
};

Reading read_stream(Link& link, const Settings& settings, const ReadPlan& plan) {
  Reading reading;
  const bool filtered = plan.until == Until::wanted;
  const std::string& stream = plan.stream;
  const std::uint64_t until = plan.messages;
  const double began = now_seconds();
  streamproto::Subscribe subscribe;
  subscribe.stream = stream;
  subscribe.offset_spec = OffsetSpec::first();
  subscribe.credit = plan.properties.empty() ? settings.credit : settings.filter_credit;
  subscribe.properties = plan.properties;
  link.send(subscribe, 1'000'000);
  const std::array links{&link};
  while ((filtered ? reading.wanted : reading.records) < until) {
    link.flush();
    std::uint16_t chunks = 0;
    if (now_seconds() - began > 300)
      die("{}: {} of {} messages after five minutes", stream, reading.records, until);
    serve(links, second_ns, [&](std::size_t, const Frame& frame) {
      if (frame.key() != Key::deliver) {
        if (frame.key() == Key::subscribe && base::load_be<std::uint16_t>(frame.body.data() + 4) != 1) {
          die("subscribe to {} refused", stream);
        }
        return;
      }
      const std::size_t prefix = frame.version == 2 ? 9 : 1;
      const std::uint8_t* header = frame.body.data() + prefix;
      ++chunks;
      reading.records += base::load_be<std::uint32_t>(header + 4);
      if (!plan.look) return;
      streamproto::Entries entries(frame.body.subspan(prefix + streamproto::chunk_header_bytes));
      for (streamproto::EntryView entry; entries.next(entry);) reading.wanted += is_wanted(entry.data);
    });
    reading.chunks += chunks;
    if (chunks == 0) continue;
    streamproto::Credit credit;
    credit.credit = chunks;
    link.send(credit);
  }
  reading.seconds = now_seconds() - began;
  link.call<streamproto::UnsubscribeResponse>(streamproto::Unsubscribe{});
  return reading;
}

// Whole readings, one after the other, for the time of the settings.
Measurement read_for_a_while(const Settings& settings, const ReadPlan& plan, Reading& sum) {
  Link link(settings.broker);
  const std::array links{&link};
  Meter meter(settings);
  meter.start(links);
  std::uint64_t readings = 0;
  do {
    const Reading one = read_stream(link, settings, plan);
    sum.records += one.records;
    sum.wanted += one.wanted;
    sum.chunks += one.chunks;
    sum.seconds += one.seconds;
    ++readings;
  } while (meter.elapsed() < settings.seconds);
  Measurement measured = meter.stop(links, plan.until == Until::all ? sum.records : sum.wanted);
  measured.more.emplace_back("readings", static_cast<double>(readings));
  measured.more.emplace_back("chunks", static_cast<double>(sum.chunks) / static_cast<double>(readings));
  measured.more.emplace_back("seconds_per_reading", sum.seconds / static_cast<double>(readings));
  return measured;
}

Measurement replay(const Settings& settings) {
  const std::string stream = "bench-replay";
  Link link(settings.broker);
  recreate_stream(link, stream);
  PublishPlan plan;
  plan.stream = stream;
  plan.messages_max = settings.messages;
  publish_all(settings.broker, plan);
  Reading sum;
  Measurement measured = read_for_a_while(settings, {stream, settings.messages}, sum);
  delete_stream(link, stream);
  return measured;
}

// Frames of one to ten messages, each confirmed before the next is sent: a broker that makes a chunk of what
// arrived makes chunks of one to ten messages.
Measurement replay_small_chunks(const Settings& settings) {
  const std::string stream = "bench-small-chunks";
  Link link(settings.broker);
  recreate_stream(link, stream);
  std::uint64_t messages = 0;
  {
    Link publishing(settings.broker);
    PublishPlan plan;
    plan.stream = stream;
    Publisher publisher(publishing, 0, plan);
    const base::ByteBuffer body(100, 'x');
    const std::array links{&publishing};
    for (std::uint64_t chunk = 0; chunk < settings.small_chunks; ++chunk) {
      streamproto::PublishFrameWriter frame(publishing.out(), 0, 1);
      const std::uint64_t count = 1 + chunk * 7 % 10;
      for (std::uint64_t i = 0; i < count; ++i) frame.add(++messages, body);
      frame.finish();
      publishing.flush();
      while (publisher.confirmed() < messages) {
        serve(links, second_ns, [&](std::size_t, const Frame& confirm) { publisher.on_frame(confirm); });
      }
    }
  }
  Reading sum;
  Measurement measured = read_for_a_while(settings, {stream, messages}, sum);
  measured.more.emplace_back("messages_per_chunk",
                             static_cast<double>(sum.records) / static_cast<double>(sum.chunks));
  delete_stream(link, stream);
  return measured;
}

// Publishes, reads everything and picks the wanted messages on the client for comparison, then reads
// filtered. What is stored has about the same size for all sizes of message.
Measurement filtered_reading(const Settings& settings, PublishPlan plan,
                             streamproto::Properties arguments = {}) {
  const std::string stream = "bench-filtered";
  Link link(settings.broker);
  if (!link.filters_supported()) return {.supported = false};
  recreate_stream(link, stream, std::move(arguments));
  std::uint64_t wanted = 0;
  plan.stream = stream;
  plan.messages_max = settings.messages * 100 / plan.message_bytes;
  for (std::uint64_t i = 0; i < plan.messages_max; ++i) wanted += plan.filter_value(i) == wanted_value;
  const std::uint64_t stored = plan.messages_max;
  const std::uint32_t bytes = plan.message_bytes;
  publish_all(settings.broker, plan);
  Reading whole;
  const Measurement unfiltered =
      read_for_a_while(settings, {.stream = stream, .messages = stored, .look = true}, whole);
  Reading sum;
  Measurement measured =
      read_for_a_while(settings, {stream, wanted, Until::wanted, {{"filter.0", wanted_value}}, true}, sum);
  const auto per_reading = [](const Measurement& m, double value) { return value / m.more[0].second; };
  const double seconds = per_reading(measured, measured.seconds);
  const double bytes_on_wire = static_cast<double>(measured.bytes_in);
  measured.more.emplace_back("credit", settings.filter_credit);
  measured.more.emplace_back("wanted", static_cast<double>(wanted));
  measured.more.emplace_back("received", static_cast<double>(sum.records) / measured.more[0].second);
  measured.more.emplace_back("wire_bytes_per_wanted_byte",
                             bytes_on_wire / (static_cast<double>(sum.wanted) * bytes));
  measured.more.emplace_back("unfiltered_seconds", per_reading(unfiltered, unfiltered.seconds));
  measured.more.emplace_back("times_faster", per_reading(unfiltered, unfiltered.seconds) / seconds);
  const double broker_cpu = per_reading(measured, measured.broker_cpu_seconds);
  if (broker_cpu > 0) {
    measured.more.emplace_back("times_less_broker_cpu",
                               per_reading(unfiltered, unfiltered.broker_cpu_seconds) / broker_cpu);
  }
  delete_stream(link, stream);
  return measured;
}

constexpr std::array<std::string_view, 8> other_values{"AR", "BR", "CN", "DE", "ES", "FR", "GB", "JP"};

// Every `one_in`-th message is wanted.
template <std::uint64_t one_in, std::uint32_t message_bytes = 100>
Measurement filtered_evenly(const Settings& settings) {
  PublishPlan plan;
  plan.message_bytes = message_bytes;
  plan.filter_value = [](std::uint64_t i) {
    return i % one_in == one_in / 2 ? wanted_value : other_values[i % other_values.size()];
  };
  return filtered_reading(settings, std::move(plan));
}

// About a hundred segments; the wanted messages fill one of them.
Measurement filtered_clustered(const Settings& settings) {
  const std::uint64_t segment_bytes = std::max<std::uint64_t>(1'000'000, settings.messages * 104 / 100);
  const std::string text = std::to_string(segment_bytes);
  const std::uint64_t from = settings.messages / 2;
  const std::uint64_t to = from + settings.messages / 100;
  PublishPlan plan;
  plan.filter_value = [from, to](std::uint64_t i) {
    return i >= from && i < to ? wanted_value : other_values[i % other_values.size()];
  };
  return filtered_reading(settings, std::move(plan), {{"stream-max-segment-size-bytes", text}});
}

constexpr std::array replays{
    Scenario{"replay", "a stored stream from first to last", replay},
    Scenario{"replay-small-chunks", "chunks of one to ten messages", replay_small_chunks},
};
constexpr std::array filters{
    Scenario{"filtered-0.1", "0.1 % of the messages wanted, spread evenly", filtered_evenly<1000>},
    Scenario{"filtered-1", "1 % wanted, spread evenly", filtered_evenly<100>},
    Scenario{"filtered-1-1k", "the same with 1,000-byte messages", filtered_evenly<100, 1000>},
    Scenario{"filtered-10", "10 % wanted, spread evenly", filtered_evenly<10>},
    Scenario{"filtered-50", "50 % wanted, spread evenly", filtered_evenly<2>},
    Scenario{"filtered-clustered", "1 % wanted, all in 1 % of the segments", filtered_clustered},
};

}  // namespace

std::span<const Scenario> replay_scenarios() {
  return replays;
}
std::span<const Scenario> filter_scenarios() {
  return filters;
}

}  // namespace sluice::bench
