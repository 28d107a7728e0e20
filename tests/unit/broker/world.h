// SPDX-License-Identifier: Apache-2.0
// A broker of several shards in one thread: memory disk, metadata in memory, mail that waits for settle().
// FakeClient is a session that writes down what it is told.
#pragma once

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "broker/shard_broker.h"
#include "broker/shard_set.h"
#include "storage/entries.h"
#include "support/test_shard.h"
#include "unit/broker/fake_work_queues.h"

namespace sluice::test {

using broker::Broker;
using broker::ClientId;
using broker::Token;

inline const broker::Identity guest{"guest", {}};

class FakeClient final : public broker::Client {
 public:
  std::vector<std::string> events;
  std::string name = "client";

  void on_confirmed(Token publisher, std::span<const std::uint64_t> ids) override {
    for (const auto id : ids) confirmed[publisher].push_back(id);
  }
  void on_refused(Token publisher, std::span<const std::uint64_t> ids, base::Errc why) override {
    for (const auto id : ids)
      events.push_back(fmt::format("refused {} {} {}", publisher, id, to_string(why)));
  }
  void on_readable(Token subscription) override {
    events.push_back(fmt::format("readable {}", subscription));
    if (when_readable) when_readable(subscription);
  }
  void on_consumer_update(Token subscription, bool active) override {
    events.push_back(fmt::format("update {} {}", subscription, active ? "active" : "inactive"));
  }
  void on_stream_lost(std::string_view vhost, std::string_view stream) override {
    events.push_back(fmt::format("lost {} {}", vhost, stream));
  }
  void on_flow(bool may_publish) override { events.push_back(may_publish ? "go" : "stop"); }
  void on_close_requested(std::string_view) override {}
  broker::ConnectionRow describe() const override {
    broker::ConnectionRow row;
    row.conn_name = name;
    return row;
  }
  void list_publishers(std::vector<broker::PublisherRow>& into) const override {
    into.emplace_back().connection = name;
  }
  void list_consumers(std::vector<broker::ConsumerRow>& into) const override {
    into.emplace_back().connection = name;
  }

  // The events since the last call, joined.
  std::string take() {
    std::string text;
    for (const auto& event : events) text += (text.empty() ? "" : ", ") + event;
    events.clear();
    return text;
  }

  std::map<Token, std::vector<std::uint64_t>> confirmed;
  std::function<void(Token)> when_readable;
};

// Reads delivered chunks apart into message bodies.
class FakeSink final : public broker::ChunkSink {
 public:
  std::vector<std::string> bodies;
  std::vector<std::uint64_t> chunk_ids;

  void file_chunk(std::shared_ptr<base::File> file, std::uint64_t position, std::size_t size,
                  std::uint32_t) override {
    base::ByteBuffer bytes(size);
    REQUIRE(file->read_at(position, bytes).value_or(0) == size);
    take(bytes);
  }
  void memory_chunk(std::span<const base::ByteView> parts, std::uint32_t) override {
    base::ByteBuffer bytes;
    for (const auto part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
    take(bytes);
  }
  bool full() const override { return false; }

 private:
  void take(base::ByteView chunk) {
    const auto header = storage::decode_chunk_header(chunk);
    REQUIRE(header);
    chunk_ids.push_back(header->chunk_id.value);
    base::ByteReader reader(chunk.subspan(storage::chunk_header_bytes));
    for (std::uint32_t i = 0; i < header->records; ++i) {
      bodies.emplace_back(base::as_text(reader.read_bytes(reader.read<std::uint32_t>())));
    }
    REQUIRE(reader.ok());
  }
};

// Mail between the shards of a World: in order for each pair of shards, in any order between pairs.
class PairedMail {
 public:
  PairedMail(std::uint32_t shard_count, std::uint64_t seed) : shard_count_(shard_count), random_(seed) {
    queues_.resize(std::size_t{shard_count} * shard_count);
    for (std::uint32_t i = 0; i < shard_count; ++i) boxes_.push_back(std::make_unique<Box>(*this, i));
  }
  base::Mail& of(std::uint32_t shard) { return *boxes_[shard]; }
  std::size_t waiting() const {
    std::size_t sum = 0;
    for (const auto& queue : queues_) sum += queue.size();
    return sum;
  }
  // Runs one task of a pair of shards drawn by chance; false when there is none.
  bool run_one() {
    const auto count = queues_.size();
    const auto start = random_.next() % count;
    for (std::size_t i = 0; i < count; ++i) {
      auto& queue = queues_[(start + i) % count];
      if (queue.empty()) continue;
      auto task = std::move(queue.front());
      queue.pop_front();
      task();
      return true;
    }
    return false;
  }
  std::size_t run_all() {
    std::size_t ran = 0;
    while (run_one()) ++ran;
    return ran;
  }

