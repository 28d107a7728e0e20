// SPDX-License-Identifier: Apache-2.0
#include "base/options.h"

#include <array>
#include <catch2/catch.hpp>
#include <cstring>

#include "base/rabbitmq_keys.h"

using namespace sluice;
using namespace std::string_view_literals;

namespace {

enum class Mode : std::uint8_t { written, synced };
constexpr auto enum_names(Mode) {
  return std::array{std::pair{"written"sv, Mode::written}, std::pair{"synced"sv, Mode::synced}};
}

struct Sample {
  std::uint16_t credits = 100;
  bool on = true;
  base::ByteSize size{500 << 20};
  base::DurationMs wait{60'000};
  base::Listeners listeners{{{"127.0.0.1", 5552}}};
  base::NameSet users{{"guest"}};
  std::string name = "sluice";
  Mode mode = Mode::written;

  static constexpr auto options() {
    return std::tuple{base::option("stream.credits", &Sample::credits, "credits", base::Range{1, 1000}),
                      base::option("on", &Sample::on, "on"),
                      base::option("size", &Sample::size, "size", base::Range{16}),
                      base::option("wait", &Sample::wait, "wait"),
                      base::option("stream.listeners.tcp.$name", &Sample::listeners, "listeners"),
                      base::option("loopback_users.$name", &Sample::users, "users"),
                      base::option("name", &Sample::name, "name"),
                      base::option("mode", &Sample::mode, "mode")};
  }
};

const char* environment(const char* name) {
  if (std::strcmp(name, "SLUICE_STREAM_CREDITS") == 0) return "7";
  if (std::strcmp(name, "HOST") == 0) return "10.0.0.1";
  return nullptr;
}

struct Read {
  Sample sample;
  base::OptionSet set;
  base::ConfigReport report;
  explicit Read(std::string_view text) {
    set.add(sample);
    set.read_text(text, "c", environment, report);
  }
};

}  // namespace

TEST_CASE("a configuration file sets values of every type") {
  Read read(
      "# comment\n\n stream.credits = 5 # five\non=false\nsize = 1GB\nwait = 2s\n"
      "stream.listeners.tcp.default = $(HOST):6000\nstream.listeners.tcp.2 = 6001\n"
      "loopback_users.guest = false\nloopback_users.eve = true\nname = 'a b # c'\nmode = synced\n");
  CHECK(read.report.errors == std::vector<std::string>{});
  CHECK(read.report.warnings == std::vector<std::string>{});
  CHECK(read.sample.credits == 5);
  CHECK_FALSE(read.sample.on);
  CHECK(read.sample.size.value == 1'000'000'000);
  CHECK(read.sample.wait.value == 2000);
  CHECK(read.sample.listeners.list == std::vector<base::Listener>{{"10.0.0.1", 6000}, {"", 6001}});
  CHECK(read.sample.users.names == std::vector<std::string>{"eve"});
  CHECK(read.sample.name == "a b # c");
  CHECK(read.sample.mode == Mode::synced);
  CHECK(read.set.entries()[0].source == "c:3");
}

TEST_CASE("none empties listeners and name sets") {
  Read read("stream.listeners.tcp = none\nloopback_users = none\n");
  CHECK(read.report.errors.empty());
  CHECK(read.sample.listeners.list.empty());
  CHECK(read.sample.users.names.empty());
}

TEST_CASE("all wrong lines are reported at once, with line and advice") {
  Read read(
      "stream.credits = 1001\nsize = many\nstream.credit = 4\nlisteners.tcp.default = 5672\n"
      "nonsense\nmode = fast\nname = $(ABSENT)\nstream.listeners.tcp.1 = 70000\nstream.credits = 3\nbogus = "
      "1\n");
  REQUIRE(read.report.errors.size() == 8);
  CHECK(read.report.errors[0] == "c:1: stream.credits = 1001: give a whole number from 1 to 1000");
  CHECK(read.report.errors[1] == "c:2: size = many: give a size such as 4096, 500MiB or 1GB, at least 16");
  CHECK(read.report.errors[2] ==
        "c:3: unknown key 'stream.credit', did you mean 'stream.credits'?; docs/config.md lists all keys");
  CHECK(read.report.errors[3] == "c:5: 'nonsense' is not `key = value`; comments begin with #");
  CHECK(read.report.errors[4] == "c:6: mode = fast: give one of written, synced");
  CHECK(read.report.errors[7] == "c:10: unknown key 'bogus'; docs/config.md lists all keys");
  // keys of RabbitMQ without effect and repeated keys are warnings
  REQUIRE(read.report.warnings.size() == 2);
  CHECK(read.report.warnings[0].starts_with("c:4: listeners.tcp.default is a key of RabbitMQ"));
  CHECK(read.report.warnings[1] == "c:9: stream.credits stands in line 1 already; the later line wins");
  CHECK(read.sample.credits == 3);
}

TEST_CASE("the environment wins over the file") {
  Read read("stream.credits = 5\n");
  read.set.read_environment(environment, read.report);
  CHECK(read.sample.credits == 7);
  CHECK(read.set.entries()[0].source == "SLUICE_STREAM_CREDITS");
  CHECK(read.set.entries()[4].environment_name() == "SLUICE_STREAM_LISTENERS_TCP_DEFAULT");
}

TEST_CASE("sizes, durations and listeners have their forms") {
  CHECK(base::parse_byte_size("500MiB")->value == 500u << 20);
  CHECK(base::parse_byte_size("1 GB")->value == 1'000'000'000);
  CHECK_FALSE(base::parse_byte_size("9223372036854775807GB"));
  CHECK_FALSE(base::parse_byte_size("-1"));
  CHECK(base::parse_duration("7D")->value == 604'800'000);
  CHECK_FALSE(base::parse_duration("soon"));
  CHECK(base::parse_ratio("0.6")->value == 0.6);
  CHECK(base::parse_ratio("1")->value == 1);
  for (const auto* wrong : {"", "-1", "nan", "inf", "0.6x", "101"}) CHECK_FALSE(base::parse_ratio(wrong));
  CHECK(base::to_text(*base::parse_listener("[::1]:80")) == "[::1]:80");
  CHECK_FALSE(base::parse_listener(":80"));
}

TEST_CASE("keys of RabbitMQ are known by pattern") {
  CHECK(base::is_rabbitmq_key("listeners.ssl.1"));
  CHECK(base::is_rabbitmq_key("ssl_options.versions.1"));
  CHECK_FALSE(base::is_rabbitmq_key("listeners.ssl.1.2"));
  CHECK_FALSE(base::is_rabbitmq_key("ssl_options."));
  CHECK_FALSE(base::is_rabbitmq_key("frame_maximum"));
}
