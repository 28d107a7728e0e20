// SPDX-License-Identifier: Apache-2.0
#include "sim/node.h"

#include "sim/client.h"
#include "sim/link.h"

namespace sluice::sim {
namespace {

constexpr std::int64_t tick_us = 100'000;

template <class T>
T must(World& world, std::string_view what, base::Result<T> result) {
  if (!result) world.fail("{}: {}", what, result.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::unique_ptr<storage::MetadataStore> copy_of(World& world, const storage::MetadataStore& store) {
  using Store = storage::MetadataStore;
  auto copy = must(world, "metadata", Store::open_in_memory());
  for (const Store::Table table : {Store::Table::catalog, Store::Table::offsets}) {
    std::vector<Store::Change> changes;
    must(world, "metadata", store.scan(table, "", [&](std::string_view key, std::string_view value) {
      changes.push_back({table, std::string(key), std::string(value), false});
    }));
    if (!changes.empty()) must(world, "metadata", copy->write(changes, false));
  }
  return copy;
}

}  // namespace

Node::Core::Core(Node& node, std::uint32_t id, std::uint32_t shards)
    : random(node.world_),
      mail(node, shards),
      background(node, base::ShardId{id}),
      shard{base::ShardId{id}, shards, node.clock_, random, *node.disk_, background, mail, node.logger_} {}

Node::Node(World& world, std::uint32_t shards)
    : world_(world),
      shard_count_(shards),
      clock_(world),
      logger_(world),
      disk_(std::make_unique<SimDisk>(std::make_unique<test::MemoryDisk>())),
      metadata_(must(world, "metadata", storage::MetadataStore::open_in_memory())) {}

Node::~Node() {
  on_death = nullptr;
  if (running()) kill();
}

void Node::start() {
  world_.note("node starts on {} shards", shard_count_);
  owner_ = ++starts_;
  broker::BrokerOptions options;
  options.data_dir = "/data";
  options.chunk_bytes_max = base::ByteSize{static_cast<std::uint64_t>(world_.dice.between(1000, 30'000))};
  options.segment_bytes_max = base::ByteSize{static_cast<std::uint64_t>(world_.dice.between(10'000, 60'000))};
  options.disk_free_limit = base::ByteSize{10'000};
  if (world_.dice.one_in(3)) options.linger = base::DurationMs{world_.dice.between(1, 20)};
  auto store = copy_of(world_, *metadata_);
  set_ = std::make_unique<broker::ShardSet>(options, shard_count_, std::move(store), nullptr);
  stream_node_ = std::make_unique<stream::Node>();
  stream_node_->options.heartbeat = 0;
  stream_node_->cluster_name = "sim";
  stream_node_->sluice_version = "sim";
  for (std::uint32_t id = 0; id < shard_count_; ++id) {
    Core& core = *cores_.emplace_back(std::make_unique<Core>(*this, id, shard_count_));
    core.broker = must(world_, "broker", broker::create_broker(core.shard, *set_));
    core.context.reset(new stream::Context{core.shard, *core.broker, *stream_node_, core.metrics});
  }
  for (std::uint32_t id = 0; id < shard_count_; ++id)
    world_.after(world_.dice.between(0, tick_us), owner_, [this, id] { tick(id); });
}

void Node::tick(std::uint32_t id) {
  world_.after(tick_us, owner_, [this, id] { tick(id); });
  turn(base::ShardId{id}, [this, id] {
    Core& core = *cores_[id];
    core.broker->on_tick(clock_.monotonic_ms());
    const auto links = core.links;
    for (const auto& link : links) link->tick(clock_.monotonic_ms());
  });
}

void Node::turn(base::ShardId shard, base::Task task) {
  INVARIANT(!in_turn_, "a turn inside of a turn");
  in_turn_ = true;
  Core& core = *cores_[shard.value];
  task();
  end_turn(core);
  in_turn_ = false;
  if (doomed_) die(*std::exchange(doomed_, std::nullopt));
}

void Node::end_turn(Core& core) {
  core.broker->on_turn_end();
  const auto dirty = std::exchange(core.dirty, {});
  for (const auto& link : dirty) link->service();
  // What the end of the turn made dirty is served in a turn of its own.
  if (!core.dirty.empty()) world_.after(1, owner_, [this, id = core.shard.id] { turn(id, [] {}); });
  core.mail.push();
  std::erase_if(core.links, [](const auto& link) { return link->closed(); });
}

void Node::add_dirty(base::ShardId shard, std::shared_ptr<Link> link) {
  Core& core = *cores_[shard.value];
  if (!in_turn_ && core.dirty.empty()) world_.after(1, owner_, [this, shard] { turn(shard, [] {}); });
  core.dirty.push_back(std::move(link));
}

std::shared_ptr<Link> Node::accept(Client& client) {
  if (!running()) return nullptr;
  const base::ShardId shard{static_cast<std::uint32_t>(world_.dice.below(shard_count_))};
  auto link = std::make_shared<Link>(*this, shard, client);
  cores_[shard.value]->links.push_back(link);
  world_.after(world_.dice.between(10, 500), owner_,
               [this, link, shard] { turn(shard, [&] { link->start(*cores_[shard.value]->context); }); });
  return link;
}

// ---- the end

Node::Remains Node::take_remains() {
  return {files().copy(), copy_of(world_, set_->store())};
}

void Node::arm_kill(std::uint64_t changes) {
  disk_->arm_kill(changes, world_.dice.below(1001), [this] {
    world_.note("killed in the middle of a change");
    if (!doomed_) doomed_ = take_remains();
    // A change made outside of a turn (background work) has no end of turn to wait for.
    if (!in_turn_)
      world_.after(0, owner_, [this] {
        if (doomed_) die(*std::exchange(doomed_, std::nullopt));
      });
  });
}

void Node::kill() {
  world_.note("killed");
  die(doomed_ ? *std::exchange(doomed_, std::nullopt) : take_remains());
}

void Node::lose_power() {
  const std::size_t kept = world_.dice.one_in(2) ? 0 : world_.dice.below(5000);
  world_.note("power lost, {} unsynced bytes kept", kept);
  Remains remains = doomed_ ? *std::exchange(doomed_, std::nullopt) : take_remains();
  remains.files->lose_power(kept);
  die(std::move(remains));
}

// The doomed objects are taken down in the order the server would use; what they still write goes to a disk
// that nobody will read.
void Node::die(Remains remains) {
  world_.drop(owner_);
  std::vector<std::shared_ptr<Link>> links;
  for (const auto& core : cores_) {
    links.insert(links.end(), core->links.begin(), core->links.end());
    core->links.clear();
    core->dirty.clear();
  }
  for (const auto& link : links) link->cut();
  for (const auto& core : cores_) core->context.reset();
  for (const auto& core : cores_) core->broker.reset();
  world_.drop(owner_);
  set_.reset();
  cores_.clear();
  stream_node_.reset();
  disk_ = std::make_unique<SimDisk>(std::move(remains.files));
  metadata_ = std::move(remains.metadata);
  if (on_death) on_death();
}

// ---- ports

void Node::SimMail::push() {
  std::map<std::uint32_t, std::vector<base::Task>> batches;
  for (auto& [to, task] : waiting_) batches[to.value].push_back(std::move(task));
  waiting_.clear();
  for (auto& [to, tasks] : batches) {
    World& world = node_.world_;
    std::int64_t& arrival_us = arrival_us_[to];
    arrival_us =
        std::max(arrival_us + 1, world.now_us() + world.dice.between(1, world.dice.one_in(20) ? 5000 : 100));
    world.after(arrival_us - world.now_us(), node_.owner_,
                [&node = node_, shard = base::ShardId{to}, due = std::move(tasks)]() mutable {
                  node.turn(shard, [&] {
                    for (base::Task& task : due) task();
                  });
                });
  }
}

void Node::SimBackground::run(base::Task work, base::Task done) {
  World& world = node_.world_;
  const std::int64_t slow = world.dice.one_in(20) ? 200'000 : 3000;
  world.after(world.dice.between(1, slow), node_.owner_,
              [this, work = std::move(work), done = std::move(done)]() mutable {
                if (work) work();
                work = nullptr;
                if (!done) return;
                node_.world_.after(
                    node_.world_.dice.between(1, 500), node_.owner_,
                    [this, done = std::move(done)]() mutable { node_.turn(shard_, std::move(done)); });
              });
}

void Node::SimLogger::write(base::LogLevel level, std::string_view domain, std::string_view message,
                            std::initializer_list<base::LogField> fields) {
  if (!enabled(level) || (domain == "connection" && level == base::LogLevel::info)) return;
  std::string text = fmt::format("    log {}: {}", domain, message);
  for (const base::LogField& field : fields) text += fmt::format(" {}={}", field.key, field.value);
  world_.note("{}", text);
}

}  // namespace sluice::sim
