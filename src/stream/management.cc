// SPDX-License-Identifier: Apache-2.0
#include "stream/management.h"

#include "stream/convert.h"

namespace sluice::stream {

using namespace streamproto;
using broker::Permission;

template <Command Response>
broker::Done<> Management::answer_with_code(std::uint32_t correlation) {
  return connection_.await<void>([this, correlation](base::Result<> result) {
    if (!result) {
      connection_.log(base::LogLevel::info, std::string(Response::info.name) + " is an error",
                      result.error().text);
    }
    Response response;
    response.code = response_code(result);
    connection_.send(response, correlation);
  });
}

void Management::on(std::uint32_t correlation, const Create& request) {
  connection_.broker().create_stream(connection_.identity, connection_.vhost, request.stream,
                                     to_arguments(request.arguments),
                                     answer_with_code<CreateResponse>(correlation));
}

void Management::on(std::uint32_t correlation, const Delete& request) {
  connection_.broker().delete_stream(connection_.identity, connection_.vhost, request.stream,
                                     answer_with_code<DeleteResponse>(correlation));
}

void Management::on(std::uint32_t correlation, const CreateSuperStream& request) {
  connection_.broker().create_super_stream(connection_.identity, connection_.vhost, request.name,
                                           {request.partitions.begin(), request.partitions.end()},
                                           {request.binding_keys.begin(), request.binding_keys.end()},
                                           to_arguments(request.arguments),
                                           answer_with_code<CreateSuperStreamResponse>(correlation));
}

void Management::on(std::uint32_t correlation, const DeleteSuperStream& request) {
  connection_.broker().delete_super_stream(connection_.identity, connection_.vhost, request.name,
                                           answer_with_code<DeleteSuperStreamResponse>(correlation));
}

// One node: broker 0 leads every stream and there are no other replicas.
void Management::on(std::uint32_t correlation, const Metadata& request) {
  const std::string host = connection_.advertised_host();
  MetadataResponse response;
  response.brokers.push_back({0, host, connection_.advertised_port()});
  for (const std::string_view stream : request.streams) {
    const broker::StreamPlace place =
        connection_.broker().locate(connection_.identity, connection_.vhost, stream);
    StreamPlacement placement;
    placement.stream = stream;
    if (place.error) {
      placement.code = response_code(*place.error);
      connection_.count(placement.code);
    } else {
      placement.leader = 0;
    }
    response.streams.push_back(std::move(placement));
  }
  connection_.send(response, correlation);
}

void Management::on(std::uint32_t correlation, const Partitions& request) {
  const auto streams =
      connection_.broker().partitions(connection_.identity, connection_.vhost, request.super_stream);
  PartitionsResponse response;
  response.code = response_code(streams);
  if (streams) response.streams.assign(streams->begin(), streams->end());
  connection_.send(response, correlation);
}

void Management::on(std::uint32_t correlation, const Route& request) {
  const auto streams = connection_.broker().route(connection_.identity, connection_.vhost,
                                                  request.super_stream, request.routing_key);
  RouteResponse response;
  response.code = response_code(streams);
  if (streams) response.streams.assign(streams->begin(), streams->end());
  connection_.send(response, correlation);
}

void Management::on(std::uint32_t correlation, const StreamStats& request) {
  connection_.broker().stream_stats(
      connection_.identity, connection_.vhost, request.stream,
      connection_.await<broker::StreamStats>([this, correlation](base::Result<broker::StreamStats> stats) {
        StreamStatsResponse response;
        response.code = response_code(stats);
        if (stats) {
          response.statistics = {{"first_chunk_id", stats->first_chunk_id},
                                 {"last_chunk_id", stats->last_chunk_id},
                                 {"committed_chunk_id", stats->committed_chunk_id},
                                 {"committed_offset", stats->committed_offset}};
        }
        connection_.send(response, correlation);
      }));
}

void Management::on(std::uint32_t correlation, const ResolveOffsetSpec& request) {
  if (request.offset_spec.type == OffsetType::none) {
    return connection_.send(ResolveOffsetSpecResponse{ResponseCode::no_offset, OffsetSpec::at(0)},
                            correlation);
  }
  connection_.broker().resolve_offset(
      connection_.identity,
      subscribe_request(connection_.vhost, request.stream, request.offset_spec, request.properties, 0),
      connection_.await<std::uint64_t>([this, correlation](base::Result<std::uint64_t> offset) {
        connection_.send(ResolveOffsetSpecResponse{response_code(offset), OffsetSpec::at(offset.value_or(0))},
                         correlation);
      }));
}

void Management::on(const StoreOffset& request, bool may_read) {
  const auto drop = [this](std::string_view why) {
    connection_.log(base::LogLevel::warning, "stored offset ignored", why);
  };
  if (request.reference.size() > reference_bytes_max) return drop("reference above 255 bytes");
  if (!may_read && !connection_.allowed(Permission::read, request.stream))
    return drop("no permission to read");
  if (!connection_.broker().stream_exists(connection_.vhost, request.stream)) return drop("no such stream");
  connection_.broker().store_offset(connection_.vhost, request.stream, request.reference, request.offset);
}

void Management::on(std::uint32_t correlation, const QueryOffset& request) {
  const auto answer = [this, correlation](ResponseCode code, std::uint64_t offset) {
    connection_.send(QueryOffsetResponse{code, offset}, correlation);
  };
  if (!connection_.allowed(Permission::read, request.stream)) return answer(ResponseCode::access_refused, 0);
  if (!connection_.broker().stream_exists(connection_.vhost, request.stream)) {
    return answer(ResponseCode::stream_does_not_exist, 0);
  }
  connection_.broker().query_offset(
      connection_.vhost, request.stream, request.reference,
      connection_.await<std::uint64_t>([answer](base::Result<std::uint64_t> offset) {
        answer(response_code(offset), offset.value_or(0));
      }));
}

void Management::on(std::uint32_t correlation, const ExchangeCommandVersions& request) {
  for (const CommandVersions& versions : request.commands) {
    if (versions.key == Key::deliver && versions.max_version == 2) connection_.deliver_version = 2;
  }
  connection_.send(ExchangeCommandVersionsResponse{ResponseCode::ok, server_command_versions()}, correlation);
}

}  // namespace sluice::stream
