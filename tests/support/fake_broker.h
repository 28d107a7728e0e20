// SPDX-License-Identifier: Apache-2.0
// FakeBroker: a broker::Broker for tests of sessions. It knows the streams it was given, notes what is
// published, and answers what the test has set; answers can be held back to see what a session does
// meanwhile.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "broker/broker.h"

namespace sluice::test {

class FakeConsumer final : public broker::Consumer {
 public:
  // Each a whole chunk, delivered in turn.
  std::deque<std::string> chunks;
  std::uint64_t delivered = 0;

  std::uint32_t deliver(std::uint32_t credits, broker::ChunkSink& sink) override {
    std::uint32_t sent = 0;
    while (sent < credits && !chunks.empty() && !sink.full()) {
      const base::ByteView part = base::as_bytes(chunks.front());
      sink.memory_chunk(std::span(&part, 1), 3);
      chunks.pop_front();
      ++sent;
      ++delivered;
    }
    return sent;
  }
  broker::ConsumerProgress progress() const override { return {3 * delivered, 3 * delivered, 0, 0}; }
  std::uint64_t committed_chunk_id() const override { return 77; }
  std::uint64_t offset_lag() const override { return 5; }
};

class FakeBroker final : public broker::Broker {
 public:
  struct Published {
    broker::Token publisher;
    std::uint64_t id;
    std::string filter, body;
    bool is_sub_batch;
  };

  // ---- set by the test
  std::map<std::string, std::optional<base::Errc>> streams;  // with the error locate() gives
  std::map<std::string, std::vector<std::string>> super_streams;
  std::set<std::pair<broker::Permission, std::string>> forbidden;
  std::optional<base::Errc> authenticate_error, vhost_error, consumer_error, next_error;
  std::string vhost_error_text = "as the test says";
  std::map<std::string, std::uint64_t> offsets;
  bool alarm = false;
  std::optional<base::ShardId> owner;
  bool hold_answers = false;
  FakeConsumer consumer;

  // ---- seen by the test
  broker::Client* client = nullptr;
  std::vector<Published> published;
  std::vector<broker::Token> publishers, consumers;
  std::optional<broker::SubscribeRequest> subscribed;
  std::vector<std::pair<broker::Token, std::optional<broker::OffsetSpec>>> updates;
  broker::StreamArguments arguments;
  std::vector<std::function<void()>> held;
  std::size_t clients = 0;
  broker::Credentials credentials;

  void answer_held() {
    const auto answers = std::move(held);
    held.clear();
    for (const auto& answer : answers) answer();
  }

  // ---- broker::Broker
  broker::Messaging* fake_messaging = nullptr;
  broker::Messaging& messaging() override { return *fake_messaging; }
  broker::ClientId add_client(broker::Client& added) override {
    client = &added;
    ++clients;
    return broker::ClientId{clients};
  }
  void remove_client(broker::ClientId) override { client = nullptr; }

  base::Result<broker::Identity> authenticate(const broker::Credentials& given) override {
    credentials = given;
    if (authenticate_error) return base::fail(*authenticate_error, "as the test says");
    if (given.password != given.user) return base::fail(base::Errc::authentication_failed, "wrong password");
    return broker::Identity{given.user, {}};
  }
  base::Result<> open_vhost(const broker::Identity&, std::string_view) override {
    if (vhost_error) return base::fail(*vhost_error, vhost_error_text);
    return {};
  }
  base::Result<> check(const broker::Identity&, std::string_view, broker::Permission permission,
                       std::string_view resource) const override {
    if (forbidden.contains({permission, std::string(resource)}))
      return base::fail(base::Errc::access_refused, "no");
    return {};
  }

  void create_stream(const broker::Identity&, std::string_view, std::string_view name,
                     broker::StreamArguments given, broker::Done<> done) override {
    arguments = std::move(given);
    const bool known = !streams.emplace(name, std::nullopt).second;
    answer(std::move(done), known ? std::optional(base::Errc::stream_exists) : std::nullopt);
  }
  void delete_stream(const broker::Identity&, std::string_view, std::string_view name,
                     broker::Done<> done) override {
    const bool known = streams.erase(std::string(name)) > 0;
    answer(std::move(done), known ? std::nullopt : std::optional(base::Errc::stream_not_found));
  }
  void create_super_stream(const broker::Identity&, std::string_view, std::string_view name,
                           std::vector<std::string> partitions, std::vector<std::string>,
                           broker::StreamArguments, broker::Done<> done) override {
    super_streams.emplace(name, std::move(partitions));
    answer(std::move(done), std::nullopt);
  }
  void delete_super_stream(const broker::Identity&, std::string_view, std::string_view name,
                           broker::Done<> done) override {
    const bool known = super_streams.erase(std::string(name)) > 0;
    answer(std::move(done), known ? std::nullopt : std::optional(base::Errc::superstream_not_found));
  }

