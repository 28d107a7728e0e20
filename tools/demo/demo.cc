// SPDX-License-Identifier: Apache-2.0
// The C++ half of `tools/run demo` (tools/demo/demo.py starts it and prints the table):
//
//   sluice-demo publish --port P --cities FILE --events N    creates the superstream and fills it
//   sluice-demo replay --port P --query NAME --wanted N      reads all partitions from the first offset
//
// On standard output it writes lines for its caller: "progress DONE OF", and at the end "result {json}".
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "client/environment.h"
#include "client/superstream.h"
#include "telemetry.h"

namespace {

using namespace sluice::client;
using namespace sluice::demo;
using sluice::base::Result;
using SteadyClock = std::chrono::steady_clock;

constexpr const char* super_stream = "telemetry";
constexpr std::uint32_t partitions = 4;
constexpr std::uint64_t segment_bytes = 4 * 1000 * 1000;  // small, so that a short demo has many

struct Options {
  std::string command, cities, query;
  std::uint16_t port = 5552;
  std::uint64_t events = 1'000'000;
  std::uint64_t wanted = 0;
};

Options parse(int count, char** words) {
  if (count < 2) throw std::runtime_error("usage: sluice-demo publish|replay --port P ...");
  Options options;
  options.command = words[1];
  for (int i = 2; i + 1 < count; i += 2) {
    const std::string name = words[i], value = words[i + 1];
    if (name == "--port")
      options.port = static_cast<std::uint16_t>(std::stoul(value));
    else if (name == "--cities")
      options.cities = value;
    else if (name == "--query")
      options.query = value;
    else if (name == "--events")
      options.events = std::stoull(value);
    else if (name == "--wanted")
      options.wanted = std::stoull(value);
    else
      throw std::runtime_error("unknown argument " + name);
  }
  return options;
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// Tells how far it is, a few times a second.
class Progress {
 public:
  explicit Progress(std::uint64_t total) : total_(total) {}
  void at(std::uint64_t done) {
    if (done % 1024 != 0 && done != total_) return;
    const auto now = SteadyClock::now();
    if (now < next_ && done != total_) return;
    next_ = now + std::chrono::milliseconds(100);
    std::printf("progress %llu %llu\n", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(total_));
    std::fflush(stdout);
  }

 private:
  std::uint64_t total_;
  SteadyClock::time_point next_{};
};

Task<void> publish(std::shared_ptr<Environment> environment, const Options& options) {
  const std::vector<City> cities = read_cities(options.cities);
  const Readings readings(cities);
  StreamOptions stream;
  stream.max_segment_bytes = segment_bytes;
  must(co_await environment->create_super_stream(super_stream, partitions, stream));
  SuperStreamProducerOptions producing;
  producing.super_stream = super_stream;
  producing.producer.unconfirmed_messages_max = 20'000;
  auto producer = must(co_await SuperStreamProducer::create(environment, producing));

  std::map<std::string, std::uint64_t> wanted;
  std::uint64_t bytes = 0;
  std::uint64_t confirmed = 0, refused = 0;
  Progress progress(options.events);
  const auto start = SteadyClock::now();
  const auto count = [&](const Confirmation& confirmation) {
    confirmation.outcome ? ++confirmed : ++refused;
    progress.at(confirmed);
  };
  for (std::uint64_t number = 0; number < options.events; ++number) {
    const Reading reading = readings.at(number);
    for (const Query& query : queries()) wanted[query.name] += query.wants(reading);
    Producer* partition = producer->open_producer(reading.city->id);
    if (partition == nullptr) partition = must(co_await producer->route(reading.city->id)).front().get();
    if (!partition->has_room()) must(co_await partition->wait_for_room());
    const sluice::base::ByteBuffer body = encode(reading);
    bytes += body.size();
    must(partition->publish(body, {.filter_value = reading.city->country}, count));
  }
  must(co_await producer->wait_for_confirms());
  const double seconds = seconds_since(start);
  if (refused != 0) throw std::runtime_error(std::to_string(refused) + " messages were refused");
  std::string counts;
  for (const auto& [name, number] : wanted) {
    counts += (counts.empty() ? "" : ",") + ("\"" + name + "\":" + std::to_string(number));
  }
  std::printf("result {\"confirmed\":%llu,\"bytes\":%llu,\"seconds\":%.3f,\"cities\":%zu,\"wanted\":{%s}}\n",
              static_cast<unsigned long long>(confirmed), static_cast<unsigned long long>(bytes), seconds,
              cities.size(), counts.c_str());
  must(co_await producer->close());
}

Task<void> replay(std::shared_ptr<Environment> environment, const Options& options) {
  const Query* query = nullptr;
  for (const Query& each : queries()) {
    if (each.name == options.query) query = &each;
  }
  if (query == nullptr) throw std::runtime_error("no query " + options.query);
  std::uint64_t matched = 0, wrong = 0;
  ConsumerOptions reading;
  reading.stream = super_stream;
  reading.start = OffsetSpec::first();
  if (!query->expression.empty()) {
    reading.filter = FilterOptions{.expression = query->expression, .field = "country"};
  } else if (!query->country.empty()) {
    reading.filter = FilterOptions{.values = {query->country}};
  }
  Progress progress(options.wanted);
  asio::steady_timer done(environment->executor(), SteadyClock::time_point::max());
  const bool filtered = reading.filter.has_value();
  const auto start = SteadyClock::now();
  auto consumer =
      must(co_await SuperStreamConsumer::create(environment, reading, [&](const Delivery& delivery) {
        if (filtered && !query->wants(delivery.body)) {
          ++wrong;
          return;
        }
        progress.at(++matched);
        if (matched == options.wanted) done.cancel();
      }));
  if (matched < options.wanted) {
    done.expires_after(std::chrono::seconds(120));
    boost::system::error_code ignored;
    co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  const double seconds = seconds_since(start);
  const ConsumerCounters counters = consumer->counters();
  must(co_await consumer->close());
  std::printf(
      "result {\"matched\":%llu,\"received\":%llu,\"wrong\":%llu,\"wire_bytes\":%llu,\"frames\":%llu,"
      "\"seconds\":%.4f}\n",
      static_cast<unsigned long long>(matched), static_cast<unsigned long long>(counters.messages_received),
      static_cast<unsigned long long>(wrong), static_cast<unsigned long long>(environment->bytes_received()),
      static_cast<unsigned long long>(counters.chunks), seconds);
  if (matched != options.wanted) throw std::runtime_error("not everything wanted came");
}

}  // namespace

int main(int count, char** words) {
  int exit_code = 1;
  try {
    const Options options = parse(count, words);
    asio::io_context io{1};
    EnvironmentOptions connecting;
    connecting.endpoints[0].port = options.port;
    connecting.connection_name = "demo " + options.command;
    auto environment = Environment::create(io.get_executor(), connecting);
    auto work = options.command == "publish" ? publish(environment, options) : replay(environment, options);
    asio::co_spawn(io, std::move(work), [&](const std::exception_ptr& error) {
      try {
        if (error) std::rethrow_exception(error);
        exit_code = 0;
      } catch (const std::exception& e) {
        std::fprintf(stderr, "sluice-demo: %s\n", e.what());
      }
      asio::co_spawn(io, environment->close(), [&](const std::exception_ptr&) { io.stop(); });
    });
    io.run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sluice-demo: %s\n", e.what());
  }
  return exit_code;
}
