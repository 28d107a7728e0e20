// SPDX-License-Identifier: Apache-2.0
// JournalWorld: a journal on a false disk with a small owner - queues of messages that are alive or settled -
// and a model of what every prefix of the journal means, for tests of storage/journal. The disk can kill the
// process at any of its changes (sim/sim_disk.h), and lose power.
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "base/check.h"
#include "sim/sim_disk.h"
#include "storage/journal.h"
#include "storage/journal_metrics.h"
#include "support/test_shard.h"

namespace sluice::test {

// What is alive: queue -> offset -> number of the message.
struct JournalState {
  struct Queue {
    std::uint64_t next_offset = 0;
    std::map<std::uint64_t, std::uint64_t> live;
    friend bool operator==(const Queue&, const Queue&) = default;
  };
  std::map<std::uint64_t, Queue> queues;
  friend bool operator==(const JournalState&, const JournalState&) = default;
};

class JournalWorld : public storage::JournalOwner, public storage::JournalVisitor {
 public:
  explicit JournalWorld(std::uint64_t seed, const storage::JournalOptions& wanted = {})
      : random(seed), options(wanted) {
    options.metrics = &metrics;
  }

  base::Result<> open() {
    state = {};
    synced = 0;
    offline = false;
    auto opened = storage::Journal::open(shard, directory, options, *this, *this);
    if (!opened) return std::unexpected(opened.error());
    journal = *std::move(opened);
    for (const auto queue : deleted) {
      journal->forget(base::QueueId{queue});
      state.queues.erase(queue);
    }
    release_settled();
    return {};
  }

  static base::ByteBuffer content_of(std::uint64_t number) {
    const std::string text = fmt::format("message {} ", number);
    base::ByteBuffer bytes(text.begin(), text.end());
    bytes.resize(text.size() + number * 7919 % 300, static_cast<std::uint8_t>(number));
    return bytes;
  }
  static storage::MessageMeta meta_of(std::uint64_t number) {
    return {.received_at_ms = static_cast<std::int64_t>(number * 3),
            .expires_at_ms = number % 5 == 0 ? static_cast<std::int64_t>(number + 1) : 0,
            .priority = static_cast<std::uint8_t>(number % 11),
            .has_priority = number % 2 == 0,
            .persistent = number % 7 != 0};
  }

  void publish(std::uint64_t number, const std::vector<std::uint64_t>& queues) {
    std::vector<storage::MessagePlace> places;
    for (const auto queue : queues) {
      auto& of = state.queues[queue];
      places.push_back({base::QueueId{queue}, base::Offset{of.next_offset}});
      of.live[of.next_offset++] = number;
    }
    const auto content = content_of(number);
    const base::ByteView parts[] = {base::ByteView(content).first(5), base::ByteView(content).subspan(5)};
    journal->append_message(meta_of(number), parts, places);
    remember();
  }
  // Offsets [first, last] of the queue, those that are alive.
  void settle(std::uint64_t queue, std::uint64_t first, std::uint64_t last) {
    base::ByteBuffer event;
    base::ByteWriter writer(event);
    writer.write(first);
    writer.write(last);
    journal->append_event(base::QueueId{queue}, event);
    apply_settle(queue, first, last);
    journal->release(base::QueueId{queue}, base::Offset{first}, base::Offset{last});
    remember();
  }
  void remove_queue(std::uint64_t queue) {
    deleted.insert(queue);
    state.queues.erase(queue);
    for (auto& [point, past] : history) past.queues.erase(queue);
    journal->forget(base::QueueId{queue});
    remember();
  }

  // Everything alive can be read and is what was published.
  void check_all_readable() const {
    for (const auto& [queue, of] : state.queues)
      for (const auto& [offset, number] : of.live) check_readable(queue, offset, number);
  }
  void check_readable(std::uint64_t queue, std::uint64_t offset, std::uint64_t number) const {
    const auto message = journal->read({base::QueueId{queue}, base::Offset{offset}});
    INVARIANT(message, "queue {} offset {}: {}", queue, offset, message.error().text);
    const auto content = content_of(number);
    INVARIANT(std::ranges::equal(message->content, content), "queue {} offset {} has another content: {}",
              queue, offset, base::as_text(message->content));
    INVARIANT(message->meta == meta_of(number), "queue {} offset {} has another meta", queue, offset);
  }

