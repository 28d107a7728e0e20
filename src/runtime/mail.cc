// SPDX-License-Identifier: Apache-2.0
#include "runtime/mail.h"

#include <algorithm>
#include <utility>

namespace sluice::runtime {

PostOffice::PostOffice(std::uint32_t shard_count) : shard_count_(shard_count) {
  for (std::uint32_t i = 0; i < shard_count * shard_count; ++i) rings_.push_back(std::make_unique<Ring>());
  for (std::uint32_t i = 0; i < shard_count; ++i) wakeups_.push_back(std::make_unique<Wakeup>());
}

PostOffice::~PostOffice() {
  for (const auto& ring : rings_) {
    MailBatch* batch = nullptr;
    while (ring->batches.pop(batch)) delete batch;
  }
}

Mailbox::Mailbox(PostOffice& office, std::uint32_t self)
    : office_(office), self_(self), outgoing_(office.shard_count()) {}

void Mailbox::send(base::ShardId to, base::Task task) {
  INVARIANT(to.value < outgoing_.size(), "mail to shard {} of {}", to.value, outgoing_.size());
  outgoing_[to.value].push_back(std::move(task));
}

bool Mailbox::receive() {
  bool ran = false;
  MailBatch own = std::exchange(outgoing_[self_], {});
  for (base::Task& task : own) task();
  ran = !own.empty();
  for (std::uint32_t from = 0; from < outgoing_.size(); ++from) {
    if (from == self_) continue;
    PostOffice::Ring& ring = office_.ring(from, self_);
    MailBatch* taken = nullptr;
    // As many as there can be now; those that arrive meanwhile have the next turn.
    for (std::size_t i = 0; i < PostOffice::ring_batches && ring.batches.pop(taken); ++i) {
      const std::unique_ptr<MailBatch> batch(taken);
      for (base::Task& task : *batch) task();
      ran = true;
    }
    if (ring.sender_waits.exchange(false)) office_.wakeup(from).wake();
  }
  return ran;
}

void Mailbox::push() {
  blocked_ = false;
  for (std::uint32_t to = 0; to < outgoing_.size(); ++to) {
    if (to == self_ || outgoing_[to].empty()) continue;
    PostOffice::Ring& ring = office_.ring(self_, to);
    auto batch = std::make_unique<MailBatch>(std::move(outgoing_[to]));
    outgoing_[to].clear();
    const std::size_t tasks = batch->size();
    bool taken = ring.batches.push(batch.get());
    if (!taken) {
      ring.sender_waits.exchange(true);
      taken =
          ring.batches.push(batch.get());  // room may have been made before the receiver could see the flag
    }
    if (taken) {
      batch.release();
      metrics_.batches_sent.add();
      metrics_.tasks_sent.add(tasks);
      office_.wakeup(to).wake();
    } else {
      outgoing_[to] = std::move(*batch);
      blocked_ = true;
      metrics_.ring_full.add();
    }
  }
}

bool Mailbox::has_incoming() const {
  if (!outgoing_[self_].empty()) return true;
  for (std::uint32_t from = 0; from < outgoing_.size(); ++from) {
    if (from != self_ && office_.ring(from, self_).batches.read_available() != 0) return true;
  }
  return false;
}

bool Mailbox::has_outgoing() const {
  return std::ranges::any_of(outgoing_, [](const MailBatch& batch) { return !batch.empty(); });
}

}  // namespace sluice::runtime
