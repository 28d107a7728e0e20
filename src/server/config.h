// SPDX-License-Identifier: Apache-2.0
// Everything that can be set, from all layers, and how it is read: defaults, then the file, then --set, then
// the environment. The reference page docs/config.md is made from the same declarations.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "amqp/options.h"
#include "base/options.h"
#include "broker/options.h"
#include "runtime/logger.h"
#include "runtime/runtime.h"
#include "stream/options.h"

namespace sluice::server {

struct ServerOptions {
  base::Listeners stream_listeners{{{"127.0.0.1", 5552}}};
  base::Listeners amqp_listeners{{{"127.0.0.1", 5672}}};
  std::optional<base::Listener> prometheus{{"", 15692}};
  std::string prometheus_ip = "127.0.0.1";
  std::string cluster_name;
  base::DurationMs shutdown_patience{10'000};

  static constexpr auto options() {
    using S = ServerOptions;
    using base::option;
    return std::tuple{
        option("stream.listeners.tcp.$name", &S::stream_listeners,
               "where the stream protocol is served; without ip: on 127.0.0.1"),
        option("listeners.tcp.$name", &S::amqp_listeners,
               "where AMQP 0-9-1 is served; without ip: on 127.0.0.1"),
        option("prometheus.tcp.port", &S::prometheus, "where /metrics is served"),
        option("prometheus.tcp.ip", &S::prometheus_ip, "its address when the port is given without one"),
        option("cluster_name", &S::cluster_name, "name of the cluster; empty: the node's name"),
        option("shutdown.patience", &S::shutdown_patience,
               "how long a stop may wait for work in flight before it ends without it",
               base::Range{0, 600'000}),
    };
  }
};

class Config {
 public:
  Config();
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  // `file` empty: none. `set` are `key=value` of the command line. The report's errors are all there are.
  base::ConfigReport read(const std::string& file, const std::vector<std::string>& set,
                          const base::OptionSet::Environment& environment);
  const base::OptionSet& all() const { return all_; }
  // The text of docs/config.md.
  std::string reference() const;

  ServerOptions server;
  runtime::RuntimeOptions runtime;
  runtime::LogOptions log;
  broker::BrokerOptions broker;
  stream::Options stream;
  amqp::Options amqp;

 private:
  base::OptionSet all_;
};

}  // namespace sluice::server