  // After open(): the state is that of the journal's prefix that was found, and the prefix is long enough.
  void check_recovered(std::uint64_t promised) {
    const auto found = journal->end().value;
    INVARIANT(found >= promised, "{} bytes are there, {} were promised", found, promised);
    auto behind = history.upper_bound(found);
    const JournalState expected = behind == history.begin() ? JournalState{} : std::prev(behind)->second;
    for (auto& [queue, of] : expected.queues) {
      const auto at = state.queues.find(queue);
      INVARIANT(at != state.queues.end() || of.next_offset == 0, "queue {} is lost", queue);
      if (at == state.queues.end()) continue;
      INVARIANT(at->second.next_offset == of.next_offset, "queue {} goes on at {} instead of {}", queue,
                at->second.next_offset, of.next_offset);
      INVARIANT(at->second.live == of.live, "queue {} has {} alive instead of {}", queue,
                at->second.live.size(), of.live.size());
    }
    for (auto& [queue, of] : state.queues)
      INVARIANT(of.live.empty() || expected.queues.contains(queue), "queue {} came back", queue);
    history.erase(behind, history.end());
    history[found] = state;
  }

  // ---- JournalVisitor
  void on_checkpoint(base::QueueId queue, base::ByteView bytes) override {
    base::ByteReader reader(bytes);
    auto& of = state.queues[queue.value];
    of.next_offset = reader.read<std::uint64_t>();
    while (!reader.at_end()) {
      const auto offset = reader.read<std::uint64_t>();
      of.live[offset] = reader.read<std::uint64_t>();
    }
  }
  void on_message(const storage::MessageMeta& meta, base::ByteView content,
                  std::span<const storage::MessagePlace> places) override {
    const auto number = static_cast<std::uint64_t>(meta.received_at_ms) / 3;
    INVARIANT(content.size() == content_of(number).size(), "message {} has {} bytes", number, content.size());
    for (const auto& place : places) {
      auto& of = state.queues[place.queue.value];
      INVARIANT(place.offset.value == of.next_offset, "queue {}: offset {} after {}", place.queue.value,
                place.offset.value, of.next_offset);
      of.live[of.next_offset++] = number;
    }
  }
  void on_event(base::QueueId queue, base::ByteView event) override {
    base::ByteReader reader(event);
    const auto first = reader.read<std::uint64_t>();
    apply_settle(queue.value, first, reader.read<std::uint64_t>());
  }

  // ---- JournalOwner
  void on_synced(storage::JournalPoint point) override { synced = point.value; }
  bool is_live(storage::MessagePlace place) const override {
    const auto queue = state.queues.find(place.queue.value);
    return queue != state.queues.end() && queue->second.live.contains(place.offset.value);
  }
  void write_checkpoint(const std::function<void(base::QueueId, base::ByteView)>& put) override {
    for (const auto& [queue, of] : state.queues) {
      base::ByteBuffer bytes;
      base::ByteWriter writer(bytes);
      writer.write(of.next_offset);
      for (const auto& [offset, number] : of.live) writer.write(offset), writer.write(number);
      put(base::QueueId{queue}, bytes);
    }
  }
  void on_offline(const base::Error&) override { offline = true; }

  const std::string directory = "data/journal/0";
  ManualClock clock;
  SeededRandom random;
  sim::SimDisk disk{std::make_unique<MemoryDisk>()};
  TestBackground background;
  TestMail mail;
  CollectingLogger logger;
  base::Shard shard{base::ShardId{0}, 1, clock, random, disk, background, mail, logger};
  storage::JournalMetrics metrics;
  storage::JournalOptions options;
  std::unique_ptr<storage::Journal> journal;
  JournalState state;
  std::map<std::uint64_t, JournalState> history;  // by the journal's end when it was so
  std::set<std::uint64_t> deleted;
  std::uint64_t synced = 0;
  bool offline = false;

 private:
  void apply_settle(std::uint64_t queue, std::uint64_t first, std::uint64_t last) {
    auto& live = state.queues[queue].live;
    live.erase(live.lower_bound(first), live.upper_bound(last));
  }
  void release_settled() {
    for (const auto& [queue, of] : state.queues) {
      std::uint64_t from = 0;
      const auto release = [&](std::uint64_t end) {
        if (end > from) journal->release(base::QueueId{queue}, base::Offset{from}, base::Offset{end - 1});
      };
      for (const auto& [offset, number] : of.live) {
        release(offset);
        from = offset + 1;
      }
      release(of.next_offset);
    }
  }
  void remember() { history[journal->end().value] = state; }
};

}  // namespace sluice::test
