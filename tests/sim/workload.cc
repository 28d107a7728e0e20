// SPDX-License-Identifier: Apache-2.0
#include "sim/workload.h"

#include <algorithm>

namespace sluice::sim {
namespace {

constexpr std::size_t streams_max = 6;
constexpr std::size_t publishers_max = 8;
constexpr std::size_t readers_max = 12;
constexpr std::size_t members_max = 8;
constexpr int partitions = 3;
constexpr std::int64_t ms = 1000;  // in us

}  // namespace

Workload::Workload(World& world, std::uint64_t steps)
    : world_(world),
      steps_left_(steps),
      node_(std::make_unique<Node>(world, static_cast<std::uint32_t>(1 + world.dice.below(4)))),
      admin_(std::make_shared<Admin>(*node_)) {
  node_->on_death = [this] {
    world_.after(world_.dice.between(1 * ms, 500 * ms), nobody, [this] {
      if (!node_->running()) node_->start();
    });
  };
}

Workload::~Workload() {
  publishers_.clear();
  readers_.clear();
  members_.clear();
  admin_.reset();
}

void Workload::run() {
  node_->start();
  admin_->connect();
  add_stream();
  add_stream();
  add_groups();
  world_.after(10 * ms, nobody, [this] { step(); });
  while (steps_left_ > 0 && world_.step()) continue;
  heal();
  check();
}

void Workload::step() {
  if (--steps_left_ == 0) return;
  world_.after(world_.dice.between(1, world_.dice.one_in(10) ? 300 * ms : 10 * ms), nobody,
               [this] { step(); });
  const std::uint64_t kind = world_.dice.below(1000);
  if (kind < 8) return make_trouble();
  if (kind < 16) return add_stream();
  if (kind < 19) return delete_stream();
  if (kind < 60) return add_publisher();
  if (kind < 100) return add_reader();
  if (kind < 110) return add_member();
  if (kind < 115 && !readers_.empty()) return world_.dice.pick(readers_)->leave();
  if (kind < 120 && !publishers_.empty()) return world_.dice.pick(publishers_)->leave();
  if (kind < 124 && !members_.empty()) return world_.dice.pick(members_)->leave();
  publish();
}

// ---- clients

template <class T>
void Workload::forget_gone(std::vector<std::shared_ptr<T>>& clients) {
  std::erase_if(clients, [](const auto& client) { return client->left(); });
}

std::shared_ptr<StreamModel> Workload::pick_stream() {
  std::vector<std::shared_ptr<StreamModel>> usable;
  for (const auto& stream : streams_)
    if (stream->created && !stream->ending) usable.push_back(stream);
  return usable.empty() ? nullptr : world_.dice.pick(usable);
}

void Workload::add_stream() {
  if (streams_.size() >= streams_max + partitions) return;
  std::string name = fmt::format("stream-{}", ++named_streams_);
  if (!free_names_.empty() && world_.dice.one_in(2)) {
    name = free_names_.back();
    free_names_.pop_back();
  }
  const bool synced = world_.dice.one_in(2);
  const bool bounded = world_.dice.one_in(4);
  Admin::Arguments arguments;
  if (synced) arguments.emplace_back("durability", "synced");
  if (bounded)
    arguments.emplace_back("max-length-bytes", std::to_string(world_.dice.between(20'000, 200'000)));
  if (world_.dice.one_in(2))
    arguments.emplace_back("stream-filter-size-bytes", std::to_string(world_.dice.between(16, 255)));
  auto stream = std::make_shared<StreamModel>(name, synced, bounded);
  world_.note("{} is to be created{}{}", name, synced ? ", synced" : "", bounded ? ", bounded" : "");
  streams_.push_back(stream);
  admin_->create(std::move(stream), std::move(arguments));
}

void Workload::delete_stream() {
  const auto stream = pick_stream();
  if (!stream || stream->name.starts_with("fleet")) return;
  world_.note("{} is to be deleted", stream->name);
  stream->ending = true;
  admin_->remove(stream, [this, stream] {
    std::erase(streams_, stream);
    // Whoever still asked for the old stream must not meet a new one of its name.
    world_.after(5000 * ms, nobody, [this, name = stream->name] { free_names_.push_back(name); });
  });
}

void Workload::add_publisher() {
  forget_gone(publishers_);
  const auto stream = pick_stream();
  if (!stream || publishers_.size() >= publishers_max) return;
  publishers_.push_back(std::make_shared<Publisher>(*node_, ++clients_, stream, world_.dice.one_in(2)));
  publishers_.back()->connect();
}

// One group over a superstream and one over a plain stream, both of which stay.
void Workload::add_groups() {
  std::vector<std::shared_ptr<StreamModel>> fleet;
  auto group = std::make_shared<Group>("app", "fleet", std::vector<GroupPlace>{});
  for (int i = 0; i < partitions; ++i) {
    fleet.push_back(std::make_shared<StreamModel>(fmt::format("fleet-{}", i), true, false));
    streams_.push_back(fleet.back());
    group->places.push_back({.stream = fleet.back()});
  }
  auto single = std::make_shared<Group>("single", "", std::vector<GroupPlace>{{.stream = fleet.back()}});
  groups_ = {std::move(group), std::move(single)};
  admin_->create_super("fleet", std::move(fleet));
}

void Workload::add_member() {
  forget_gone(members_);
  const auto& group = world_.dice.pick(groups_);
  if (!group->places.front().stream->created || members_.size() >= members_max) return;
  members_.push_back(
      std::make_shared<Member>(*node_, fmt::format("member {} of {}", ++clients_, group->name), group));
  members_.back()->connect();
}

Wanted Workload::pick_wanted() {
  Wanted wanted;
  switch (world_.dice.below(7)) {
    case 0:
      break;
    case 1:
      wanted.values = {"KR"};
      break;
    case 2:
      wanted = {.values = {"KR", "dev-7"}, .match_unfiltered = true};
      break;
    case 3:
      wanted.expression = "country IN ('KR','JP') AND temp > 30";
      wanted.countries = {"KR", "JP"};
      wanted.temp_above = 30;
      break;
    case 4:
      wanted.expression = "temp > 60";
      wanted.temp_above = 60;
      break;
    case 5:
      wanted.values = {"JP", "DE"};
      wanted.expression = "temp > 50";
      wanted.temp_above = 50;
      break;
    case 6:
      wanted.expression = "filter = 'dev-3' OR filter = 'FR'";
      wanted.countries = {"dev-3", "FR"};
      break;
  }
  static constexpr const char* modes[] = {"", "auto", "exact", "chunk"};
  if (wanted.filtered()) wanted.mode = world_.dice.pick(modes);
  return wanted;
}

void Workload::add_reader() {
  forget_gone(readers_);
  const auto stream = pick_stream();
  if (!stream || readers_.size() >= readers_max) return;
  std::optional<std::uint64_t> from = 0;
  if (world_.dice.one_in(4)) from.reset();
  if (world_.dice.one_in(4)) from = world_.dice.below(1000);
  Wanted wanted = pick_wanted();
  const std::string name = fmt::format("reader {} of {} ({} values, '{}', {})", ++clients_, stream->name,
                                       wanted.values.size(), wanted.expression, wanted.mode);
  readers_.push_back(std::make_shared<Reader>(*node_, name, stream, std::move(wanted), from));
  readers_.back()->connect();
}

void Workload::publish() {
  forget_gone(publishers_);
  if (!publishers_.empty()) world_.dice.pick(publishers_)->publish_some();
}

// ---- fate

void Workload::restart_within(std::int64_t within_ms) {
  world_.after(world_.dice.between(0, within_ms * ms), nobody, [this, starts = node_->starts()] {
    if (node_->running() && node_->starts() == starts) node_->kill();
  });
}

void Workload::make_trouble() {
  if (!node_->running()) return;
  switch (world_.dice.below(8)) {
    case 0:
      return node_->kill();
    case 1:
    case 2:
      return node_->arm_kill(1 + world_.dice.below(40));
    case 3:
      for (const auto& stream : streams_)
        if (!stream->synced) stream->forget();
      return node_->lose_power();
    case 4:
      world_.note("a write will fail");
      node_->files().fail_write(1 + world_.dice.below(20), world_.dice.below(3000));
      return restart_within(3000);
    case 5:
      world_.note("a sync will fail");
      node_->files().fail_sync(1 + world_.dice.below(10));
      return restart_within(3000);
    case 6: {
      const std::uint64_t left = world_.dice.below(60'000);
      world_.note("the disk has {} bytes left", left);
      node_->files().set_room(left);
      return restart_within(3000);
    }
    case 7:
      return;
  }
}

// ---- the end

void Workload::run_for(std::int64_t for_ms) {
  const std::int64_t until_us = world_.now_us() + for_ms * ms;
  while (world_.now_us() < until_us && world_.step()) continue;
}

void Workload::heal() {
  world_.note("healing");
  run_for(2000);
  if (node_->running()) node_->kill();  // logs that went offline come back
  run_for(20'000);
  forget_gone(publishers_);
  forget_gone(readers_);
  forget_gone(members_);
  if (!node_->running()) world_.fail("the node does not run");
  if (!admin_->idle()) world_.fail("the administrator still waits for an answer");
  for (const auto& publisher : publishers_) {
    if (publisher->stream().ending) continue;
    if (!publisher->is_open()) world_.fail("{} does not get through", publisher->name());
    if (!publisher->settled()) world_.fail("{} still waits for answers", publisher->name());
  }
}

void Workload::check() {
  std::vector<std::shared_ptr<Reader>> scans;
  for (const auto& stream : streams_) {
    if (!stream->created || stream->ending) continue;
    scans.push_back(std::make_shared<Reader>(*node_, "scan of " + stream->name, stream, Wanted{}, 0));
    scans.back()->connect();
  }
  run_for(20'000);
  for (const auto& scan : scans) {
    scan->stream().check(world_, scan->received());
    scan->check(scan->received());
    checked_messages_ += scan->received().size();
    for (const auto& reader : readers_)
      if (&reader->stream() == &scan->stream()) reader->check(scan->received());
  }
  check_groups(scans);
}

void Workload::check_groups(const std::vector<std::shared_ptr<Reader>>& scans) const {
  for (const auto& group : groups_) {
    const auto in_group = [&](const auto& member) { return member->is_in(*group); };
    if (std::none_of(members_.begin(), members_.end(), in_group)) continue;
    for (const auto& member : members_)
      if (in_group(member) && !member->joined()) world_.fail("{} has not joined", member->name());
    for (const GroupPlace& place : group->places) {
      const std::string& stream = place.stream->name;
      if (place.active == nullptr) world_.fail("nobody of {} is active in {}", group->name, stream);
      for (const auto& scan : scans) {
        if (&scan->stream() != place.stream.get() || scan->received().empty()) continue;
        const std::uint64_t end = scan->received().rbegin()->first + 1;
        if (place.next != end)
          world_.fail("{} stands at {} of {} in {}", group->name, place.next, end, stream);
      }
    }
  }
}

std::string Workload::summary() const {
  std::uint64_t handovers = 0;
  for (const auto& group : groups_)
    for (const GroupPlace& place : group->places) handovers += place.handovers;
  return fmt::format("{} streams, {} messages, {} starts, {} consumers made active", streams_.size(),
                     checked_messages_, node_->starts(), handovers);
}

}  // namespace sluice::sim
