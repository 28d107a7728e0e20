// SPDX-License-Identifier: Apache-2.0
// One broker with its shards in the simulated world: start, kill, lose power, start again on what survived.
// Plays the runtime: turns of shards, mail, background work, connections. A turn is one event; after it the
// shard's chunks are flushed and its connections served, as src/runtime does.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "broker/shard_set.h"
#include "sim/sim_disk.h"
#include "sim/world.h"
#include "stream/session.h"

namespace sluice::sim {

class Client;
class Link;

class SimClock final : public base::Clock {
 public:
  explicit SimClock(const World& world) : world_(world) {}
  std::int64_t wall_ms() const override { return 1'700'000'000'000 + world_.now_us() / 1000; }
  std::int64_t monotonic_ms() const override { return 1'000'000 + world_.now_us() / 1000; }

 private:
  const World& world_;
};

class Node {
 public:
  Node(World& world, std::uint32_t shards);
  ~Node();

  void start();
  void kill();        // now, between two events
  void lose_power();  // the same, and what was not synced is gone (but for a part of it)
  // Dies in the n-th change of its disk from now on, in the middle of a write perhaps.
  void arm_kill(std::uint64_t changes);
  bool running() const { return !cores_.empty(); }
  test::MemoryDisk& files() { return disk_->files(); }
  std::uint32_t starts() const { return starts_; }

  // Called when the node is gone, by whatever cause.
  std::function<void()> on_death;

  std::shared_ptr<Link> accept(Client& client);

  // ---- for links
  World& world() { return world_; }
  Owner owner() const { return owner_; }
  void turn(base::ShardId shard, base::Task task);
  void add_dirty(base::ShardId shard, std::shared_ptr<Link> link);

 private:
  class SimRandom final : public base::Random {
   public:
    explicit SimRandom(World& world) : world_(world) {}
    std::uint64_t next() override { return world_.dice.next(); }

   private:
    World& world_;
  };
  class SimMail final : public base::Mail {
   public:
    SimMail(Node& node, std::uint32_t shards) : node_(node), arrival_us_(shards) {}
    void send(base::ShardId to, base::Task task) override { waiting_.emplace_back(to, std::move(task)); }
    void push();  // end of turn

   private:
    Node& node_;
    std::vector<std::pair<base::ShardId, base::Task>> waiting_;
    std::vector<std::int64_t> arrival_us_;  // of the last batch, by shard: a pair of shards keeps its order
  };
  class SimBackground final : public base::Background {
   public:
    SimBackground(Node& node, base::ShardId shard) : node_(node), shard_(shard) {}
    void run(base::Task work, base::Task done) override;

   private:
    Node& node_;
    base::ShardId shard_;
  };
  class SimLogger final : public base::Logger {
   public:
    explicit SimLogger(World& world) : world_(world) {}
    bool enabled(base::LogLevel level) const override { return level >= base::LogLevel::info; }
    void write(base::LogLevel level, std::string_view domain, std::string_view message,
               std::initializer_list<base::LogField> fields) override;

   private:
    World& world_;
  };
  // One shard: its ports, its broker, its connections.
  struct Core {
    Core(Node& node, std::uint32_t id, std::uint32_t shards);
    SimRandom random;
    SimMail mail;
    SimBackground background;
    base::Shard shard;
    stream::Metrics metrics;
    std::unique_ptr<broker::Broker> broker;
    std::unique_ptr<stream::Context> context;
    std::vector<std::shared_ptr<Link>> links, dirty;
  };
  // What a dead process leaves behind.
  struct Remains {
    std::unique_ptr<test::MemoryDisk> files;
    std::unique_ptr<storage::MetadataStore> metadata;
  };

  Remains take_remains();
  void die(Remains remains);
  void end_turn(Core& core);
  void tick(std::uint32_t shard);

  World& world_;
  std::uint32_t shard_count_;
  SimClock clock_;
  SimLogger logger_;
  std::unique_ptr<SimDisk> disk_;
  std::unique_ptr<storage::MetadataStore> metadata_;
  std::unique_ptr<broker::ShardSet> set_;
  std::unique_ptr<stream::Node> stream_node_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::optional<Remains> doomed_;  // killed in the middle of the event that is running
  Owner owner_ = nobody;
  std::uint32_t starts_ = 0;
  bool in_turn_ = false;

  friend class Link;
};

}  // namespace sluice::sim
