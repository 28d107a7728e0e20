// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "support/temp_directory.h"

using namespace sluice;

namespace {

const char* nothing(const char*) {
  return nullptr;
}

}  // namespace

// Leaves the fresh text in place, so that a second run passes and the change can be committed.
TEST_CASE("docs/config.md is fresh") {
  const char* top = std::getenv("SLUICE_SOURCE_DIR");  // set by ctest; by hand, run from the top
  const auto page = std::filesystem::path(top != nullptr ? top : ".") / "docs/config.md";
  std::ifstream in(page);
  const std::string found{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::string wanted = server::Config().reference();
  if (found != wanted) std::ofstream(page) << wanted;
  CHECK((found == wanted));
}

TEST_CASE("no key is declared twice") {
  const server::Config config;
  std::set<std::string_view> seen;
  for (const auto& entry : config.all().entries()) {
    INFO(entry.key);
    CHECK(seen.insert(entry.key).second);
    CHECK_FALSE(entry.doc.empty());
  }
}

TEST_CASE("a file for RabbitMQ is read, with what has no effect named") {
  const test::TempDirectory dir;
  std::ofstream(dir.file("rabbitmq.conf")) << "listeners.tcp.default = 5673\n"
                                              "stream.listeners.tcp.1 = 0.0.0.0:6000\n"
                                              "prometheus.tcp.port = 127.0.0.1:0\n"
                                              "vm_memory_high_watermark.relative = 0.6\n"
                                              "management.tcp.port = 15672\n";
  server::Config config;
  const auto report = config.read(dir.file("rabbitmq.conf"), {"stream.heartbeat=30"}, nothing);
  CHECK(report.errors == std::vector<std::string>{});
  CHECK(report.warnings.size() == 1);
  CHECK(config.server.stream_listeners.list == std::vector<base::Listener>{{"0.0.0.0", 6000}});
  CHECK(config.server.prometheus->host == "127.0.0.1");
  CHECK(config.stream.heartbeat == 30);
}

TEST_CASE("a part of the memory is at most all of it") {
  const test::TempDirectory dir;
  std::ofstream(dir.file("rabbitmq.conf")) << "vm_memory_high_watermark.relative = 7\n"
                                              "disk_free_limit.relative = 2.0\n";
  server::Config config;
  const auto report = config.read(dir.file("rabbitmq.conf"), {}, nothing);
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0].ends_with(
      "rabbitmq.conf:1: vm_memory_high_watermark.relative = 7: give a number from 0 to 1, "
      "such as 0.6"));
}

TEST_CASE("an absent file is an error that names it") {
  server::Config config;
  const auto report = config.read("/absent/sluice.conf", {}, nothing);
  REQUIRE(report.errors.size() == 1);
  CHECK(report.errors[0] ==
        "cannot read the configuration file /absent/sluice.conf: No such file or directory");
}
