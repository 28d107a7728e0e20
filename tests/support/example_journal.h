// SPDX-License-Identifier: Apache-2.0
// The small journal of storage/FORMAT.md: a message in two queues, one in one, a settlement; closed. And an
// owner that keeps nothing, for tests that look at files.
#pragma once

#include "storage/journal.h"
#include "support/test_shard.h"

namespace sluice::test {

class PlainJournalOwner : public storage::JournalOwner, public storage::JournalVisitor {
 public:
  void on_synced(storage::JournalPoint) override {}
  bool is_live(storage::MessagePlace) const override { return true; }
  void write_checkpoint(const std::function<void(base::QueueId, base::ByteView)>& put) override {
    put(base::QueueId{5}, base::as_bytes("five"));
    put(base::QueueId{6}, base::as_bytes("six"));
  }
  void on_offline(const base::Error&) override {}
  void on_checkpoint(base::QueueId, base::ByteView) override { ++states; }
  void on_message(const storage::MessageMeta&, base::ByteView,
                  std::span<const storage::MessagePlace>) override {
    ++messages;
  }
  void on_event(base::QueueId, base::ByteView) override { ++events; }

  int states = 0, messages = 0, events = 0;
};

inline const std::string example_journal_directory = "journal/0";

inline void write_example_journal(TestShard& shard) {
  PlainJournalOwner owner;
  auto journal = storage::Journal::open(shard.shard, example_journal_directory, {}, owner, owner).value();
  using Place = storage::MessagePlace;
  const Place both[] = {{base::QueueId{5}, base::Offset{0}}, {base::QueueId{6}, base::Offset{100}}};
  const base::ByteView hello = base::as_bytes("hello"), world = base::as_bytes("world");
  journal->append_message({.received_at_ms = 1'700'000'000'000}, {&hello, 1}, both);
  const Place one{base::QueueId{5}, base::Offset{1}};
  journal->append_message({.received_at_ms = 1'700'000'000'001,
                           .expires_at_ms = 1'700'000'060'001,
                           .priority = 4,
                           .has_priority = true,
                           .persistent = false},
                          {&world, 1}, {&one, 1});
  journal->flush(true);
  journal->append_event(base::QueueId{5}, base::as_bytes("settled 0"));
  journal->release(base::QueueId{5}, base::Offset{0}, base::Offset{0});
  journal->flush(true);
  journal->close();
}

}  // namespace sluice::test
