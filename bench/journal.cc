// SPDX-License-Identifier: Apache-2.0
// bench_journal DIR [MESSAGES] [BYTES] [QUEUES]: a deep backlog in a journal alone, on the real disk: fill,
// restart, drain. Prints per phase wall and CPU time per message and the memory of the process. DIR must not
// exist; it is removed at the end. Syncs run inline, one per 16 MiB.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>

#include "micro.h"
#include "runtime/disk.h"
#include "storage/journal.h"
#include "storage/journal_metrics.h"
#include "support/test_shard.h"

namespace {

using namespace sluice;

// Every queue is alive from its first offset to its next.
class Owner final : public storage::JournalOwner, public storage::JournalVisitor {
 public:
  struct Queue {
    std::uint64_t first = 0, next = 0;
  };
  void on_synced(storage::JournalPoint) override {}
  bool is_live(storage::MessagePlace place) const override {
    return place.offset.value >= queues.at(place.queue.value).first;
  }
  void write_checkpoint(const std::function<void(base::QueueId, base::ByteView)>& put) override {
    for (const auto& [id, queue] : queues) {
      base::ByteBuffer state;
      base::ByteWriter writer(state);
      writer.write(queue.first);
      writer.write(queue.next);
      put(base::QueueId{id}, state);
    }
  }
  void on_offline(const base::Error& error) override {
    fmt::print(stderr, "{}\n", error.text);
    std::exit(1);
  }
  void on_checkpoint(base::QueueId id, base::ByteView state) override {
    base::ByteReader reader(state);
    auto& queue = queues[id.value];
    queue.first = reader.read<std::uint64_t>();
    queue.next = reader.read<std::uint64_t>();
  }
  void on_message(const storage::MessageMeta&, base::ByteView,
                  std::span<const storage::MessagePlace> places) override {
    for (const auto& place : places) ++queues[place.queue.value].next;
  }
  void on_event(base::QueueId queue, base::ByteView event) override {
    queues[queue.value].first = base::load_be<std::uint64_t>(event.data());
  }

  std::map<std::uint64_t, Queue> queues;
};

double wall_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::uint64_t memory_mb() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<std::uint64_t>(::getpagesize()) >> 20;
}

class Run {
 public:
  Run(std::string directory, std::uint64_t messages, std::size_t bytes, std::uint64_t queues)
      : directory_(std::move(directory)), messages_(messages), body_(bench::body_of(bytes)), queues_(queues) {
    options_.metrics = &metrics_;
  }

  void all() {
    phase("open", 1, [&] { open(); });
    phase("fill", messages_, [&] { fill(); });
    phase("restart after a kill", messages_, [&] { open(); });
    phase("drain", messages_, [&] { drain(); });
    phase("close", 1, [&] { journal_->close(); });
    fmt::print("files {}, removed {}, checkpoints {} of {} bytes in all, disk reads {} of {} bytes\n",
               metrics_.files.get(), metrics_.removed_files.get(), metrics_.checkpoints.get(),
               metrics_.checkpoint_bytes.get(), metrics_.disk_reads.get(), metrics_.disk_read_bytes.get());
    journal_.reset();
    disk_.remove_all(directory_).value();
  }

 private:
  template <class Work>
  void phase(const char* name, std::uint64_t items, Work work) {
    const double began = wall_s(), cpu_began = bench::cpu_ns();
    work();
    fmt::print("{:<22} {:>8.2f} s  {:>8.1f} ns of CPU an item  {:>5} MB resident  {:>7} MB on disk\n", name,
               wall_s() - began, (bench::cpu_ns() - cpu_began) / static_cast<double>(items), memory_mb(),
               journal_->disk_bytes() >> 20);
    std::fflush(stdout);
  }

  void open() {
    journal_.reset();
    owner_ = std::make_unique<Owner>();
    auto opened = storage::Journal::open(shard_, directory_, options_, *owner_, *owner_);
    if (!opened) owner_->on_offline(opened.error());
    journal_ = *std::move(opened);
    for (const auto& [id, queue] : owner_->queues)
      if (queue.first > 0)
        journal_->release(base::QueueId{id}, base::Offset{0}, base::Offset{queue.first - 1});
  }

  void end_turn() {
    constexpr std::uint64_t sync_bytes = 16 << 20;
    journal_->flush(journal_->pending_bytes() > sync_bytes);
    if (++turns_ % 1000 == 0) journal_->tick(static_cast<std::int64_t>(turns_));
  }

  void fill() {
    const base::ByteView part = body_;
    for (std::uint64_t i = 0; i < messages_; ++i) {
      const base::QueueId queue{1 + i % queues_};
      const storage::MessagePlace place{queue, base::Offset{owner_->queues[queue.value].next++}};
      journal_->append_message({.received_at_ms = static_cast<std::int64_t>(i)}, {&part, 1}, {&place, 1});
      if (i % turn_messages == turn_messages - 1) end_turn();
    }
    journal_->flush(true);
  }

  void drain() {
    for (auto& [id, queue] : owner_->queues) {
      while (queue.first < queue.next) {
        const auto begin = queue.first;
        for (std::uint64_t i = 0; i < turn_messages && queue.first < queue.next; ++i, ++queue.first) {
          const auto message = journal_->read({base::QueueId{id}, base::Offset{queue.first}});
          if (!message) owner_->on_offline(message.error());
        }
        std::array<std::uint8_t, 8> event;
        base::store_be(event.data(), queue.first);
        journal_->append_event(base::QueueId{id}, event);
        journal_->release(base::QueueId{id}, base::Offset{begin}, base::Offset{queue.first - 1});
        end_turn();
      }
    }
    for (int i = 0; i < 5; ++i) journal_->flush(true), journal_->tick(0);
  }

  static constexpr std::uint64_t turn_messages = 100;
  std::string directory_;
  std::uint64_t messages_;
  base::ByteBuffer body_;
  std::uint64_t queues_, turns_ = 0;
  runtime::RealDisk disk_;
  test::TestShard ports_;
  base::Shard shard_{base::ShardId{0},  1,           ports_.clock, ports_.random, disk_,
                     ports_.background, ports_.mail, ports_.logger};
  storage::JournalMetrics metrics_;
  storage::JournalOptions options_;
  std::unique_ptr<Owner> owner_;
  std::unique_ptr<storage::Journal> journal_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, std::uint64_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
  };
  if (argc < 2 || sluice::runtime::RealDisk{}.exists(argv[1]))
    return fmt::print(stderr, "bench_journal DIR [MESSAGES] [BYTES] [QUEUES]; DIR must not exist\n"), 2;
  Run(argv[1], number(2, 1'000'000), number(3, 1024), std::max<std::uint64_t>(number(4, 1), 1)).all();
  return 0;
}
