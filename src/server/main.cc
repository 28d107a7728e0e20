// SPDX-License-Identifier: Apache-2.0
// sluice --config FILE --data-dir DIR: reads options, starts the server, says on one line that it serves, and
// waits for SIGTERM or SIGINT. The log goes to standard error. Exit codes: 0 stopped cleanly, 64 wrong
// arguments, 78 wrong configuration, 1 could not start.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cxxopts.hpp>

#include "http/admin_socket.h"
#include "server/server.h"

namespace {

using namespace sluice;

constexpr int exit_usage = 64, exit_config = 78;

struct Arguments {
  std::string config, data_dir;
  std::vector<std::string> set;
};

// Reads argv; ends the process for --help, --version and mistakes.
Arguments read_arguments(int argc, char** argv) {
  const char* from_environment = std::getenv(http::data_dir_variable);
  const std::string data_dir =
      from_environment != nullptr ? from_environment : std::string(http::default_data_dir);
  cxxopts::Options options("sluice", "A stream-first message broker that speaks RabbitMQ's protocols.\n");
  options.add_options()("c,config", "configuration, in the form of rabbitmq.conf (docs/config.md)",
                        cxxopts::value<std::string>()->default_value(""), "FILE")(
      "d,data-dir", "where everything is kept; the environment may say it as SLUICE_DATA_DIR",
      cxxopts::value<std::string>()->default_value(data_dir),
      "DIR")("set", "set an option, over the file; may be given several times",
             cxxopts::value<std::vector<std::string>>(),
             "KEY=VALUE")("version", "print the version")("h,help", "print this help");
  try {
    const auto parsed = options.parse(argc, argv);
    if (parsed.count("help") != 0) {
      fmt::print("{}", options.help());
      std::exit(0);
    }
    if (parsed.count("version") != 0) {
      fmt::print("sluice {}\n", SLUICE_VERSION);
      std::exit(0);
    }
    if (!parsed.unmatched().empty())
      throw std::runtime_error("unknown argument " + parsed.unmatched().front());
    Arguments arguments{parsed["config"].as<std::string>(), parsed["data-dir"].as<std::string>(), {}};
    if (parsed.count("set") != 0) arguments.set = parsed["set"].as<std::vector<std::string>>();
    return arguments;
  } catch (const std::exception& problem) {
    fmt::print(stderr, "sluice: {}; see sluice --help\n", problem.what());
    std::exit(exit_usage);
  }
}

int serve(const server::Config& config, const std::string& data_dir, runtime::SpdLogger& logger) {
  // Blocked before any thread is made, so that only sigwait below takes them.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  auto started = server::Server::start(config, data_dir, logger);
  if (!started) {
    logger.flush();
    fmt::print(stderr, "sluice: cannot start: {}\n", started.error().text);
    return 1;
  }
  server::Server& server = **started;
  fmt::print("{}\n", server.serving_line());
  std::fflush(stdout);
  logger.write(base::LogLevel::info, "server", "Server startup complete", {});

  int signal = 0;
  sigwait(&ends, &signal);
  logger.write(base::LogLevel::info, "server", "stopping",
               {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  server.stop();
  started->reset();
  logger.write(base::LogLevel::info, "server", "stopped", {});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = read_arguments(argc, argv);
  server::Config config;
  const base::ConfigReport report =
      config.read(arguments.config, arguments.set, [](const char* name) { return std::getenv(name); });
  if (!report.errors.empty()) {
    for (const std::string& error : report.errors) fmt::print(stderr, "sluice: {}\n", error);
    return exit_config;
  }
  auto logger = runtime::SpdLogger::open(config.log);
  if (!logger) {
    fmt::print(stderr, "sluice: {}\n", logger.error().text);
    return exit_config;
  }
  for (const std::string& warning : report.warnings) {
    (*logger)->write(base::LogLevel::warning, "config", warning, {});
  }
  return serve(config, arguments.data_dir, **logger);
}
