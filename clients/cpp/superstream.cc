// SPDX-License-Identifier: Apache-2.0
#include "client/superstream.h"

#include <fmt/format.h>

#include "streamproto/hash_routing.h"

namespace sluice::client {
namespace {

using base::Errc;
using base::Result;

}  // namespace

SuperStreamProducer::SuperStreamProducer(std::shared_ptr<Environment> environment,
                                         SuperStreamProducerOptions options)
    : environment_(std::move(environment)), options_(std::move(options)) {}

Task<Result<std::shared_ptr<SuperStreamProducer>>> SuperStreamProducer::create(
    std::shared_ptr<Environment> environment, SuperStreamProducerOptions options) {
  std::shared_ptr<SuperStreamProducer> producer(new SuperStreamProducer(environment, std::move(options)));
  auto partitions = co_await environment->partitions(producer->options_.super_stream);
  if (!partitions) co_return std::unexpected(std::move(partitions).error());
  if (partitions->empty()) {
    co_return base::fail(Errc::superstream_not_found,
                         fmt::format("superstream '{}' has no partitions", producer->options_.super_stream));
  }
  producer->partitions_ = std::move(*partitions);
  co_return producer;
}

Task<Result<std::shared_ptr<Producer>>> SuperStreamProducer::producer_of(std::string partition) {
  if (const auto found = producers_.find(partition); found != producers_.end()) co_return found->second;
  co_await opening_.lock();
  const TaskUnlock unlock(opening_);
  if (const auto found = producers_.find(partition); found != producers_.end()) co_return found->second;
  ProducerOptions options = options_.producer;
  options.stream = partition;
  auto producer = co_await environment_->create_producer(std::move(options));
  if (producer) producers_.emplace(std::move(partition), *producer);
  co_return producer;
}

Producer* SuperStreamProducer::open_producer(std::string_view routing_key) {
  const auto count = static_cast<std::uint32_t>(partitions_.size());
  const auto found = producers_.find(partitions_[streamproto::partition_of(routing_key, count)]);
  return found == producers_.end() ? nullptr : found->second.get();
}

Task<Result<std::vector<std::shared_ptr<Producer>>>> SuperStreamProducer::route(std::string routing_key) {
  std::vector<std::string> streams;
  if (options_.routing == Routing::hash) {
    const auto count = static_cast<std::uint32_t>(partitions_.size());
    streams.push_back(partitions_[streamproto::partition_of(routing_key, count)]);
  } else if (const auto known = routes_.find(routing_key); known != routes_.end()) {
    streams = known->second;
  } else {
    auto routed = co_await environment_->route(options_.super_stream, routing_key);
    if (!routed) co_return std::unexpected(std::move(routed).error());
    if (routed->empty()) {
      co_return base::fail(Errc::precondition_failed,
                           fmt::format("no partition for routing key '{}'", routing_key));
    }
    streams = std::move(*routed);
    if (routes_.size() < remembered_routes_max) routes_.emplace(routing_key, streams);
  }
  std::vector<std::shared_ptr<Producer>> producers;
  for (const std::string& stream : streams) {
    auto producer = co_await producer_of(stream);
    if (!producer) co_return std::unexpected(std::move(producer).error());
    producers.push_back(*producer);
  }
  co_return producers;
}

Task<Result<void>> SuperStreamProducer::publish(std::string routing_key, base::ByteBuffer body,
                                                std::string filter_value, ConfirmHandler handler) {
  auto producers = co_await route(std::move(routing_key));
  if (!producers) co_return std::unexpected(std::move(producers).error());
  struct Shared {
    ConfirmHandler handler;
    std::size_t open;
    Confirmation worst;
  };
  auto shared = std::make_shared<Shared>(Shared{std::move(handler), producers->size(), {}});
  for (const auto& producer : *producers) {
    Result<void> room = co_await producer->wait_for_room();
    if (!room) co_return room;
    PublishOptions options;
    options.filter_value = filter_value;
    auto published = producer->publish(body, options, [shared](const Confirmation& confirmation) {
      shared->worst.publishing_id = confirmation.publishing_id;
      if (!confirmation.outcome) shared->worst.outcome = confirmation.outcome;
      if (--shared->open == 0 && shared->handler) shared->handler(shared->worst);
    });
    if (!published) co_return std::unexpected(std::move(published).error());
  }
  co_return Result<void>{};
}

Task<Result<void>> SuperStreamProducer::wait_for_confirms() {
  const auto producers = producers_;  // more may be opened meanwhile
  for (const auto& [partition, producer] : producers) {
    Result<void> confirmed = co_await producer->wait_for_confirms();
    if (!confirmed) co_return confirmed;
  }
  co_return Result<void>{};
}

Task<Result<void>> SuperStreamProducer::close() {
  const auto producers = std::exchange(producers_, {});
  Result<void> result;
  for (const auto& [partition, producer] : producers) {
    Result<void> closed = co_await producer->close();
    if (!closed) result = closed;
  }
  co_return result;
}

Task<Result<std::shared_ptr<SuperStreamConsumer>>> SuperStreamConsumer::create(
    std::shared_ptr<Environment> environment, ConsumerOptions options, MessageHandler handler) {
  auto partitions = co_await environment->partitions(options.stream);
  if (!partitions) co_return std::unexpected(std::move(partitions).error());
  auto consumer = std::make_shared<SuperStreamConsumer>();
  options.super_stream = options.stream;
  for (const std::string& partition : *partitions) {
    ConsumerOptions one = options;
    one.stream = partition;
    auto opened = co_await environment->create_consumer(std::move(one), handler);
    if (!opened) {
      [[maybe_unused]] auto closed = co_await consumer->close();
      co_return std::unexpected(std::move(opened).error());
    }
    consumer->consumers_.push_back(*opened);
  }
  co_return consumer;
}

ConsumerCounters SuperStreamConsumer::counters() const {
  ConsumerCounters sum;
  for (const auto& consumer : consumers_) {
    const ConsumerCounters& one = consumer->counters();
    sum.chunks += one.chunks;
    sum.chunk_bytes += one.chunk_bytes;
    sum.messages_received += one.messages_received;
    sum.messages_handled += one.messages_handled;
    sum.reconnections += one.reconnections;
  }
  return sum;
}

Task<Result<void>> SuperStreamConsumer::close() {
  const auto consumers = std::exchange(consumers_, {});
  Result<void> result;
  for (const auto& consumer : consumers) {
    Result<void> closed = co_await consumer->close();
    if (!closed) result = closed;
  }
  co_return result;
}

}  // namespace sluice::client
