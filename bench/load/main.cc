// SPDX-License-Identifier: Apache-2.0
// bench_load: named load scenarios against any broker that speaks the native stream protocol or AMQP 0-9-1.
// One thread. Prints a table; with --json one line per scenario for bench/compare and bench/results.
#include <algorithm>
#include <cxxopts.hpp>

#include "scenario.h"

namespace sluice::bench {
namespace {

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all;
  for (const auto list : {publish_scenarios(), replay_scenarios(), filter_scenarios(), amqp_flow_scenarios(),
                          amqp_scale_scenarios(), amqp_compaction_scenarios()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

// By name, or by a prefix that is no name itself ("publish", "filtered").
bool is_chosen(const Scenario& scenario, const std::vector<std::string>& wanted) {
  const std::vector<Scenario> all = all_scenarios();
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
           const bool exact =
               std::any_of(all.begin(), all.end(), [&](const Scenario& s) { return s.name == name; });
           return exact ? scenario.name == name : scenario.name.starts_with(name);
         });
}

double rate(std::uint64_t messages, double seconds) {
  return seconds > 0 ? static_cast<double>(messages) / seconds : 0;
}

void print_json(std::string_view name, const Measurement& m) {
  fmt::print("{{\"scenario\":\"{}\",\"supported\":{}", name, m.supported);
  const auto number = [](std::string_view key, double value) { fmt::print(",\"{}\":{:.6g}", key, value); };
  const auto whole = [](std::string_view key, std::uint64_t value) { fmt::print(",\"{}\":{}", key, value); };
  whole("messages", m.messages);
  number("seconds", m.seconds);
  number("messages_per_s", rate(m.messages, m.seconds));
  number("client_cpu_s", m.client_cpu_seconds);
  number("broker_cpu_s", m.broker_cpu_seconds);
  number("messages_per_client_cpu_s", rate(m.messages, m.client_cpu_seconds));
  number("messages_per_broker_cpu_s", rate(m.messages, m.broker_cpu_seconds));
  whole("bytes_in", m.bytes_in);
  whole("bytes_out", m.bytes_out);
  whole("rss_bytes", m.memory.rss_bytes);
  whole("rss_peak_bytes", m.memory.rss_peak_bytes);
  for (const auto& [key, value] : m.more) number(key, value);
  fmt::print("}}\n");
}

void print_row(std::string_view name, const Measurement& m) {
  if (!m.supported) return fmt::print("{:<22} not supported by this broker\n", name);
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1048576; };
  fmt::print("{:<22} {:>10.0f} {:>12.0f} {:>12.0f} {:>7.2f} {:>7.2f} {:>9.1f} {:>9.1f} {:>7.0f}", name,
             rate(m.messages, m.seconds), rate(m.messages, m.broker_cpu_seconds),
             rate(m.messages, m.client_cpu_seconds), m.broker_cpu_seconds, m.seconds, mib(m.bytes_in),
             mib(m.bytes_out), mib(m.memory.rss_peak_bytes));
  for (const auto& [key, value] : m.more) fmt::print("  {}={:.4g}", key, value);
  fmt::print("\n");
}

int run(int argc, char** argv) {
  cxxopts::Options options("bench_load", "load scenarios for brokers");
  Settings settings;
  options.add_options()("host", "broker", cxxopts::value(settings.broker.host)->default_value("127.0.0.1"))(
      "port", "stream port", cxxopts::value(settings.broker.port)->default_value("5552"))(
      "amqp-port", "AMQP port", cxxopts::value(settings.broker.amqp_port)->default_value("5672"))(
      "broker-pid", "process whose CPU and memory are read",
      cxxopts::value(settings.broker.pid)->default_value("0"))(
      "user", "", cxxopts::value(settings.broker.user)->default_value("guest"))(
      "password", "", cxxopts::value(settings.broker.password)->default_value("guest"))(
      "scenario", "names or prefixes, with commas",
      cxxopts::value<std::vector<std::string>>()->default_value(""))(
      "seconds", "of measuring", cxxopts::value(settings.seconds)->default_value("5"))(
      "messages", "stored for replays", cxxopts::value(settings.messages)->default_value("2000000"))(
      "small-chunks", "stored for replay-small-chunks",
      cxxopts::value(settings.small_chunks)->default_value("30000"))(
      "frame-messages", "per Publish", cxxopts::value(settings.frame_messages)->default_value("100"))(
      "window", "unconfirmed messages per publisher",
      cxxopts::value(settings.window_messages)->default_value("10000"))(
      "credit", "initial credit of readers", cxxopts::value(settings.credit)->default_value("10"))(
      "filter-credit", "initial credit of filtered readers",
      cxxopts::value(settings.filter_credit)->default_value("200"))(
      "kept-mib", "kept of streams that are published to; 0: all",
      cxxopts::value(settings.kept_mib)->default_value("128"))(
      "prefetch", "of AMQP consumers", cxxopts::value(settings.prefetch)->default_value("1000"))(
      "ack-every", "deliveries an AMQP consumer acknowledges at once",
      cxxopts::value(settings.ack_every)->default_value("100"))(
      "backlog-messages", "filled into a queue and drained",
      cxxopts::value(settings.backlog_messages)->default_value("500000"))(
      "connections", "idle ones", cxxopts::value(settings.connections)->default_value("5000"))(
      "queues", "with a message a second each, and idle ones",
      cxxopts::value(settings.queues)->default_value("10000"))("json", "one JSON line per scenario")(
      "list", "print the scenarios")("help", "print this");
  const auto parsed = options.parse(argc, argv);
  if (parsed.count("help") != 0) return fmt::print("{}", options.help()), 0;
  const auto wanted = parsed["scenario"].as<std::vector<std::string>>();
  const bool json = parsed.count("json") != 0;
  if (!json && parsed.count("list") == 0) {
    fmt::print("{:<22} {:>10} {:>12} {:>12} {:>7} {:>7} {:>9} {:>9} {:>7}\n", "scenario", "msg/s",
               "msg/broker-s", "msg/client-s", "cpu s", "time s", "MiB in", "MiB out", "peakMiB");
  }
  bool any = false;
  for (const Scenario& scenario : all_scenarios()) {
    if (parsed.count("list") != 0) {
      fmt::print("{:<22} {}\n", scenario.name, scenario.doc);
      any = true;
      continue;
    }
    if (!is_chosen(scenario, wanted)) continue;
    any = true;
    const Measurement measured = scenario.run(settings);
    json ? print_json(scenario.name, measured) : print_row(scenario.name, measured);
    std::fflush(stdout);
  }
  if (!any) die("no such scenario; --list names them");
  return 0;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  try {
    return sluice::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 2;
  }
}
