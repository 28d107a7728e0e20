// SPDX-License-Identifier: Apache-2.0
// StreamView against a model: random logs (chunk sizes, values, sub-batches, segments with and without filter
// files), random plans, random starts, credits and growth; what arrives is compared with a naive filter over
// all messages.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "queue/stream_view.h"
#include "recording_sink.h"
#include "support/log_files.h"
#include "support/test_shard.h"

namespace sluice::queue {
namespace {

using filters::FilterMode;
using test::LogFiles;

struct World {
  explicit World(unsigned seed) : random(seed), files(shard.disk, "log") {}

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); }
  bool chance(std::uint32_t per_cent) { return below(100) < per_cent; }

  // A message whose application property "n" is 0..9, as AMQP 1.0 sections, with some more behind.
  std::string body() {
    const auto n = static_cast<char>(below(10));
    std::string text{"\x00\x53\x74\xC1\x06\x02\xA1\x01n\x54", 10};
    text.push_back(n);
    const std::size_t size = chance(3) ? below(3000) : below(60);
    return text + std::string("\x00\x53\x75\xA0", 4) + static_cast<char>(size % 250) +
           std::string(size % 250, 'd');
  }

  void grow(std::size_t chunks) {
    for (std::size_t i = 0; i < chunks; ++i) {
      const std::uint32_t size = chance(50) ? 1 + below(10) : 1 + below(chance(20) ? 3000 : 200);
      const std::uint32_t filtered = below(4) * 33;  // 0, 33, 66 or 99 % of the entries have a value
      const std::uint32_t sticky = below(2) * 90;    // values in rows, or mixed
      std::vector<test::TestEntry> entries(size);
      std::string value;
      for (auto& entry : entries) {
        if (!chance(sticky)) value = chance(filtered) ? "v" + std::to_string(below(below(20) + 1)) : "";
        entry.filter_value = value;
        const std::uint32_t records = sub_batches && chance(10) ? 2 + below(5) : 1;
        for (std::uint32_t r = 0; r < records; ++r) entry.bodies.push_back(body());
      }
      files.add_chunk(entries, 1000 + static_cast<std::int64_t>(files.chunks().size()));
      if (chance(15)) files.seal(!chance(20));
    }
  }

  test::TestShard shard;
  std::mt19937 random;
  LogFiles files;
  bool sub_batches = true;
};

struct Want {
  filters::FilterSpec spec;
  std::optional<int> n_below;  // the expression "n < k"

  bool by_value(const LogFiles::Message& message) const {
    if (spec.values.empty()) return true;
    if (message.filter_value.empty()) return spec.match_unfiltered;
    return std::ranges::find(spec.values, message.filter_value) != spec.values.end();
  }
  bool operator()(const LogFiles::Message& message) const {
    return by_value(message) && (!n_below || message.body[10] < *n_below);
  }
};

Want random_want(World& world) {
  Want want;
  if (!world.chance(15))
    for (std::uint32_t i = 0, n = 1 + world.below(3); i < n; ++i)
      want.spec.values.push_back("v" + std::to_string(world.below(22)));
  want.spec.match_unfiltered = world.chance(30);
  if (world.chance(40)) {
    want.n_below = static_cast<int>(world.below(11));
    want.spec.expression = "n < " + std::to_string(*want.n_below);
  }
  want.spec.mode = std::array{FilterMode::automatic, FilterMode::chunk, FilterMode::exact}[world.below(3)];
  return want;
}

// Delivers until the end of the log, growing it meanwhile.
void run(World& world, StreamView& view, RecordingSink& sink) {
  std::size_t growth = world.below(20);
  for (int calls = 0;; ++calls) {
    REQUIRE(calls < 200'000);
    const std::uint32_t credits = world.below(6);
    sink.full_at = world.chance(20) ? sink.chunks + world.below(4) : SIZE_MAX;
    const std::size_t before = sink.chunks;
    auto delivered = view.deliver(credits, sink);
    if (!delivered) FAIL(delivered.error().text);
    REQUIRE(delivered->chunks == sink.chunks - before);
    REQUIRE(delivered->chunks <= credits);
    if (delivered->stop == Stop::credit_spent) REQUIRE(delivered->chunks == credits);
    if (delivered->stop != Stop::end_of_log) continue;
    if (growth == 0) return;
    --growth;
    world.grow(world.below(3));
    view.set_view(world.files.view(world.below(5)));
  }
}

void compare(const World& world, const Want& want, std::uint64_t from, const RecordingSink& sink) {
  const auto& all = world.files.messages();
  std::set<std::size_t> chunks_with_match;
  for (const auto& message : all)
    // Whole chunks go out by what the filter value says; nobody looks at messages then.
    if (message.batch_end > from &&
        (want.spec.mode == FilterMode::chunk ? want.by_value(message) : want(message)))
      chunks_with_match.insert(message.chunk);

  std::uint64_t next = 0;
  for (const auto& message : sink.messages) {  // in order, once, right offset and body
    REQUIRE(message.offset >= next);
    next = message.offset + 1;
    REQUIRE(message.offset < all.size());
    REQUIRE(message.body == all[message.offset].body);
  }
  auto got = sink.messages.begin();
  for (const auto& message : all) {
    while (got != sink.messages.end() && got->offset < message.offset) ++got;
    const bool was_delivered = got != sink.messages.end() && got->offset == message.offset;
    INFO("offset " << message.offset << " value '" << message.filter_value << "' chunk " << message.chunk);
    if (message.offset >= from && want(message)) REQUIRE(was_delivered);
    if (!was_delivered || want(message)) {
      if (was_delivered && want.spec.mode == FilterMode::exact) REQUIRE(message.batch_end > from);
      continue;
    }
    // Not wanted but delivered: only as part of a whole chunk that has something wanted.
    REQUIRE(want.spec.mode != FilterMode::exact);
    if (from == 0) REQUIRE(chunks_with_match.contains(message.chunk));
  }
}

TEST_CASE("what arrives is exactly what a naive filter keeps") {
  const unsigned seed = GENERATE(range(1u, 40u));
  INFO("seed " << seed);
  World world(seed);
  world.sub_batches = seed % 3 != 0;
  world.grow(1 + world.below(60));
  for (int i = 0; i < 4; ++i) {
    const Want want = random_want(world);
    INFO("expression '" << want.spec.expression << "' mode " << static_cast<int>(want.spec.mode));
    auto plan = filters::make_plan(want.spec);
    REQUIRE(plan);
    auto view =
        StreamView::open(world.shard.shard, "log", world.files.view(world.below(10)), *std::move(plan));
    const std::uint64_t from =
        world.chance(50) ? 0 : world.below(static_cast<std::uint32_t>(world.files.next_offset()));
    REQUIRE(view->seek({Seek::Kind::offset, base::Offset{from}, 0}));
    RecordingSink sink;
    run(world, *view, sink);
    if (!want.spec.values.empty() || want.n_below) {
      compare(world, want, from, sink);
    } else {
      // No filter: every chunk from the one that holds `from`.
      const auto& all = world.files.messages();
      const std::uint64_t first =
          all.empty() ? 0 : world.files.chunks()[all[from].chunk].record.chunk_id.value;
      REQUIRE(sink.messages.size() == all.size() - first);
      for (std::size_t m = 0; m < sink.messages.size(); ++m)
        REQUIRE(sink.messages[m] == RecordingSink::Message{first + m, all[first + m].body});
    }
    REQUIRE(view->next_offset().value == world.files.next_offset());
  }
}

}  // namespace
}  // namespace sluice::queue
