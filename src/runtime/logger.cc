// SPDX-License-Identifier: Apache-2.0
#include "runtime/logger.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace sluice::runtime {
namespace {

spdlog::level::level_enum level_of(base::LogLevel level) {
  switch (level) {
    case base::LogLevel::debug:
      return spdlog::level::debug;
    case base::LogLevel::info:
      return spdlog::level::info;
    case base::LogLevel::warning:
      return spdlog::level::warn;
    case base::LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::level::level_enum level_of(LogThreshold threshold) {
  return threshold == LogThreshold::none ? spdlog::level::off
                                         : level_of(static_cast<base::LogLevel>(threshold));
}

// Escapes quotes, backslashes and control characters as JSON does; good for both forms.
void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      if (quotes && (c == '"' || c == '\\')) out.push_back('\\');
      out.push_back(c);
    }
  }
}

std::string plain_line(std::string_view domain, std::string_view message,
                       std::initializer_list<base::LogField> fields) {
  std::string line = fmt::format("<{}> ", domain);
  append_escaped(line, message, false);
  for (const base::LogField& field : fields) {
    line.append(" ").append(field.key).append("=");
    const bool quoted = field.value.empty() || field.value.find_first_of(" \"=") != std::string::npos;
    if (quoted) line.push_back('"');
    append_escaped(line, field.value, quoted);
    if (quoted) line.push_back('"');
  }
  return line;
}

std::string json_line(std::string_view domain, std::string_view message,
                      std::initializer_list<base::LogField> fields) {
  std::string line = fmt::format(R"("domain":"{}","msg":")", domain);
  append_escaped(line, message, true);
  line.push_back('"');
  for (const base::LogField& field : fields) {
    line.append(",\"").append(field.key).append("\":\"");
    append_escaped(line, field.value, true);
    line.push_back('"');
  }
  return line;
}

}  // namespace

SpdLogger::SpdLogger() = default;
SpdLogger::~SpdLogger() {
  flush();
}

base::Result<std::unique_ptr<SpdLogger>> SpdLogger::open(const LogOptions& options) {
  std::vector<spdlog::sink_ptr> plain, json;
  const auto add = [&](spdlog::sink_ptr sink, LogThreshold threshold, LogFormatter formatter) {
    sink->set_level(level_of(threshold));
    (formatter == LogFormatter::json ? json : plain).push_back(std::move(sink));
  };
  if (options.console) {
    add(std::make_shared<spdlog::sinks::stderr_sink_mt>(), options.console_level, options.console_formatter);
  }
  if (!options.file.empty()) {
    try {
      add(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file), options.file_level,
          options.file_formatter);
    } catch (const spdlog::spdlog_ex& problem) {
      return base::fail(base::Errc::io_failed,
                        fmt::format("cannot open the log file (log.file): {}", problem.what()));
    }
  }
  const auto make = [](std::vector<spdlog::sink_ptr>& sinks, const char* pattern) {
    if (sinks.empty()) return std::shared_ptr<spdlog::logger>();
    auto lowest = spdlog::level::off;
    for (const auto& sink : sinks) lowest = std::min(lowest, sink->level());
    auto made = std::make_shared<spdlog::logger>("sluice", sinks.begin(), sinks.end());
    made->set_pattern(pattern);
    made->set_level(lowest);
    made->flush_on(spdlog::level::warn);
    return made;
  };
  std::unique_ptr<SpdLogger> logger(new SpdLogger());
  logger->plain_ = make(plain, "%Y-%m-%d %H:%M:%S.%f%z [%l] %v");
  logger->json_ = make(json, R"({"time":"%Y-%m-%d %H:%M:%S.%f%z","level":"%l",%v})");
  return logger;
}

bool SpdLogger::enabled(base::LogLevel level) const {
  return (plain_ && plain_->should_log(level_of(level))) || (json_ && json_->should_log(level_of(level)));
}

void SpdLogger::write(base::LogLevel level, std::string_view domain, std::string_view message,
                      std::initializer_list<base::LogField> fields) {
  if (plain_ && plain_->should_log(level_of(level))) {
    plain_->log(level_of(level), "{}", plain_line(domain, message, fields));
  }
  if (json_ && json_->should_log(level_of(level))) {
    json_->log(level_of(level), "{}", json_line(domain, message, fields));
  }
}

void SpdLogger::flush() {
  if (plain_) plain_->flush();
  if (json_) json_->flush();
}

}  // namespace sluice::runtime
