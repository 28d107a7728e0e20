// SPDX-License-Identifier: Apache-2.0
// Random lives of clients, streams and shards: mail arrives in any order between pairs of shards, background
// work ends at any time. Whatever happens: nobody hears anything after it is gone; each publishing id is
// answered at most once and, where its publisher still lives, exactly once; at rest all shards agree and
// nothing is left over.
#include <set>

#include "world.h"

using namespace sluice;
using namespace sluice::test;

namespace {

constexpr std::uint32_t shard_count = 3;
constexpr int stream_count = 4;

struct RandomClient final : broker::Client {
  std::uint32_t shard = 0;
  ClientId id;
  bool gone = false;
  Token next_token = 1;
  std::map<Token, std::string> publishers;
  std::map<Token, std::set<std::uint64_t>> unanswered;
  std::set<Token> asked;  // subscriptions on their way
  std::map<Token, std::pair<std::string, broker::Consumer*>> consumers;

  void answer(Token token, std::span<const std::uint64_t> ids) {
    REQUIRE_FALSE(gone);
    REQUIRE(publishers.contains(token));
    for (const auto each : ids) REQUIRE(unanswered[token].erase(each) == 1);
  }
  void on_confirmed(Token token, std::span<const std::uint64_t> ids) override { answer(token, ids); }
  void on_refused(Token token, std::span<const std::uint64_t> ids, base::Errc) override {
    answer(token, ids);
  }
  void on_readable(Token token) override {
    REQUIRE_FALSE(gone);
    REQUIRE(consumers.contains(token));
    read(token);
  }
  void on_consumer_update(Token token, bool) override {
    REQUIRE_FALSE(gone);
    REQUIRE(consumers.contains(token));
    updates.push_back(token);
  }
  void on_stream_lost(std::string_view, std::string_view name) override {
    REQUIRE_FALSE(gone);
    std::erase_if(publishers, [&](const auto& each) { return each.second == name; });
    std::erase_if(consumers, [&](const auto& each) { return each.second.first == name; });
  }
  void on_flow(bool) override { REQUIRE_FALSE(gone); }
  void on_close_requested(std::string_view) override {}
  broker::ConnectionRow describe() const override { return {}; }
  void list_publishers(std::vector<broker::PublisherRow>&) const override {}
  void list_consumers(std::vector<broker::ConsumerRow>&) const override {}

  void read(Token token) {
    FakeSink sink;
    consumers.at(token).second->deliver(3, sink);
  }
  std::vector<Token> updates;  // to be answered some time
};

class Life {
 public:
  explicit Life(std::uint64_t seed) : world_(shard_count, {}, seed), random_(seed) {}

  void step() {
    switch (random_.next() % 16) {
      case 0:
        return create(stream());
      case 1:
        if (draw(3) == 0) remove(stream());
        return;
      case 2:
        return join();
      case 3:
        if (draw(4) == 0) leave();
        return;
      case 4:
        return add_publisher();
      case 5:
      case 6:
      case 7:
      case 8:
        return publish();
      case 9:
      case 10:
        return subscribe();
      case 11:
        return unsubscribe();
      case 12:
        return answer_updates();
      default:
        for (auto left = draw(6); left > 0; --left) world_.mail.run_one();
        if (draw(2) == 0) world_.ports.background.run_all();
        world_.at(draw(shard_count)).on_turn_end();
    }
  }

