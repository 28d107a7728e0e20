// SPDX-License-Identifier: Apache-2.0
// The whole server, plugged together: data directory, runtime, one broker per shard, AMQP and stream
// sessions, metrics, administration. Made, run and destroyed by main.
//
// Order matters and is the order of the members: what stands later uses what stands before and goes first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "amqp/session.h"
#include "broker/shard_set.h"
#include "http/commands.h"
#include "http/prometheus.h"
#include "http/session.h"
#include "runtime/data_directory.h"
#include "runtime/disk.h"
#include "server/config.h"
#include "stream/session.h"

namespace sluice::server {

class Server {
 public:
  // `config` and `logger` outlive the server. The error says what to do.
  static base::Result<std::unique_ptr<Server>> start(const Config& config, const std::string& data_dir,
                                                     base::Logger& logger);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "sluice 0.1.0 serving streams on 127.0.0.1:5552, ..."
  std::string serving_line() const;
  // Closes listeners and connections, lets work in flight end, flushes and closes all logs.
  void stop();

 private:
  Server(const Config& config, base::Logger& logger) : config_(config), logger_(logger) {}
  base::Result<> open(const std::string& data_dir);
  base::Result<> open_brokers();
  base::Result<> listen();
  void describe_node(const std::string& data_dir);
  http::NodeUsage usage();
  runtime::SessionFactory stream_sessions();
  runtime::SessionFactory amqp_sessions();
  runtime::SessionFactory http_sessions(const http::Handler& handler);

  // What a shard's turn calls.
  class BrokerHook final : public runtime::TurnHook {
   public:
    explicit BrokerHook(broker::Broker& broker) : broker_(broker) {}
    void on_turn_end() override { broker_.on_turn_end(); }
    void on_tick(std::int64_t monotonic_ms) override { broker_.on_tick(monotonic_ms); }

   private:
    broker::Broker& broker_;
  };
  // What lives on one shard.
  struct ShardParts {
    std::unique_ptr<broker::Broker> broker;
    stream::Metrics stream_metrics;
    amqp::Metrics amqp_metrics;
    http::Metrics http_metrics;
    std::unique_ptr<BrokerHook> hook;
    std::unique_ptr<stream::Context> stream_context;
    std::unique_ptr<amqp::Context> amqp_context;
  };

  const Config& config_;
  base::Logger& logger_;
  std::unique_ptr<runtime::DataDirectory> directory_;
  runtime::RealDisk disk_;
  base::MetricsRegistry registry_;
  stream::Node stream_node_;
  amqp::Node amqp_node_;
  http::Node node_;
  std::int64_t started_ms_ = 0;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::unique_ptr<broker::ShardSet> brokers_;
  std::vector<std::unique_ptr<ShardParts>> shards_;
  std::unique_ptr<http::Commands> commands_;
  http::Handler metrics_handler_, command_handler_;
};

}  // namespace sluice::server
