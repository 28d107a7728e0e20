// SPDX-License-Identifier: Apache-2.0
// The state of a work queue. First byte mod 3: 0, the rest is a checkpoint; 1, an event, applied to a queue
// of some messages; 2, a life - enqueue, take, settle, requeue, put back, purge, restart - beside a model
// that keeps a list. What a restart makes of checkpoint and events is what the model has left.
#include <algorithm>
#include <map>
#include <vector>

#include "base/check.h"
#include "queue/work_state.h"

using namespace sluice;
using namespace sluice::queue;

namespace {

WorkOptions kind(std::uint8_t head) {
  WorkOptions options;
  options.quorum = head % 3 == 0;
  options.priority_max = head % 3 == 1 ? 4 : 0;
  return options;
}

void read_checkpoint(base::ByteView bytes) {
  WorkState state(kind(0));
  if (!state.recover_checkpoint(bytes)) return;
  state.finish_recovery(true);
  base::ByteBuffer again;
  state.encode_checkpoint(again);
  WorkState second(kind(0));
  INVARIANT(second.recover_checkpoint(again), "own bytes refused");
  INVARIANT(second.totals() == state.totals(), "{} ready, then {}", state.totals().ready,
            second.totals().ready);
}

void read_event(base::ByteView bytes) {
  auto event = WorkEvent::decode(bytes);
  if (!event) return;
  base::ByteBuffer again;
  event->encode(again);
  const auto second = WorkEvent::decode(again);
  INVARIANT(second && *second == *event, "not the same again");
  WorkState state(kind(0));
  for (std::uint64_t i = 0; i < 200; ++i) state.recover_message({}, base::Offset{i * 50}, 1);
  state.recover_event(*event);
  state.finish_recovery(true);
  std::uint64_t ready = 0;
  while (state.take()) ++ready;
  INVARIANT(ready <= 200, "{} of 200 ready", ready);
}

class Life {
 public:
  explicit Life(std::uint8_t head) : options_(kind(head)), state_(options_) {}

  void step(std::uint8_t what, std::uint8_t detail) {
    switch (what % 8) {
      case 0:
      case 1:
        return enqueue(detail);
      case 2:
        return take(detail);
      case 3:
        return settle(detail);
      case 4:
        return requeue(detail);
      case 5:
        if (auto* one = pick(detail)) state_.put_back(one->taken), one->place = Place::ready;
        return;
      case 6:
        if (detail % 8 == 0) purge();
        return;
      default:
        if (detail % 8 == 0) restart(detail % 16 == 0);
    }
  }
  void end() {
    restart(true);
    std::vector<std::uint64_t> left;
    while (auto taken = state_.take()) left.push_back(taken->offset.value);
    std::sort(left.begin(), left.end());
    std::vector<std::uint64_t> expected;
    for (const auto& each : model_) expected.push_back(each.first);
    INVARIANT(left == expected, "{} left, {} expected", left.size(), expected.size());
  }

 private:
  enum class Place : std::uint8_t { ready, returned, out };
  struct One {
    int priority = 0;
    bool persistent = true;
    std::uint32_t bytes = 0;
    Place place = Place::ready;
    Taken taken;
    std::uint16_t failed = 0;
  };

