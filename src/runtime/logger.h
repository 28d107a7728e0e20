// SPDX-License-Identifier: Apache-2.0
// The log of the process over spdlog: to standard error and, when log.file names one, to a file. Plain lines
// look like `2026-08-21 10:11:12.345678+02:00 [info] <stream> message key=value`; with formatter json a line
// is one object with time, level, msg, domain and the fields. Text from outside is escaped, so that a client
// cannot write a line of its own. Safe from any thread.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "base/options.h"
#include "base/ports.h"

namespace spdlog {
class logger;
}

namespace sluice::runtime {

enum class LogThreshold : std::uint8_t { debug, info, warning, error, none };
enum class LogFormatter : std::uint8_t { plaintext, json };

// The first name of a level is ours; the others are RabbitMQ's, and nothing is written at their levels.
constexpr auto enum_names(LogThreshold) {
  using Named = std::pair<std::string_view, LogThreshold>;
  return std::array{Named{"debug", LogThreshold::debug},     Named{"info", LogThreshold::info},
                    Named{"warning", LogThreshold::warning}, Named{"notice", LogThreshold::warning},
                    Named{"error", LogThreshold::error},     Named{"none", LogThreshold::none},
                    Named{"critical", LogThreshold::none},   Named{"alert", LogThreshold::none},
                    Named{"emergency", LogThreshold::none}};
}
constexpr auto enum_names(LogFormatter) {
  using Named = std::pair<std::string_view, LogFormatter>;
  return std::array{Named{"plaintext", LogFormatter::plaintext}, Named{"json", LogFormatter::json}};
}

struct LogOptions {
  bool console = true;
  LogThreshold console_level = LogThreshold::info;
  LogFormatter console_formatter = LogFormatter::plaintext;
  std::string file;
  LogThreshold file_level = LogThreshold::info;
  LogFormatter file_formatter = LogFormatter::plaintext;

  static constexpr auto options() {
    return std::tuple{
        base::option("log.console", &LogOptions::console, "write the log to standard error"),
        base::option("log.console.level", &LogOptions::console_level, "least level written there"),
        base::option("log.console.formatter", &LogOptions::console_formatter, "form of its lines"),
        base::option("log.file", &LogOptions::file, "also write the log to this file, appending"),
        base::option("log.file.level", &LogOptions::file_level, "least level written there"),
        base::option("log.file.formatter", &LogOptions::file_formatter, "form of its lines")};
  }
};

class SpdLogger final : public base::Logger {
 public:
  // Fails when the log file cannot be opened.
  static base::Result<std::unique_ptr<SpdLogger>> open(const LogOptions& options);
  ~SpdLogger() override;

  bool enabled(base::LogLevel level) const override;
  void write(base::LogLevel level, std::string_view domain, std::string_view message,
             std::initializer_list<base::LogField> fields) override;
  void flush();

 private:
  SpdLogger();
  std::shared_ptr<spdlog::logger> plain_, json_;  // the targets of each formatter; null when there are none
};

}  // namespace sluice::runtime
