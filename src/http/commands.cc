// SPDX-License-Identifier: Apache-2.0
#include "http/commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "http/admin_socket.h"

namespace sluice::http {
namespace {

template <class Row, class Keep>
Rows<Row> keeping(Rows<Row> done, Keep keep) {
  return [done = std::move(done), keep = std::move(keep)](base::Result<std::vector<Row>> rows) mutable {
    if (rows) std::erase_if(*rows, [&](const Row& row) { return !keep(row); });
    done(std::move(rows));
  };
}

template <class Row>
Rows<Row> only_vhost(Rows<Row> done, const std::string& vhost) {
  return keeping(std::move(done), [vhost](const Row& row) { return row.vhost == vhost; });
}

broker::StreamArguments arguments_of(const StreamSettings& settings) {
  broker::StreamArguments arguments;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) arguments[key] = value;
  };
  add("max-length-bytes", settings.max_length_bytes);
  add("max-age", settings.max_age);
  add("stream-max-segment-size-bytes", settings.stream_max_segment_size_bytes);
  add("stream-filter-size-bytes", settings.stream_filter_size_bytes);
  add("initial-cluster-size", settings.initial_cluster_size);
  add("queue-leader-locator", settings.leader_locator);
  add("durability", settings.durability);
  return arguments;
}

}  // namespace

void Commands::on(const Status::Request&, Rows<StatusRow> done) {
  const NodeUsage usage = node_.usage();
  StatusRow row;
  row.name = node_.name;
  row.version = node_.version;
  row.data_dir = node_.data_dir;
  row.cluster = node_.cluster;
  row.pid = node_.pid;
  row.listeners = node_.listeners;
  row.shards = node_.shards;
  row.uptime_seconds = static_cast<std::uint64_t>(usage.uptime_seconds);
  row.memory_bytes = usage.resident_bytes;
  row.disk_free_bytes = usage.disk_free_bytes;
  row.open_files = usage.open_files;
  row.open_files_max = usage.open_files_max;
  const broker::ResourceLimits limits = broker_.limits();
  row.memory_limit_bytes = limits.memory_bytes;
  row.memory_alarm = limits.memory_alarm;
  row.disk_free_limit_bytes = limits.disk_free_bytes;
  row.disk_alarm = limits.disk_alarm;
  broker_.list_streams([this, row = std::move(row), done = std::move(done)](auto streams) mutable {
    if (!streams) return done(std::unexpected(std::move(streams).error()));
    row.streams = streams->size();
    broker_.list_connections([row = std::move(row), done = std::move(done)](auto connections) mutable {
      if (!connections) return done(std::unexpected(std::move(connections).error()));
      row.connections = connections->size();
      for (const broker::ConnectionRow& each : *connections) {
        row.publishers += each.publishers;
        row.consumers += each.subscriptions;
      }
      done(std::vector{std::move(row)});
    });
  });
}

void Commands::on(const Ping::Request&, Rows<TextRow> done) {
  done(std::vector{TextRow{"Ping succeeded"}});
}

void Commands::on(const Version::Request&, Rows<TextRow> done) {
  done(std::vector{TextRow{node_.version}});
}

void Commands::on(const Environment::Request&, Rows<SettingRow> done) {
  std::vector<SettingRow> rows;
  for (const NodeSetting& each : node_.settings) {
    // A password is nobody's business but the server's.
    const bool secret = each.key.find("pass") != std::string::npos;
    rows.push_back(
        {each.key, secret ? "(hidden)" : each.value, secret ? "(hidden)" : each.default_value, each.source});
  }
  done(std::move(rows));
}

void Commands::on(const ListStreams::Request& request, Rows<broker::StreamRow> done) {
  broker_.list_streams(only_vhost(std::move(done), request.vhost));
}

void Commands::on(const StreamStatus::Request& request, Rows<StreamStatusRow> done) {
  broker_.list_streams([this, request, done = std::move(done)](auto streams) mutable {
    if (!streams) return done(std::unexpected(std::move(streams).error()));
    const auto found = std::ranges::find_if(*streams, [&](const broker::StreamRow& row) {
      return row.vhost == request.vhost && row.name == request.stream;
    });
    if (found == streams->end()) {
      return done(
          base::fail(base::Errc::stream_not_found,
                     fmt::format("there is no stream '{}' in vhost '{}'", request.stream, request.vhost)));
    }
    done(std::vector{StreamStatusRow{"leader", node_.name, found->epoch, found->committed_offset,
                                     found->committed_offset, found->committed_chunk_id, found->first_offset,
                                     found->consumers, found->segments, found->state}});
  });
}

void Commands::on(const AddStream::Request& request, Rows<NoRow> done) {
  broker_.create_stream(node_.administrator, request.vhost, request.stream, arguments_of(request),
                        no_rows<void>(std::move(done)));
}

void Commands::on(const DeleteStream::Request& request, Rows<NoRow> done) {
  broker_.delete_stream(node_.administrator, request.vhost, request.stream, no_rows<void>(std::move(done)));
}

