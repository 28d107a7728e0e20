// SPDX-License-Identifier: Apache-2.0
// The parts of AmqpStreams: Side (what an AMQP client is to the stream side of the broker), Publisher (a
// channel's messages for one stream), Reader (one consumer). Only amqp_streams.cc and its tests include it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/amqp_streams.h"
#include "broker/stream_consume.h"

namespace sluice::broker {

// Which deliveries of a reader are settled: the place up to which all are moves on.
class TrackedPlaces {
 public:
  void add(base::Offset offset) { open_.push_back({offset, false}); }
  // Offsets in ascending order. The newest offset below which nothing is open, when that has changed.
  std::optional<base::Offset> settle(std::span<const base::Offset> offsets);

 private:
  struct Place {
    base::Offset offset;
    bool settled;
  };
  std::deque<Place> open_;  // in order of delivery; bounded by the prefetch
};

struct AmqpStreams::Publisher {
  struct Pending {
    std::uint64_t number = 0;                                // of the confirm; 0: none is wanted
    std::size_t begin = 0, body_bytes = 0, value_bytes = 0;  // in `bytes`: body, then filter value
  };

  void add(const queue::Message& message, const queue::PublishOrigin& origin);
  std::span<const PublishEntry> entries();
  void clear();

  Side* side;
  Token token;
  std::uint16_t channel;
  base::LogId log;
  std::string vhost, stream;
  base::ByteBuffer bytes = {};
  std::vector<Pending> pending = {};
  std::vector<PublishEntry> list = {};
};

struct AmqpStreams::Reader {
  Reader(SourceId id, Side& of, std::uint32_t credit, StreamConsume wanted, Answer<> then);

  const SourceId source;
  Side* const side;
  const Token token;
  const std::uint32_t prefetch;
  SubscribeRequest request;
  const std::string tracking;  // name of the stored offset; empty: none
  Answer<> answer;             // until the stream side has answered
  Consumer* consumer = nullptr;
  std::optional<StreamMessages> messages;  // once there is a consumer
  TrackedPlaces places;
  std::uint32_t unsettled = 0;
  bool due = false;   // in the list of those to run
  bool lost = false;  // the stream side has dropped the consumer
};

class AmqpStreams::Side final : public Client {
 public:
  Side(AmqpStreams& owner, std::uint64_t amqp_client) : client(amqp_client), owner_(owner) {}

  // The channel's publisher to a stream; null when the stream is not there.
  Publisher* publisher(base::QueueId stream, std::uint16_t channel);

  // -- Client
  void on_confirmed(Token publisher, std::span<const std::uint64_t> ids) override {
    note(publisher, ids, true);
  }
  void on_refused(Token publisher, std::span<const std::uint64_t> ids, base::Errc) override {
    note(publisher, ids, false);
  }
  void on_readable(Token subscription) override;
  void on_consumer_update(Token, bool) override {}
  void on_stream_lost(std::string_view vhost, std::string_view stream) override;
  void on_flow(bool may_publish) override;
  void on_close_requested(std::string_view) override {}  // the session hears it, too
  bool is_session() const override { return false; }
  ConnectionRow describe() const override { return {}; }
  void list_publishers(std::vector<PublisherRow>&) const override {}
  void list_consumers(std::vector<ConsumerRow>&) const override {}

  const std::uint64_t client;  // the AMQP client
  ClientId id;                 // on the stream side
  Token next_token = 1;
  std::map<std::pair<base::LogId, std::uint16_t>, std::unique_ptr<Publisher>> publishers;
  std::unordered_map<Token, SourceId> readers;
  std::vector<SourceId> stopped;  // readers that wait for the session to be ready

 private:
  void note(Token publisher, std::span<const std::uint64_t> ids, bool accepted);

  AmqpStreams& owner_;
  std::unordered_map<Token, std::uint16_t> channels_;  // of publishers
  Publisher* last_ = nullptr;                          // messages come in runs
};

}  // namespace sluice::broker
