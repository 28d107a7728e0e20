// SPDX-License-Identifier: Apache-2.0
// Random lives of a log: publishers with references, crashes, power cuts, failed and torn writes and syncs.
// After each death publishers send again what was not confirmed. At every opening: what was confirmed is
// there, once, in order, under the offset of its place.
#include <map>
#include <random>

#include "recording_listener.h"
#include "storage/entries.h"
#include "storage/log_reader.h"

namespace sluice::log {
namespace {

class Life {
 public:
  explicit Life(unsigned seed) : random_(seed), t_(random_options()) {
    t_.shard.background.queued = below(2);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    revive();
    for (std::uint32_t publisher = 1; publisher <= publishers; ++publisher) send_again(publisher);
    for (int turn = 0; turn < 3; ++turn) {
      t_.flush();
      t_.shard.clock.advance(100);  // past any linger
      t_.shard.background.run_all();
    }
    check();
    for (auto& [publisher, state] : publishers_) REQUIRE(state.confirmed == state.sent);
  }

 private:
  static constexpr std::uint32_t publishers = 3;
  struct Publisher {
    std::uint64_t sent = 0;       // highest id published in any life
    std::uint64_t confirmed = 0;  // all ids up to here
    bool resend = false;          // the log died: first what was not confirmed
  };

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  Options random_options() {
    Options options;
    options.durability = below(2) ? Durability::synced : Durability::written;
    options.chunk_bytes_max = 200 + below(2000);
    options.storage.segment_bytes_max = 2000 + below(20'000);
    options.storage.segment_chunks_max = 5 + below(50);
    options.linger_ms = below(4) == 0 ? 20 : 0;
    return options;
  }

  static std::string reference_of(std::uint32_t publisher) { return "ref-" + std::to_string(publisher); }
  static std::string body_of(std::uint32_t publisher, std::uint64_t id) {
    return std::to_string(publisher) + ":" + std::to_string(id) + std::string(id % 90, '.');
  }

  void publish(std::uint32_t publisher, std::uint64_t first, std::uint64_t last) {
    std::vector<std::string> bodies;
    for (auto id = first; id <= last; ++id) bodies.push_back(body_of(publisher, id));
    std::vector<Entry> entries;
    for (auto id = first; id <= last; ++id)
      entries.push_back({.publishing_id = id,
                         .filter_value = id % 3 ? "" : "third",
                         .body = base::as_bytes(bodies[id - first])});
    t_.log->append({1, publisher}, reference_of(publisher), entries);
  }

  void send_again(std::uint32_t publisher) {
    Publisher& state = publishers_[publisher];
    if (state.sent > state.confirmed) publish(publisher, state.confirmed + 1, state.sent);
  }

  void step() {
    switch (below(20)) {
      case 0:
        return die(false);
      case 1:
        return die(true);
      case 2:
        t_.shard.disk.fail_write(1 + below(6), below(300));
        return;
      case 3:
        if (below(3) == 0) t_.shard.disk.fail_sync(1 + below(3));
        return;
      case 4:
      case 5:
        t_.shard.background.run_all();
        return take_confirms();
      case 6:
        t_.tick();
        break;
      case 7:
      case 8:
      case 9:
      case 10:
        t_.flush();
        break;
      default: {
        const std::uint32_t publisher = 1 + below(publishers);
        Publisher& state = publishers_[publisher];
        if (state.resend || below(8) == 0) send_again(publisher);  // duplicates in the same life, too
        state.resend = false;
        const std::uint64_t first = state.sent + 1;
        state.sent += 1 + below(12);
        publish(publisher, first, state.sent);
      }
    }
    t_.shard.clock.advance(below(30));
    take_confirms();
    if (t_.log->is_offline()) die(false);
  }

  // Confirms may repeat ids (duplicates are confirmed, too), never skip one.
  void take_confirms() {
    for (auto& [token, ids] : t_.listener.committed) {
      Publisher& state = publishers_[token];
      for (auto id : ids) {
        REQUIRE(id <= state.confirmed + 1);
        state.confirmed = std::max(state.confirmed, id);
      }
      ids.clear();
    }
    t_.listener.refused.clear();
  }

  void die(bool power) {
    t_.log.reset();
    const bool queued = t_.shard.background.queued;
    t_.shard.background = {};
    t_.shard.background.queued = queued;
    if (power && t_.options.durability == Durability::synced) t_.shard.disk.lose_power(below(2) * below(500));
    revive();
    for (std::uint32_t publisher = 1; publisher <= publishers; ++publisher)
      publishers_[publisher].resend = true;
  }

  void revive() {
    t_.shard.disk.fail_write(UINT64_MAX);
    t_.shard.disk.fail_sync(0);
    t_.log.reset();
    auto opened = Log::open(t_.shard.shard, "log", t_.options, t_.listener, t_.report);
    if (!opened) FAIL(opened.error().text);
    t_.log = *std::move(opened);
    check();
  }

  void check() {
    take_confirms();
    storage::LogReader reader(t_.shard.disk, "log", t_.log->committed());
    storage::ReadAhead window;
    REQUIRE(reader.seek_offset(base::Offset{0}, window));
    std::map<std::uint32_t, std::uint64_t> last;
    std::uint64_t offset = 0;
    while (true) {
      auto place = reader.current(window);
      if (!place) FAIL(place.error().text);
      if (*place == nullptr) break;
      REQUIRE((*place)->header.chunk_id.value == offset);
      base::ByteBuffer data((*place)->header.data_bytes);
      REQUIRE(reader.read_data(0, data));
      storage::EntryCursor cursor(data);
      for (storage::EntryView entry; cursor.next(entry); ++offset) {
        const auto text = base::as_text(entry.body);
        const auto publisher = static_cast<std::uint32_t>(text[0] - '0');
        REQUIRE(text == body_of(publisher, ++last[publisher]));
      }
      reader.advance();
    }
    REQUIRE(offset == t_.log->committed().next_offset.value);
    for (const auto& [publisher, state] : publishers_) {
      REQUIRE(last[publisher] >= state.confirmed);
      REQUIRE(t_.log->sequence(reference_of(publisher)) >= state.confirmed);
    }
  }

  std::mt19937 random_;
  TestLog t_;
  std::map<std::uint32_t, Publisher> publishers_;
};

TEST_CASE("whatever kills a log, what it confirmed is there, once and in order") {
  const unsigned seed = GENERATE(range(1u, 100u));
  INFO("seed " << seed);
  Life(seed).run(250);
}

}  // namespace
}  // namespace sluice::log
