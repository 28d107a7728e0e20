// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "http/admin_socket.h"
#include "runtime/process_stats.h"

namespace sluice::server {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

}  // namespace

base::Result<std::unique_ptr<Server>> Server::start(const Config& config, const std::string& data_dir,
                                                    base::Logger& logger) {
  std::unique_ptr<Server> server(new Server(config, logger));
  TRY_VOID(server->open(data_dir));
  return server;
}

base::Result<> Server::open(const std::string& data_dir) {
  TRY(directory, runtime::DataDirectory::take(data_dir));
  directory_ = std::move(directory);
  runtime_ = std::make_unique<runtime::Runtime>(config_.runtime, disk_, logger_);
  started_ms_ = runtime_->clock().monotonic_ms();
  describe_node(data_dir);
  TRY_VOID(open_brokers());
  TRY_VOID(listen());
  runtime_->start();
  return {};
}

void Server::describe_node(const std::string& data_dir) {
  node_.name = "sluice@" + host_name();
  node_.cluster = config_.server.cluster_name.empty() ? node_.name : config_.server.cluster_name;
  node_.version = SLUICE_VERSION;
  node_.data_dir = data_dir;
  node_.pid = ::getpid();
  node_.shards = runtime_->shard_count();
  node_.administrator = {config_.broker.default_user, {"administrator"}};
  node_.registry = &registry_;
  node_.usage = [this] { return usage(); };
  for (const base::OptionSet::Entry& entry : config_.all().entries()) {
    node_.settings.push_back({std::string(entry.key), entry.value_text(), entry.default_text, entry.source});
  }
  stream_node_.options = config_.stream;
  stream_node_.cluster_name = node_.cluster;
  stream_node_.sluice_version = node_.version;
  amqp_node_.options = config_.amqp;
  amqp_node_.cluster_name = node_.cluster;
  amqp_node_.sluice_version = node_.version;
}

http::NodeUsage Server::usage() {
  const runtime::ProcessStats stats = runtime::read_process_stats();
  http::NodeUsage usage;
  usage.resident_bytes = stats.resident_bytes;
  usage.memory_total_bytes = stats.memory_total_bytes;
  usage.open_files = stats.open_files;
  usage.open_files_max = stats.open_files_max;
  usage.cpu_seconds = stats.cpu_seconds;
  usage.disk_free_bytes = disk_.free_bytes(node_.data_dir).value_or(0);
  usage.uptime_seconds = static_cast<double>(runtime_->clock().monotonic_ms() - started_ms_) / 1000;
  return usage;
}

base::Result<> Server::open_brokers() {
  broker::BrokerOptions options = config_.broker;
  options.node_name = node_.name;
  options.data_dir = node_.data_dir;
  runtime_->register_metrics(registry_);
  TRY(set, broker::ShardSet::open(options, runtime_->shard_count(), &registry_));
  brokers_ = std::move(set);
  brokers_->memory_use = [] {
    return broker::MemoryUse{runtime::read_private_bytes(), runtime::read_memory_total_bytes()};
  };
  for (std::uint32_t i = 0; i < runtime_->shard_count(); ++i) {
    auto parts = std::make_unique<ShardParts>();
    TRY(made, broker::create_broker(runtime_->shard(i), *brokers_));
    parts->broker = std::move(made);
    parts->hook = std::make_unique<BrokerHook>(*parts->broker);
    parts->stream_context.reset(
        new stream::Context{runtime_->shard(i), *parts->broker, stream_node_, parts->stream_metrics});
    stream_node_.contexts.push_back(parts->stream_context.get());
    parts->amqp_context = std::make_unique<amqp::Context>(
        runtime_->shard(i), *parts->broker, parts->broker->messaging(), amqp_node_, parts->amqp_metrics);
    amqp_node_.contexts.push_back(parts->amqp_context.get());
    registry_.add(parts->stream_metrics);
    parts->amqp_metrics.add_to(registry_);
    registry_.add(parts->http_metrics);
    runtime_->add_hook(i, *parts->hook);
    shards_.push_back(std::move(parts));
  }
  return {};
}

runtime::SessionFactory Server::stream_sessions() {
  return [this](base::Transport& transport, base::Shard& shard) -> std::unique_ptr<base::Session> {
    return std::make_unique<stream::Session>(*shards_[shard.id.value]->stream_context, transport);
  };
}

runtime::SessionFactory Server::amqp_sessions() {
  return [this](base::Transport& transport, base::Shard& shard) -> std::unique_ptr<base::Session> {
    return std::make_unique<amqp::Session>(*shards_[shard.id.value]->amqp_context, transport);
  };
}

runtime::SessionFactory Server::http_sessions(const http::Handler& handler) {
  return [this, &handler](base::Transport& transport, base::Shard& shard) -> std::unique_ptr<base::Session> {
    return std::make_unique<http::Session>(transport, handler, shards_[shard.id.value]->http_metrics);
  };
}

base::Result<> Server::listen() {
  constexpr std::uint32_t http_connections_max = 256;
  for (const base::Listener& address : config_.server.stream_listeners.list) {
    TRY(at, runtime_->listen({"stream", address, {}, 0, stream_sessions()}));
    node_.listeners.push_back("stream " + base::to_text(at));
  }
  for (const base::Listener& address : config_.server.amqp_listeners.list) {
    TRY(at, runtime_->listen({"amqp", address, {}, 0, amqp_sessions()}));
    node_.listeners.push_back("amqp " + base::to_text(at));
  }
  metrics_handler_ = http::metrics_handler(node_);
  if (config_.server.prometheus) {
    base::Listener address = *config_.server.prometheus;
    if (address.host.empty()) address.host = config_.server.prometheus_ip;
    TRY(at,
        runtime_->listen({"prometheus", address, {}, http_connections_max, http_sessions(metrics_handler_)}));
    node_.listeners.push_back("metrics " + base::to_text(at));
  }
  commands_ = std::make_unique<http::Commands>(node_, *shards_[0]->broker);
  command_handler_ = http::command_handler(*commands_);
  TRY(local, runtime_->listen({"admin",
                               {},
                               http::admin_socket_path(node_.data_dir),
                               http_connections_max,
                               http_sessions(command_handler_)}));
  static_cast<void>(local);
  return {};
}

std::string Server::serving_line() const {
  return fmt::format("sluice {} serving {}; data in {}", node_.version, fmt::join(node_.listeners, ", "),
                     node_.data_dir);
}

void Server::stop() {
  runtime_->stop(config_.server.shutdown_patience.value);
  if (!node_.data_dir.empty()) ::unlink(http::admin_socket_path(node_.data_dir).c_str());
}

Server::~Server() {
  if (runtime_) runtime_->stop(0);
}

}  // namespace sluice::server