 private:
  struct Box final : base::Mail {
    Box(PairedMail& mail, std::uint32_t from) : mail_(mail), from_(from) {}
    void send(base::ShardId to, base::Task task) override {
      mail_.queues_[std::size_t{from_} * mail_.shard_count_ + to.value].push_back(std::move(task));
    }
    PairedMail& mail_;
    std::uint32_t from_;
  };
  std::uint32_t shard_count_;
  SeededRandom random_;
  std::vector<std::deque<base::Task>> queues_;
  std::vector<std::unique_ptr<Box>> boxes_;
};

class World {
 public:
  explicit World(std::uint32_t shard_count = 1, broker::BrokerOptions options = {}, std::uint64_t seed = 1,
                 bool fake_queues = false)
      : ports(seed), mail(shard_count, seed), options_(std::move(options)), fake_queues_(fake_queues) {
    options_.data_dir = "/data";
    REQUIRE(ports.disk.create_directories("/data"));
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      shards_.push_back({base::ShardId{i}, shard_count, ports.clock, ports.random, ports.disk,
                         ports.background, mail.of(i), ports.logger});
    }
    auto store = storage::MetadataStore::open_in_memory();
    REQUIRE(store);
    start(std::move(*store));
  }

  // Stops as on SIGTERM and starts again on the same disk and metadata.
  void restart() {
    while (mail.run_all() + ports.background.run_all() > 0) continue;
    brokers_.clear();
    auto store = set_->release_store();
    start(std::move(store));
  }

  Broker& at(std::uint32_t shard) { return *brokers_[shard]; }
  broker::ShardSet& set() { return *set_; }

  // Mail, background work and turns until nothing happens any more.
  void settle() {
    for (int round = 0; round < 1000; ++round) {
      const auto ran = ports.background.run_all() + mail.run_all();
      for (auto& each : brokers_) each->on_turn_end();
      if (ran + mail.waiting() + ports.background.waiting() == 0) return;
    }
    FAIL("the world does not come to rest");
  }
  void tick(std::int64_t ms = 100) {
    ports.clock.advance(ms);
    for (auto& each : brokers_) each->on_tick(ports.clock.monotonic_ms());
    settle();
  }

  // The answer of an asynchronous call: `call(done)`, then settle.
  template <class T = void, class F>
  base::Result<T> ask(F call) {
    std::optional<base::Result<T>> answer;
    call([&answer](base::Result<T> result) {
      REQUIRE_FALSE(answer.has_value());
      answer = std::move(result);
    });
    settle();
    REQUIRE(answer.has_value());
    return std::move(*answer);
  }
  // "ok" or the error's name.
  std::string create(std::uint32_t shard, std::string_view name, broker::StreamArguments arguments = {}) {
    return word(
        ask([&](auto done) { at(shard).create_stream(guest, "/", name, arguments, std::move(done)); }));
  }
  std::string remove(std::uint32_t shard, std::string_view name) {
    return word(ask([&](auto done) { at(shard).delete_stream(guest, "/", name, std::move(done)); }));
  }
  std::string create_super(std::uint32_t shard, std::string_view name, std::vector<std::string> partitions,
                           std::vector<std::string> keys) {
    return word(ask([&](auto done) {
      at(shard).create_super_stream(guest, "/", name, partitions, keys, {}, std::move(done));
    }));
  }
  template <class T>
  static std::string word(const base::Result<T>& result) {
    return result ? "ok" : std::string(to_string(result.error().code));
  }

  void publish(std::uint32_t shard, ClientId client, Token token, std::uint64_t first_id,
               const std::vector<std::string>& bodies, std::string_view filter = {}) {
    std::vector<broker::PublishEntry> entries;
    for (const auto& body : bodies) {
      entries.push_back({.publishing_id = first_id++, .filter_value = filter, .body = base::as_bytes(body)});
    }
    at(shard).publish(client, token, entries);
  }
  static broker::SubscribeRequest request(std::string_view stream, broker::OffsetSpec::Kind from) {
    broker::SubscribeRequest made;
    made.vhost = "/";
    made.stream = stream;
    made.offset.kind = from;
    return made;
  }
  base::Result<broker::Consumer*> subscribe(std::uint32_t shard, ClientId client, Token token,
                                            broker::SubscribeRequest request) {
    return ask<broker::Consumer*>(
        [&](auto done) { at(shard).add_consumer(client, token, std::move(request), std::move(done)); });
  }

  TestShard ports;
  PairedMail mail;
  std::vector<FakeWorkQueues*> queues;  // by shard, when they are fakes

 private:
  void start(std::unique_ptr<storage::MetadataStore> store) {
    const auto shard_count = static_cast<std::uint32_t>(shards_.size());
    set_ = std::make_unique<broker::ShardSet>(options_, shard_count, std::move(store), nullptr);
    queues.clear();
    if (fake_queues_) {
      set_->open_queues = [this](std::span<const queue::WorkQueues::Setup> setups,
                                 queue::WorkListener& listener) {
        auto made = std::make_unique<FakeWorkQueues>(listener);
        for (const auto& setup : setups) REQUIRE(made->create(setup));
        queues.push_back(made.get());
        return base::Result<std::unique_ptr<queue::WorkQueues>>(std::move(made));
      };
    }
    for (auto& shard : shards_) {
      auto made = broker::create_broker(shard, *set_);
      REQUIRE(made);
      brokers_.push_back(std::move(*made));
    }
    ports.background.queued = true;
    settle();
  }

  broker::BrokerOptions options_;
  const bool fake_queues_;
  std::vector<base::Shard> shards_;
  std::unique_ptr<broker::ShardSet> set_;
  std::vector<std::unique_ptr<Broker>> brokers_;
};

}  // namespace sluice::test
