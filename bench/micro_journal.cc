// SPDX-License-Identifier: Apache-2.0
// The journal's part of bench_micro: what a message costs in it, on a disk in memory (so with the copy a
// write is, without the system call), and how long a restart takes.
#include <cstdlib>
#include <memory>

#include "micro.h"
#include "sink_disk.h"
#include "storage/journal.h"
#include "support/test_shard.h"

namespace sluice::bench {
namespace {

constexpr std::uint32_t turn_messages = 100, round_turns = 20;
constexpr std::size_t body_bytes = 100;
constexpr base::QueueId queue{1};

// A queue that is alive from first_ on.
class Owner final : public storage::JournalOwner, public storage::JournalVisitor {
 public:
  void on_synced(storage::JournalPoint) override {}
  bool is_live(storage::MessagePlace place) const override { return place.offset >= first; }
  void write_checkpoint(const std::function<void(base::QueueId, base::ByteView)>& put) override {
    base::ByteBuffer state(8);
    base::store_be(state.data(), first.value);
    put(queue, state);
  }
  void on_offline(const base::Error&) override { std::abort(); }
  void on_checkpoint(base::QueueId, base::ByteView) override {}
  void on_message(const storage::MessageMeta&, base::ByteView,
                  std::span<const storage::MessagePlace> places) override {
    messages += places.size();
  }
  void on_event(base::QueueId, base::ByteView) override { ++events; }

  base::Offset first;
  std::uint64_t messages = 0, events = 0;
};

struct Bed {
  Bed(bool keeps_files, std::uint64_t file_bytes_max)
      : disk(shard.disk),
        ports{base::ShardId{0},
              1,
              shard.clock,
              shard.random,
              keeps_files ? static_cast<base::Disk&>(shard.disk) : disk,
              shard.background,
              shard.mail,
              shard.logger} {
    options.file_bytes_max = file_bytes_max;
    open();
  }
  void open() {
    journal.reset();
    auto opened = storage::Journal::open(ports, "journal", options, owner, owner);
    if (!opened) std::abort();
    journal = *std::move(opened);
  }
  void append() {
    const base::ByteView part = body;
    const storage::MessagePlace place{queue, next};
    journal->append_message({.received_at_ms = 1'700'000'000'000}, {&part, 1}, {&place, 1});
    next = next + 1;
  }
  void end_turn() {
    journal->flush(true);
    if (next.value % (turn_messages * 1000) == 0) journal->tick(0);
  }

  test::TestShard shard;
  SinkDisk disk;
  base::Shard ports;
  storage::JournalOptions options;
  Owner owner;
  std::unique_ptr<storage::Journal> journal;
  base::ByteBuffer body = body_of(body_bytes);
  base::Offset next;
};

}  // namespace

void bench_journal(std::uint64_t rounds) {
  {
    Bed bed(false, 64 << 20);
    measure("journal append, release", rounds, [&](std::uint64_t, ResultHash& hash) {
      for (std::uint32_t turn = 0; turn < round_turns; ++turn) {
        // What came in the turn before is settled one by one, as a consumer does that keeps up.
        for (std::uint32_t i = 0; i < turn_messages; ++i) {
          if (bed.owner.first < bed.next) {
            bed.journal->release(queue, bed.owner.first, bed.owner.first);
            bed.owner.first = bed.owner.first + 1;
          }
          bed.append();
        }
        bed.end_turn();
      }
      hash.add(bed.journal->end().value);
      return std::uint64_t{turn_messages} * round_turns;
    });
  }
  {
    Bed bed(false, 64 << 20);
    measure("journal append, read, release", rounds, [&](std::uint64_t, ResultHash& hash) {
      for (std::uint32_t turn = 0; turn < round_turns; ++turn) {
        const base::Offset end = bed.next;
        for (std::uint32_t i = 0; i < turn_messages; ++i) bed.append();
        bed.end_turn();
        for (auto& at = bed.owner.first; at < end; at = at + 1) {
          const auto message = bed.journal->read({queue, at});
          if (!message) std::abort();
          hash.add(message->content[7]);
          bed.journal->release(queue, at, at);
        }
      }
      return std::uint64_t{turn_messages} * round_turns;
    });
  }
  Bed bed(true, 1 << 30);  // no checkpoint in between: all of it is read again
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(rounds * 2000, 1'000'000); ++i) {
    bed.append();
    if (i % turn_messages == 0) bed.end_turn();
  }
  bed.journal->flush(true);
  measure("journal recovery", 1, [&](std::uint64_t, ResultHash& hash) {
    bed.open();
    hash.add(bed.journal->end().value);
    return bed.owner.messages;
  });
}

}  // namespace sluice::bench
