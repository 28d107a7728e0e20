// SPDX-License-Identifier: Apache-2.0
// tests/golden/work_records.txt has the bytes of storage/FORMAT.md, "Work queues in the journal": what is on
// people's disks. Each line is what the code writes, and is read as what was written. They change with a
// version only; SLUICE_UPDATE=1 writes the file anew.
#include <fmt/format.h>

#include "queue/work_content.h"
#include "queue/work_event.h"
#include "queue/work_state.h"
#include "support/golden_file.h"

using namespace sluice;
using namespace sluice::queue;
using base::Offset;

namespace {

std::string line(std::string_view name, base::ByteView bytes) {
  std::string text(name);
  text += ' ';
  for (const auto byte : bytes) text += fmt::format("{:02X}", byte);
  return text + '\n';
}

WorkEvent turn_of_a_quorum_queue() {
  WorkEvent event;
  event.delivered_below = Offset{300};
  event.returned.add(Offset{7});
  event.failed.add(Offset{7});
  event.settled.add(Offset{0}, Offset{4});
  event.settled.add(Offset{9});
  event.settled_bytes = 1000;
  return event;
}
WorkEvent acknowledged() {
  WorkEvent event;
  event.delivered_below = Offset{1};
  event.settled.add(Offset{0});
  event.settled_bytes = 5;
  return event;
}
WorkEvent purged() {
  WorkEvent event;
  event.purge.emplace();
  event.purge->below = Offset{20'000'000};
  event.purge->kept.add(Offset{3}, Offset{5});
  event.purge->bytes_left = 42;
  return event;
}

Taken take(WorkState& state) {
  auto taken = *state.take();
  state.weigh(taken, 10);
  state.note_delivered(taken);
  return taken;
}

// One settled, one failed once, three untouched.
WorkState quorum_state() {
  WorkOptions options;
  options.quorum = true;
  WorkState state(options);
  for (int i = 0; i < 5; ++i) state.enqueue({}, 10);
  const auto first = take(state);
  state.settle(first);
  const auto second = take(state);
  state.requeue(WorkState::counted(second, true));
  return state;
}
// Three priorities, a block with holes, one message with an expiration of its own.
WorkState classic_state() {
  WorkOptions options;
  options.priority_max = 9;
  WorkState state(options);
  for (int i = 0; i < 12; ++i) {
    storage::MessageMeta meta;
    meta.has_priority = i % 3 != 0;
    meta.priority = static_cast<std::uint8_t>(i % 3);
    meta.expires_at_ms = i == 6 ? 1'000 : 0;
    state.enqueue(meta, 10);
  }
  for (int i = 0; i < 3; ++i) state.settle(take(state));
  return state;
}

std::string records() {
  std::string text;
  base::ByteBuffer bytes;
  for (auto [name, event] : {std::pair{"event-quorum-turn", turn_of_a_quorum_queue()},
                             {"event-acknowledged", acknowledged()},
                             {"event-purged", purged()}}) {
    bytes.clear();
    event.encode(bytes);
    text += line(name, bytes);
    const auto read = WorkEvent::decode(bytes);
    REQUIRE(read);
    CHECK(*read == event);
  }
  for (const auto& [name, state] :
       {std::pair{"checkpoint-quorum", quorum_state()}, {"checkpoint-classic", classic_state()}}) {
    bytes.clear();
    state.encode_checkpoint(bytes);
    text += line(name, bytes);
  }
  return text;
}

}  // namespace

TEST_CASE("events and checkpoints have the bytes they had") {
  test::compare_or_update(test::repository() / "tests/golden/work_records.txt", records());
}

TEST_CASE("a checkpoint comes back as the messages that were ready or out") {
  base::ByteBuffer bytes;
  quorum_state().encode_checkpoint(bytes);
  WorkOptions options;
  options.quorum = true;
  WorkState again(options);
  REQUIRE(again.recover_checkpoint(bytes));
  again.finish_recovery(true);
  const auto taken = again.take();
  REQUIRE(taken);
  CHECK(taken->offset == Offset{1});
  CHECK(taken->failed == 1);

  bytes.clear();
  classic_state().encode_checkpoint(bytes);
  options = {};
  options.priority_max = 9;
  WorkState other(options);
  REQUIRE(other.recover_checkpoint(bytes));
  other.finish_recovery(true);
  CHECK(other.has_expirations());
  std::string order;
  while (const auto next = other.take()) order += fmt::format("{} ", next->offset.value);
  CHECK(order == "11 1 4 7 10 0 3 6 9 ");
}