  bool stream_exists(std::string_view, std::string_view name) const override {
    return streams.contains(std::string(name));
  }
  broker::StreamPlace locate(const broker::Identity&, std::string_view,
                             std::string_view name) const override {
    const auto found = streams.find(std::string(name));
    if (found == streams.end()) return {std::string(name), base::Errc::stream_not_found};
    return {std::string(name), found->second};
  }
  base::Result<std::vector<std::string>> partitions(const broker::Identity&, std::string_view,
                                                    std::string_view name) const override {
    const auto found = super_streams.find(std::string(name));
    if (found == super_streams.end()) return base::fail(base::Errc::superstream_not_found, "no");
    return found->second;
  }
  base::Result<std::vector<std::string>> route(const broker::Identity& identity, std::string_view vhost,
                                               std::string_view name, std::string_view) const override {
    return partitions(identity, vhost, name);
  }
  void stream_stats(const broker::Identity&, std::string_view, std::string_view name,
                    broker::Done<broker::StreamStats> done) override {
    if (!streams.contains(std::string(name))) return done(base::fail(base::Errc::stream_not_found, "no"));
    done(broker::StreamStats{0, 10, 10, 12});
  }
  void resolve_offset(const broker::Identity&, broker::SubscribeRequest request,
                      broker::Done<std::uint64_t> done) override {
    subscribed = std::move(request);
    if (next_error) return done(base::fail(*next_error, "as the test says"));
    done(10);
  }

  bool disk_alarm() const override { return alarm; }
  std::optional<base::ShardId> owner_of(std::string_view, std::string_view stream) const override {
    return streams.contains(std::string(stream)) ? owner : std::nullopt;
  }
  base::Result<> add_publisher(broker::ClientId, broker::Token publisher, std::string_view,
                               std::string_view stream, std::string_view) override {
    const auto found = streams.find(std::string(stream));
    if (found == streams.end()) return base::fail(base::Errc::stream_not_found, "no");
    if (found->second) return base::fail(*found->second, "no");
    publishers.push_back(publisher);
    return {};
  }
  void remove_publisher(broker::ClientId, broker::Token publisher) override {
    std::erase(publishers, publisher);
  }
  void publish(broker::ClientId, broker::Token publisher,
               std::span<const broker::PublishEntry> entries) override {
    for (const auto& entry : entries) {
      published.push_back({publisher, entry.publishing_id, std::string(entry.filter_value),
                           std::string(base::as_text(entry.body)), entry.is_sub_batch});
    }
  }
  void publisher_sequence(std::string_view, std::string_view, std::string_view reference,
                          broker::Done<std::uint64_t> done) override {
    done(reference == "ref" ? 42 : 0);
  }

  void add_consumer(broker::ClientId, broker::Token subscription, broker::SubscribeRequest request,
                    broker::Done<broker::Consumer*> done) override {
    subscribed = std::move(request);
    if (consumer_error) return done(base::fail(*consumer_error, "as the test says"));
    consumers.push_back(subscription);
    if (!hold_answers) return done(&consumer);
    auto kept = std::make_shared<broker::Done<broker::Consumer*>>(std::move(done));
    held.push_back([this, kept] { (*kept)(&consumer); });
  }
  void remove_consumer(broker::ClientId, broker::Token subscription) override {
    std::erase(consumers, subscription);
  }
  void consumer_updated(broker::ClientId, broker::Token subscription,
                        std::optional<broker::OffsetSpec> from) override {
    updates.emplace_back(subscription, from);
  }

  void store_offset(std::string_view, std::string_view, std::string_view reference,
                    std::uint64_t offset) override {
    offsets[std::string(reference)] = offset;
  }
  void query_offset(std::string_view, std::string_view, std::string_view reference,
                    broker::Done<std::uint64_t> done) override {
    const auto found = offsets.find(std::string(reference));
    if (found == offsets.end()) return done(base::fail(base::Errc::no_offset, "none"));
    done(found->second);
  }
  void reset_offset(std::string_view, std::string_view, std::string_view, broker::Done<> done) override {
    done({});
  }

  void list_connections(broker::Done<std::vector<broker::ConnectionRow>> done) override { done({}); }
  void list_publishers(broker::Done<std::vector<broker::PublisherRow>> done) override { done({}); }
  void list_consumers(broker::Done<std::vector<broker::ConsumerRow>> done) override { done({}); }
  void list_channels(broker::Done<std::vector<broker::ChannelRow>> done) override { done({}); }
  void list_streams(broker::Done<std::vector<broker::StreamRow>> done) override { done({}); }
  void list_groups(broker::Done<std::vector<broker::GroupRow>> done) override { done({}); }
  void list_group_members(std::string_view, std::string_view, std::string_view,
                          broker::Done<std::vector<broker::GroupMemberRow>> done) override {
    done({});
  }
  void list_tracking(std::string_view, std::string_view,
                     broker::Done<std::vector<broker::TrackingRow>> done) override {
    done({});
  }
  void on_turn_end() override {}
  void on_tick(std::int64_t) override {}

 private:
  void answer(broker::Done<> done, std::optional<base::Errc> error) {
    if (next_error) error = next_error;
    base::Result<> result;
    if (error) result = base::fail(*error, "as the test says");
    if (!hold_answers) return done(std::move(result));
    auto kept = std::make_shared<broker::Done<>>(std::move(done));
    held.push_back([kept, result] { (*kept)(result); });
  }
};

}  // namespace sluice::test