  void enqueue(std::uint8_t detail) {
    storage::MessageMeta meta;
    meta.has_priority = detail % 2 == 0;
    meta.priority = detail / 2 % 8;
    meta.persistent = detail % 5 != 0;
    One one;
    one.bytes = detail;
    one.persistent = options_.quorum || meta.persistent;
    one.priority = options_.quorum ? (meta.has_priority ? meta.priority : 4)
                                   : (meta.has_priority ? std::min(meta.priority, options_.priority_max) : 0);
    const auto offset = state_.enqueue(meta, one.bytes);
    journal_.push_back({true, offset, meta, one.bytes, {}});
    INVARIANT(offset.value == next_++, "offset {}", offset.value);
    model_[offset.value] = one;
  }
  void take(std::uint8_t detail) {
    auto best = model_.end();
    const auto order = [&](auto at) {
      const bool returned = options_.quorum && at->second.taken.acquired > 0;
      return std::tuple(!returned, -at->second.priority, at->first);
    };
    for (auto at = model_.begin(); at != model_.end(); ++at)
      if (at->second.place == Place::ready && (best == model_.end() || order(at) < order(best))) best = at;
    auto taken = state_.take();
    INVARIANT(taken.has_value() == (best != model_.end()), "something to take");
    if (!taken) return;
    if (!restarted_)
      INVARIANT(taken->offset.value == best->first, "{}, not {}", taken->offset.value, best->first);
    One& one = model_.at(taken->offset.value);
    if (options_.quorum) INVARIANT(taken->failed == one.failed, "failed {} times", taken->failed);
    state_.weigh(*taken, one.bytes);
    if (detail % 2 == 0) state_.note_delivered(*taken);
    one.taken = *taken;
    one.place = Place::out;
  }
  One* pick(std::uint8_t detail) {
    std::vector<One*> out;
    for (auto& [offset, one] : model_)
      if (one.place == Place::out) out.push_back(&one);
    return out.empty() ? nullptr : out[detail % out.size()];
  }
  void settle(std::uint8_t detail) {
    One* one = pick(detail);
    if (one == nullptr) return;
    WorkEvent event;
    event.settled.add(one->taken.offset);
    event.settled_bytes = state_.settle(one->taken);
    record(event);
    model_.erase(one->taken.offset.value);
  }
  void requeue(std::uint8_t detail) {
    One* one = pick(detail);
    if (one == nullptr) return;
    const bool failed = detail % 2 == 0;
    one->taken = WorkState::counted(one->taken, failed);
    one->failed = static_cast<std::uint16_t>(one->failed + failed);
    WorkEvent event;
    if (options_.quorum) event.returned.add(one->taken.offset);
    if (options_.quorum && failed) event.failed.add(one->taken.offset);
    record(event);
    state_.requeue(one->taken);
    one->place = Place::ready;
  }
  void purge() {
    std::uint64_t purged = 0;
    WorkEvent event;
    event.purge = state_.purge(purged);
    record(event);
    INVARIANT(
        std::erase_if(model_, [](const auto& each) { return each.second.place == Place::ready; }) == purged,
        "{} purged", purged);
  }

  struct Record {
    bool is_message = false;
    base::Offset offset;
    storage::MessageMeta meta;
    std::uint32_t bytes = 0;
    base::ByteBuffer event;
  };
  void record(WorkEvent& event) {
    if (event.empty()) return;
    Record made;
    event.encode(made.event);
    journal_.push_back(std::move(made));
  }
  void restart(bool with_checkpoint) {
    if (with_checkpoint) {
      checkpoint_.clear();
      state_.encode_checkpoint(checkpoint_);
      journal_.clear();
    }
    WorkState again(options_);
    if (!checkpoint_.empty()) INVARIANT(again.recover_checkpoint(checkpoint_), "own checkpoint refused");
    for (const Record& each : journal_)
      each.is_message ? again.recover_message(each.meta, each.offset, each.bytes)
                      : again.recover_event(WorkEvent::decode(each.event).value());
    again.finish_recovery(true);
    state_ = std::move(again);
    restarted_ = true;
    std::erase_if(model_, [](const auto& each) { return !each.second.persistent; });
    std::uint64_t bytes = 0;
    for (auto& [offset, one] : model_) one.place = Place::ready, bytes += one.bytes;
    INVARIANT(state_.next_offset().value == next_, "next is {}", state_.next_offset().value);
    INVARIANT(state_.totals().ready == model_.size(), "{} ready, not {}", state_.totals().ready,
              model_.size());
    INVARIANT(state_.totals().ready_bytes == bytes, "{} bytes, not {}", state_.totals().ready_bytes, bytes);
  }

  const WorkOptions options_;
  WorkState state_;
  std::map<std::uint64_t, One> model_;
  std::uint64_t next_ = 0;
  bool restarted_ = false;  // what was returned has its old place again
  base::ByteBuffer checkpoint_;
  std::vector<Record> journal_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const base::ByteView rest(data + 1, size - 1);
  if (data[0] % 3 == 0) read_checkpoint(rest);
  if (data[0] % 3 == 1) read_event(rest);
  if (data[0] % 3 != 2) return 0;
  Life life(data[1]);
  for (std::size_t i = 2; i + 1 < std::min<std::size_t>(size, 1000); i += 2) life.step(data[i], data[i + 1]);
  life.end();
  return 0;
}