void Commands::on(const AddSuperStream::Request& request, Rows<NoRow> done) {
  constexpr std::uint32_t partitions_default = 3, partitions_max = 100'000;
  if (request.partitions != 0 && !request.binding_keys.empty()) {
    return done(base::fail(base::Errc::precondition_failed, "give partitions or binding keys, not both"));
  }
  if (request.partitions > partitions_max) {
    return done(base::fail(base::Errc::precondition_failed, "more partitions than any limit allows"));
  }
  std::vector<std::string> keys = request.binding_keys;
  if (keys.empty()) {
    const std::uint32_t count = request.partitions == 0 ? partitions_default : request.partitions;
    for (std::uint32_t i = 0; i < count; ++i) keys.push_back(std::to_string(i));
  }
  std::vector<std::string> partitions;
  for (const std::string& key : keys) partitions.push_back(fmt::format("{}-{}", request.super_stream, key));
  broker_.create_super_stream(node_.administrator, request.vhost, request.super_stream, std::move(partitions),
                              std::move(keys), arguments_of(request), no_rows<void>(std::move(done)));
}

void Commands::on(const DeleteSuperStream::Request& request, Rows<NoRow> done) {
  broker_.delete_super_stream(node_.administrator, request.vhost, request.super_stream,
                              no_rows<void>(std::move(done)));
}

void Commands::on(const ListStreamConnections::Request& request, Rows<broker::ConnectionRow> done) {
  broker_.list_connections(only_vhost(std::move(done), request.vhost));
}

void Commands::on(const ListStreamPublishers::Request& request, Rows<broker::PublisherRow> done) {
  broker_.list_publishers(only_vhost(std::move(done), request.vhost));
}

void Commands::on(const ListStreamConsumers::Request& request, Rows<broker::ConsumerRow> done) {
  broker_.list_consumers(only_vhost(std::move(done), request.vhost));
}

void Commands::on(const ListStreamConsumerGroups::Request& request, Rows<broker::GroupRow> done) {
  broker_.list_groups(only_vhost(std::move(done), request.vhost));
}

void Commands::on(const ListStreamGroupConsumers::Request& request, Rows<broker::GroupMemberRow> done) {
  broker_.list_group_members(request.vhost, request.stream, request.reference, std::move(done));
}

void Commands::on(const ListStreamTracking::Request& request, Rows<broker::TrackingRow> done) {
  const bool all = request.all || request.offset == request.writer;
  broker_.list_tracking(
      request.vhost, request.stream,
      keeping(std::move(done), [all, writer = request.writer](const broker::TrackingRow& row) {
        return all || (row.type == "writer") == writer;
      }));
}

void Commands::on(const ResetOffset::Request& request, Rows<NoRow> done) {
  broker_.reset_offset(request.vhost, request.stream, request.reference, no_rows<void>(std::move(done)));
}

namespace {

unsigned http_status(base::Errc code) {
  using enum base::Errc;
  switch (code) {
    case stream_not_found:
    case superstream_not_found:
    case not_found:
    case no_offset:
      return 404;
    case stream_exists:
    case resource_locked:
      return 409;
    case access_refused:
    case authentication_failed:
    case loopback_only:
    case vhost_access_refused:
      return 403;
    case precondition_failed:
    case malformed:
    case too_large:
      return 400;
    case stream_unavailable:
    case io_failed:
      return 503;
    case corrupt:
    case internal:
      return 500;
  }
  return 500;
}

Response failure(const base::Error& error) {
  std::string_view word = base::to_string(error.code);
  if (error.text.starts_with(broker::no_vhost_prefix)) word = no_vhost_word;
  if (error.text.starts_with(broker::no_user_prefix)) word = no_user_word;
  return error_response(http_status(error.code), word, error.text);
}

template <class E>
void carry_out(Commands& commands, const Request& http_request, Answer answer) {
  typename E::Request request;
  if (!http_request.body.empty()) {
    boost::system::error_code error;
    const boost::json::value body = boost::json::parse(http_request.body, error);
    if (error) return answer(error_response(400, "malformed", "the body is no JSON: " + error.message()));
    if (auto read = from_json(body, request, "body"); !read) return answer(failure(read.error()));
  }
  commands.on(request, [answer = std::move(answer)](base::Result<std::vector<typename E::Row>> rows) mutable {
    if (!rows) return answer(failure(rows.error()));
    if constexpr (E::shape == Shape::list) {
      answer({200, "application/json", boost::json::serialize(to_json(*rows))});
    } else if constexpr (E::shape == Shape::one || E::shape == Shape::text) {
      answer({200, "application/json", boost::json::serialize(to_json(rows->front()))});
    } else {
      answer({200, "application/json", "{}"});
    }
  });
}

}  // namespace

Handler command_handler(Commands& commands) {
  return [&commands](const Request& request, Answer answer) {
    const std::string_view path = request.path;
    if (!path.starts_with(command_prefix)) {
      return answer(error_response(404, "not_found", "there is POST /api/command/<name>"));
    }
    if (request.method != "POST") return answer(error_response(405, "method_not_allowed", "use POST"));
    const std::string_view wanted = path.substr(command_prefix.size());
    bool found = false;
    for_each_endpoint(Endpoints{}, [&]<class E>(E) {
      if (found || E::name != wanted) return;
      found = true;
      carry_out<E>(commands, request, std::move(answer));
    });
    if (!found) answer(error_response(404, "not_found", fmt::format("there is no command '{}'", wanted)));
  };
}

}  // namespace sluice::http