  void rest() {
    for (int i = 0; i < 3; ++i) {
      world_.settle();
      answer_updates();
    }
    world_.tick(20'000);
    for (const auto& client : clients_) {
      for (const auto& [token, ids] : client->unanswered) {
        if (!client->gone && client->publishers.contains(token)) REQUIRE(ids.empty());
      }
    }
    for (int i = 0; i < stream_count; ++i) {
      const auto name = "s" + std::to_string(i);
      for (std::uint32_t shard = 0; shard < shard_count; ++shard) {
        REQUIRE(world_.at(shard).stream_exists("/", name) == world_.at(0).stream_exists("/", name));
      }
    }
    while (!living().empty()) leave();
    world_.settle();
    const auto rows = world_.ask<std::vector<broker::StreamRow>>(
        [&](auto done) { world_.at(0).list_streams(std::move(done)); });
    for (const auto& row : *rows) {
      REQUIRE(row.publishers == 0);
      REQUIRE(row.consumers == 0);
      REQUIRE(row.state == "running");
    }
    const auto groups = world_.ask<std::vector<broker::GroupRow>>(
        [&](auto done) { world_.at(0).list_groups(std::move(done)); });
    REQUIRE(groups->empty());
    for (std::uint32_t shard = 0; shard < shard_count; ++shard) {
      REQUIRE(world_.set().metrics(base::ShardId{shard}).publishers.get() == 0);
      REQUIRE(world_.set().metrics(base::ShardId{shard}).consumers.get() == 0);
    }
  }

 private:
  std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(random_.next() % below); }
  std::string stream() { return "s" + std::to_string(draw(stream_count)); }
  std::vector<RandomClient*> living() {
    std::vector<RandomClient*> found;
    for (const auto& each : clients_) {
      if (!each->gone) found.push_back(each.get());
    }
    return found;
  }
  RandomClient* any() {
    const auto all = living();
    return all.empty() ? nullptr : all[draw(static_cast<std::uint32_t>(all.size()))];
  }

  void create(const std::string& name) {
    world_.at(draw(shard_count)).create_stream(guest, "/", name, {}, [](auto) {});
  }
  void remove(const std::string& name) {
    world_.at(draw(shard_count)).delete_stream(guest, "/", name, [](auto) {});
  }
  void join() {
    if (living().size() > 8) return;
    auto& client = *clients_.emplace_back(std::make_unique<RandomClient>());
    client.shard = draw(shard_count);
    client.id = world_.at(client.shard).add_client(client);
  }
  void leave() {
    auto* client = any();
    if (!client) return;
    world_.at(client->shard).remove_client(client->id);
    client->gone = true;
    client->consumers.clear();
  }
  void add_publisher() {
    auto* client = any();
    if (!client) return;
    const auto name = stream();
    const auto token = client->next_token++;
    if (world_.at(client->shard).add_publisher(client->id, token, "/", name, draw(2) ? "ref" : "")) {
      client->publishers[token] = name;
    }
  }
  void publish() {
    auto* client = any();
    if (!client || client->publishers.empty()) return;
    auto at = client->publishers.begin();
    std::advance(at, draw(static_cast<std::uint32_t>(client->publishers.size())));
    std::vector<std::string> bodies(1 + draw(5), "body");
    for (std::size_t i = 0; i < bodies.size(); ++i) client->unanswered[at->first].insert(next_id_ + i);
    world_.publish(client->shard, client->id, at->first, next_id_, bodies);
    next_id_ += bodies.size();
    if (draw(8) == 0) {
      world_.at(client->shard).remove_publisher(client->id, at->first);
      client->publishers.erase(at);
    }
  }
  void subscribe() {
    auto* client = any();
    if (!client) return;
    const auto name = stream();
    const auto token = client->next_token++;
    auto request = World::request(name, broker::OffsetSpec::Kind::first);
    request.single_active = draw(2) == 0;
    request.name = "group";
    client->asked.insert(token);
    world_.at(client->shard).add_consumer(client->id, token, request, [client, token, name](auto consumer) {
      REQUIRE_FALSE(client->gone);
      if (client->asked.erase(token) == 0) {
        REQUIRE_FALSE(consumer.has_value());
        return;
      }
      if (!consumer) return;
      client->consumers[token] = {name, *consumer};
      client->read(token);
    });
  }
  void unsubscribe() {
    auto* client = any();
    if (!client) return;
    Token token = 0;
    if (!client->asked.empty() && draw(2) == 0) {
      token = *client->asked.begin();
      client->asked.erase(token);
    } else if (!client->consumers.empty()) {
      token = client->consumers.begin()->first;
      client->consumers.erase(token);
    }
    if (token != 0) world_.at(client->shard).remove_consumer(client->id, token);
  }
  void answer_updates() {
    for (auto* client : living()) {
      for (const auto token : std::exchange(client->updates, {})) {
        world_.at(client->shard).consumer_updated(client->id, token, std::nullopt);
      }
    }
  }

  World world_;
  SeededRandom random_;
  std::vector<std::unique_ptr<RandomClient>> clients_;
  std::uint64_t next_id_ = 1;
};

}  // namespace

TEST_CASE("broker: random lives") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    Life life(seed);
    for (int i = 0; i < 400; ++i) life.step();
    life.rest();
  }
}
