// SPDX-License-Identifier: Apache-2.0
// Random lives of a journal: publishing, settling, queues that come and go, kills and power cuts at any
// change of the disk. At every opening: the queues are what some prefix of the journal made of them, at least
// what was promised (written when the process dies, synced when the power does), and all that is alive can be
// read.
#include <catch2/catch.hpp>
#include <random>

#include "support/journal_world.h"

namespace sluice::storage {
namespace {

class Life {
 public:
  explicit Life(unsigned seed)
      : random_(seed), world_(std::make_unique<test::JournalWorld>(seed, options())) {
    world_->background.queued = below(4) != 0;
  }

  void run(int steps) {
    open();
    for (int i = 0; i < steps; ++i) {
      step();
      if (survivor_) revive();
    }
    drain();
  }

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  JournalOptions options() {
    JournalOptions made;
    made.file_bytes_max = 2000 + below(30'000);
    made.spare_files_max = below(4);
    made.tail_bytes_max = below(2) * below(20'000);
    made.compaction_slice_bytes = 200 + below(below(2) * 20'000 + 1);
    made.live_part_min = 0.2 + 0.1 * static_cast<double>(below(8));
    return made;
  }

  void open() {
    auto opened = world_->open();
    if (!opened) FAIL(opened.error().text);
    world_->check_recovered(promised_);
    world_->check_all_readable();
    REQUIRE_FALSE(world_->logger.has("damaged"));  // no index or checkpoint, either
    REQUIRE_FALSE(world_->logger.has("cannot be compacted"));
    written_ = world_->journal->end().value;
    arm();
  }

  // The process dies in the n-th change of the disk from now, or the machine does.
  void arm() {
    const bool power = below(2) == 0;
    const std::size_t keep = below(3) == 0 ? below(5000) : 0;
    // Compaction comes late in a long life.
    world_->disk.arm_kill(1 + below(below(3) == 0 ? 3000 : 400), below(1001), [this, power, keep] {
      survivor_ = world_->disk.files().copy();
      promised_ = power ? world_->synced : written_;
      if (power) survivor_->lose_power(keep);
    });
  }

  void revive() {
    world_->journal.reset();
    world_->background = {};
    world_->background.queued = below(4) != 0;
    world_->disk.replace_files(std::exchange(survivor_, nullptr));
    open();
  }

  std::uint64_t some_queue() { return 1 + below(queues_max); }

  void publish() {
    std::vector<std::uint64_t> queues;
    for (std::uint64_t i = below(4) == 0 ? 1 + below(4) : 1; i > 0; --i) {
      const auto queue = below(2) == 0 ? 1 + generation_ * 100 : some_queue() + generation_ * 100;
      if (std::ranges::find(queues, queue) == queues.end() && !world_->deleted.contains(queue))
        queues.push_back(queue);
    }
    world_->publish(number_++, queues);
  }

  void settle() {
    if (world_->state.queues.empty()) return;
    auto at = world_->state.queues.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(below(world_->state.queues.size())));
    const auto& [queue, of] = *at;
    if (of.live.empty()) return;
    auto first = of.live.begin();
    if (below(3) == 0) std::advance(first, static_cast<std::ptrdiff_t>(below(of.live.size())));
    const std::uint64_t more = below(30) == 0 ? below(300) : below(2) == 0 ? 0 : below(40);
    world_->settle(queue, first->first, first->first + more);
  }

  void read_some() {
    for (const auto& [queue, of] : world_->state.queues) {
      if (of.live.empty()) continue;
      auto at = of.live.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(below(of.live.size())));
      for (std::uint64_t i = below(20); i > 0 && at != of.live.end(); --i, ++at)
        world_->check_readable(queue, at->first, at->second);
    }
  }

  void flush() {
    const auto before = world_->journal->end().value;
    world_->journal->flush(below(2) == 0);
    if (!survivor_) written_ = before;
  }

  void step() {
    switch (below(44)) {
      case 0:
        if (below(20) == 0 && !world_->state.queues.empty()) {
          flush();  // what is not written is not part of any prefix
          world_->remove_queue(world_->state.queues.begin()->first);
          if (below(2) == 0) ++generation_;
        }
        return;
      case 1:
      case 2:
      case 40:
      case 41:
      case 42:
      case 43:
        world_->clock.advance(100);
        return world_->journal->tick(world_->clock.monotonic_ms());
      case 3:
      case 4:
      case 5:
        world_->background.run_all();
        return;
      case 6:
        return read_some();
      case 7:
        if (below(30) == 0) {
          world_->journal->close();
          if (!survivor_) {
            survivor_ = world_->disk.files().copy();
            promised_ = written_;
          }
        }
        return;
      case 8:
      case 9:
      case 10:
      case 11:
        return flush();
      default:
        for (std::uint64_t i = below(5); i > 0; --i) publish();
        for (std::uint64_t i = below(4); i > 0; --i) settle();
    }
  }

  // Everything is settled, nothing is left but the newest file.
  void drain() {
    world_->disk.arm_kill(0, 0, {});
    for (auto& [queue, of] : std::map(world_->state.queues))
      if (of.next_offset > 0) world_->settle(queue, 0, of.next_offset - 1);
    for (int i = 0; i < 12; ++i) {
      world_->journal->flush(true);
      world_->background.run_all();
      world_->journal->tick(world_->clock.monotonic_ms());
      world_->background.run_all();
      if (i == 0)  // enough for a last roll and its checkpoint
        for (std::uint64_t bytes = 0; bytes <= world_->options.file_bytes_max; bytes += 500)
          world_->journal->append_event(base::QueueId{1}, base::ByteBuffer(500));
    }
    REQUIRE(!world_->offline);
    REQUIRE(world_->metrics.files.get() <= 2);
  }

  static constexpr std::uint64_t queues_max = 6;
  std::mt19937_64 random_;
  std::unique_ptr<test::JournalWorld> world_;
  std::unique_ptr<test::MemoryDisk> survivor_;
  std::uint64_t promised_ = 0, written_ = 0, number_ = 1, generation_ = 0;
};

TEST_CASE("whatever kills a journal, what it promised is there, and what is alive can be read") {
  const unsigned seed = GENERATE(range(1u, 200u));
  INFO("seed " << seed);
  Life(seed).run(1500);
}

}  // namespace
}  // namespace sluice::storage
