// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "runtime/system_error.h"

namespace sluice::server {

Config::Config() {
  all_.add(server);
  all_.add(amqp);
  all_.add(stream);
  all_.add(broker);
  all_.add(runtime);
  all_.add(log);
}

base::ConfigReport Config::read(const std::string& file, const std::vector<std::string>& set,
                                const base::OptionSet::Environment& environment) {
  base::ConfigReport report;
  if (!file.empty()) {
    errno = 0;
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    // Through the stream, which takes note of errors: an iterator over its buffer throws, for a directory.
    if (in.is_open() && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
    if (!in.is_open() || in.bad()) {
      report.errors.push_back(fmt::format("cannot read the configuration file {}: {}", file,
                                          runtime::system_text(errno == 0 ? EIO : errno)));
    } else {
      all_.read_text(text.str(), file, environment, report);
    }
  }
  for (const std::string& line : set) all_.read_text(line, "--set", environment, report);
  all_.read_environment(environment, report);
  return report;
}

std::string Config::reference() const {
  return "# Configuration\n\n"
         "`sluice --config FILE` reads RabbitMQ's `rabbitmq.conf` as it is: one `key = value` a line, `#` "
         "begins a "
         "comment,\n`$(NAME)` stands for an environment variable. All wrong keys and values are reported at "
         "once, "
         "with their lines;\nkeys of RabbitMQ that have no effect here are named in a warning. `--set "
         "key=value` "
         "wins over the file. So does the\nenvironment: the variable of `stream.initial_credits` is "
         "`SLUICE_STREAM_INITIAL_CREDITS`. In `.$name` stands any label\n(`stream.listeners.tcp.default`), "
         "in the "
         "environment `_DEFAULT`.\n\n"
         "Sizes are bytes or have a unit (`500MiB`, `1GB`), durations are milliseconds or have one (`30s`, "
         "`7D`).\n"
         "`sluicectl environment` shows the values in effect and where each comes from.\n\n"
         "This page is generated from the declarations in the code.\n\n" +
         all_.reference();
}

}  // namespace sluice::server
