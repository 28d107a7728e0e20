// SPDX-License-Identifier: Apache-2.0
#include "client/environment.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/consumer.h"
#include "client/producer.h"

namespace sluice::client {
namespace {

using base::Errc;
using base::Result;
using streamproto::ResponseCode;

// Key and value texts of stream arguments, kept alive while the request is encoded.
using Arguments = std::vector<std::pair<std::string, std::string>>;

Arguments arguments_of(const StreamOptions& options) {
  Arguments arguments;
  const auto add = [&](std::string_view key, std::string value) {
    arguments.emplace_back(key, std::move(value));
  };
  if (options.max_length_bytes) add("max-length-bytes", std::to_string(*options.max_length_bytes));
  if (options.max_age) add("max-age", fmt::format("{}s", options.max_age->count()));
  if (options.max_segment_bytes)
    add("stream-max-segment-size-bytes", std::to_string(*options.max_segment_bytes));
  if (options.filter_bytes) add("stream-filter-size-bytes", std::to_string(*options.filter_bytes));
  if (options.initial_cluster_size)
    add("initial-cluster-size", std::to_string(*options.initial_cluster_size));
  if (options.leader_locator) add("queue-leader-locator", *options.leader_locator);
  return arguments;
}

streamproto::Properties views_of(const Arguments& arguments) {
  streamproto::Properties views;
  for (const auto& [key, value] : arguments) views.push_back({key, value});
  return views;
}

std::vector<std::string_view> views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

std::vector<std::string> texts_of(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

template <class T>
Result<void> outcome_of(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

}  // namespace

Environment::Environment(asio::any_io_executor executor, EnvironmentOptions options)
    : executor_(std::move(executor)), options_(std::move(options)) {
  if (options_.endpoints.empty()) options_.endpoints.emplace_back();
}

std::shared_ptr<Environment> Environment::create(asio::any_io_executor executor, EnvironmentOptions options) {
  return std::shared_ptr<Environment>(new Environment(std::move(executor), std::move(options)));
}

// --- connections ---

Task<Result<std::shared_ptr<Connection>>> Environment::connect(Endpoint endpoint) {
  auto connection = std::make_shared<Connection>(executor_, options_, std::move(endpoint));
  Result<void> opened = co_await connection->open();
  if (!opened) co_return std::unexpected(std::move(opened).error());
  co_return connection;
}

Task<Result<std::shared_ptr<Connection>>> Environment::locator() {
  auto self = shared_from_this();
  co_await locator_mutex_.lock();
  const TaskUnlock unlock(locator_mutex_);
  if (closed_) co_return base::fail(Errc::io_failed, "the environment is closed");
  if (locator_ && locator_->is_open()) co_return locator_;
  if (locator_) bytes_received_before_ += std::exchange(locator_, nullptr)->bytes_received();
  Result<std::shared_ptr<Connection>> last = base::fail(Errc::io_failed, "no endpoint");
  for (std::size_t i = 0; i < options_.endpoints.size(); ++i) {
    last = co_await connect(options_.endpoints[next_endpoint_++ % options_.endpoints.size()]);
    if (!last) continue;
    locator_ = *last;
    --next_endpoint_;  // stay with the one that answers
    break;
  }
  co_return last;
}

Task<Result<std::vector<Endpoint>>> Environment::places_of(std::string stream, bool leader_only) {
  std::vector<std::string> streams{stream};
  auto all = co_await metadata(std::move(streams));
  if (!all) co_return std::unexpected(std::move(all).error());
  const auto found = all->find(stream);
  if (found == all->end()) co_return base::fail(Errc::internal, "metadata without the stream asked for");
  if (!found->second) co_return std::unexpected(found->second.error());
  const StreamPlacement& placement = *found->second;
  std::vector<Endpoint> places;
  if (!leader_only) places = placement.replicas;
  if (placement.leader) places.push_back(*placement.leader);
  if (places.empty())
    co_return base::fail(Errc::stream_unavailable, fmt::format("stream '{}' has no leader", stream));
  if (!options_.use_advertised_addresses) places = options_.endpoints;
  co_return places;
}

template <class User>
Task<Result<Environment::Slot>> Environment::take(User* user, bool leader_only, std::size_t limit) {
  auto self = shared_from_this();
  auto places = co_await places_of(user->stream(), leader_only);
  if (!places) co_return std::unexpected(std::move(places).error());
  co_await connections_mutex_.lock();
  const TaskUnlock unlock(connections_mutex_);
  if (closed_) co_return base::fail(Errc::io_failed, "the environment is closed");
  std::erase_if(connections_, [this](const auto& connection) {
    if (connection->is_open()) return false;
    bytes_received_before_ += connection->bytes_received();
    return true;
  });
  // A connection carries either publishers or subscriptions, so that neither's back-pressure stops the other.
  constexpr bool publishes = std::is_same_v<User, PublisherEvents>;
  for (const auto& connection : connections_) {
    const std::size_t others = publishes ? connection->subscription_count() : connection->publisher_count();
    if (others != 0 || std::find(places->begin(), places->end(), connection->endpoint()) == places->end())
      continue;
    if (auto id = connection->add(user, limit)) co_return Slot{connection, *id};
  }
  Result<Slot> last = base::fail(Errc::io_failed, "no place to connect to");
  for (const Endpoint& place : *places) {
    auto connection = co_await connect(place);
    if (!connection) {
      last = std::unexpected(std::move(connection).error());
      continue;
    }
    connections_.push_back(*connection);
    co_return Slot{*connection, (*connection)->add(user, limit).value()};
  }
  co_return last;
}

Task<Result<Environment::Slot>> Environment::take_slot(PublisherEvents* user) {
  return take(user, true, std::max<std::size_t>(1, options_.producers_per_connection_max));
}

Task<Result<Environment::Slot>> Environment::take_slot(SubscriptionEvents* user) {
  return take(user, false, std::max<std::size_t>(1, options_.consumers_per_connection_max));
}

Task<void> Environment::close() {
  auto self = shared_from_this();
  closed_ = true;
  std::vector<std::shared_ptr<Connection>> all = connections_;
  if (locator_) all.push_back(locator_);
  for (const auto& connection : all) co_await connection->close();
}

std::uint64_t Environment::bytes_received() const {
  std::uint64_t bytes = bytes_received_before_;
  for (const auto& connection : connections_) bytes += connection->bytes_received();
  return bytes + (locator_ ? locator_->bytes_received() : 0);
}

// --- requests ---

template <class Response, class Request>
Task<Result<Answer<Response>>> Environment::ask(Request request) {
  auto connection = co_await locator();
  if (!connection) co_return std::unexpected(std::move(connection).error());
  co_return co_await (*connection)->template call<Response>(std::move(request));
}

Task<Result<void>> Environment::create_stream(std::string name, StreamOptions options) {
  const Arguments arguments = arguments_of(options);
  streamproto::Create request;
  request.stream = name;
  request.arguments = views_of(arguments);
  co_return outcome_of(co_await ask<streamproto::CreateResponse>(std::move(request)));
}

Task<Result<void>> Environment::delete_stream(std::string name) {
  streamproto::Delete request;
  request.stream = name;
  co_return outcome_of(co_await ask<streamproto::DeleteResponse>(request));
}

Task<Result<void>> Environment::create_super_stream(std::string name, std::vector<std::string> binding_keys,
                                                    StreamOptions options) {
  const Arguments arguments = arguments_of(options);
  std::vector<std::string> partitions;
  for (const std::string& key : binding_keys) partitions.push_back(name + "-" + key);
  streamproto::CreateSuperStream request;
  request.name = name;
  request.partitions = views_of(partitions);
  request.binding_keys = views_of(binding_keys);
  request.arguments = views_of(arguments);
  co_return outcome_of(co_await ask<streamproto::CreateSuperStreamResponse>(std::move(request)));
}

Task<Result<void>> Environment::create_super_stream(std::string name, std::uint32_t partitions,
                                                    StreamOptions options) {
  std::vector<std::string> binding_keys;
  for (std::uint32_t i = 0; i < partitions; ++i) binding_keys.push_back(std::to_string(i));
  return create_super_stream(std::move(name), std::move(binding_keys), std::move(options));
}

Task<Result<void>> Environment::delete_super_stream(std::string name) {
  streamproto::DeleteSuperStream request;
  request.name = name;
  co_return outcome_of(co_await ask<streamproto::DeleteSuperStreamResponse>(request));
}

Task<Result<std::map<std::string, Result<StreamPlacement>>>> Environment::metadata(
    std::vector<std::string> streams) {
  streamproto::Metadata request;
  request.streams = views_of(streams);
  auto answer = co_await ask<streamproto::MetadataResponse>(std::move(request));
  if (!answer) co_return std::unexpected(std::move(answer).error());
  std::map<std::uint16_t, Endpoint> brokers;
  for (const auto& broker : answer->message.brokers) {
    brokers[broker.reference] = Endpoint{std::string(broker.host), static_cast<std::uint16_t>(broker.port)};
  }
  std::map<std::string, Result<StreamPlacement>> placements;
  for (const auto& row : answer->message.streams) {
    Result<StreamPlacement>& placement = placements[std::string(row.stream)];
    if (row.code != ResponseCode::ok) {
      placement = std::unexpected(error_of(row.code, fmt::format("stream '{}'", row.stream)));
      continue;
    }
    if (const auto leader = brokers.find(row.leader); leader != brokers.end())
      placement->leader = leader->second;
    for (const std::uint16_t reference : row.replicas) {
      if (const auto replica = brokers.find(reference); replica != brokers.end()) {
        placement->replicas.push_back(replica->second);
      }
    }
  }
  co_return placements;
}

Task<Result<std::vector<std::string>>> Environment::partitions(std::string super_stream) {
  streamproto::Partitions request;
  request.super_stream = super_stream;
  auto answer = co_await ask<streamproto::PartitionsResponse>(request);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return texts_of(answer->message.streams);
}

Task<Result<std::vector<std::string>>> Environment::route(std::string super_stream, std::string routing_key) {
  streamproto::Route request;
  request.super_stream = super_stream;
  request.routing_key = routing_key;
  auto answer = co_await ask<streamproto::RouteResponse>(request);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return texts_of(answer->message.streams);
}

Task<Result<StreamStatistics>> Environment::stream_statistics(std::string stream) {
  streamproto::StreamStats request;
  request.stream = stream;
  auto answer = co_await ask<streamproto::StreamStatsResponse>(request);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  StreamStatistics statistics;
  for (const auto& [key, value] : answer->message.statistics) {
    if (value < 0) continue;
    const auto number = static_cast<std::uint64_t>(value);
    if (key == "first_chunk_id") statistics.first_chunk_id = number;
    if (key == "last_chunk_id") statistics.last_chunk_id = number;
    if (key == "committed_chunk_id") statistics.committed_chunk_id = number;
    if (key == "committed_offset") statistics.committed_offset = number;
  }
  co_return statistics;
}

Task<Result<std::uint64_t>> Environment::query_offset(std::string reference, std::string stream) {
  streamproto::QueryOffset request;
  request.reference = reference;
  request.stream = stream;
  auto answer = co_await ask<streamproto::QueryOffsetResponse>(request);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return answer->message.offset;
}

Task<Result<std::uint64_t>> Environment::query_publisher_sequence(std::string reference, std::string stream) {
  streamproto::QueryPublisherSequence request;
  request.reference = reference;
  request.stream = stream;
  auto answer = co_await ask<streamproto::QueryPublisherSequenceResponse>(request);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return answer->message.sequence;
}

Task<Result<std::uint64_t>> Environment::resolve_offset_spec(std::string stream, OffsetSpec spec) {
  streamproto::ResolveOffsetSpec request;
  request.stream = stream;
  request.offset_spec = spec;
  auto answer = co_await ask<streamproto::ResolveOffsetSpecResponse>(std::move(request));
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return answer->message.offset_spec.value;
}

Task<Result<void>> Environment::store_offset(std::string reference, std::string stream,
                                             std::uint64_t offset) {
  auto connection = co_await locator();
  if (!connection) co_return std::unexpected(std::move(connection).error());
  streamproto::StoreOffset request;
  request.reference = reference;
  request.stream = stream;
  request.offset = offset;
  (*connection)->send(request);
  co_return Result<void>{};
}

// --- producers and consumers ---

Task<Result<std::shared_ptr<Producer>>> Environment::create_producer(ProducerOptions options) {
  auto producer = std::make_shared<Producer>(shared_from_this(), std::move(options));
  Result<void> opened = co_await producer->open();
  if (!opened) co_return std::unexpected(std::move(opened).error());
  co_return producer;
}

Task<Result<std::shared_ptr<Consumer>>> Environment::create_consumer(ConsumerOptions options,
                                                                     MessageHandler handler) {
  auto consumer = std::make_shared<Consumer>(shared_from_this(), std::move(options), std::move(handler));
  Result<void> opened = co_await consumer->open();
  if (!opened) co_return std::unexpected(std::move(opened).error());
  co_return consumer;
}

}  // namespace sluice::client
