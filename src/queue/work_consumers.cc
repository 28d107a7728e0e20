// SPDX-License-Identifier: Apache-2.0
#include "queue/work_consumers.h"

#include <algorithm>

namespace sluice::queue {

base::Result<> WorkConsumers::may_add(const ConsumerOptions& options, bool single_active, bool quorum) const {
  if (options.exclusive && single_active)
    return base::fail(base::Errc::access_refused, "queue in exclusive use");
  if (quorum) return {};  // quorum queues ignore `exclusive`
  if (exclusive_ || (options.exclusive && !all_.empty()))
    return base::fail(base::Errc::access_refused, "queue in exclusive use");
  return {};
}

WorkConsumers::ActiveChange WorkConsumers::add(WorkConsumer& consumer, bool single_active, bool quorum) {
  single_active_ = single_active;
  quorum_ = quorum;
  exclusive_ = consumer.options.exclusive && !quorum;
  all_.push_back(&consumer);
  consumer.attached = true;
  return refresh(consumer);
}

WorkConsumers::ActiveChange WorkConsumers::remove(WorkConsumer& consumer) {
  if (consumer.waiting) unlink(consumer);
  consumer.attached = false;
  std::erase(all_, &consumer);
  if (all_.empty()) exclusive_ = false;
  std::erase_if(groups_, [](const Group& each) { return each.first == nullptr; });
  if (active_ != &consumer) return {};
  active_ = nullptr;
  ActiveChange change = elect();
  change.before = nullptr;  // it is gone: nobody to tell
  return change;
}

WorkConsumers::ActiveChange WorkConsumers::refresh(WorkConsumer& consumer) {
  if (!consumer.attached) return {};
  const ActiveChange change = single_active_ ? elect() : ActiveChange{};
  const bool may = may_wait(consumer);
  if (may && !consumer.waiting) link(consumer);
  if (!may && consumer.waiting) unlink(consumer);
  return change;
}

// Who is active: the first to come. Another of higher priority takes over in a quorum queue, once the active
// one has settled all it had.
WorkConsumers::ActiveChange WorkConsumers::elect() {
  WorkConsumer* best = active_;
  if (active_ == nullptr || quorum_)
    for (WorkConsumer* each : all_)
      if (best == nullptr || each->options.priority > best->options.priority) best = each;
  if (best == active_) return {};
  WorkConsumer* const before = active_;
  if (before != nullptr && before->waiting) unlink(*before);  // drains
  if (before != nullptr && !before->unacked.empty()) return {};
  active_ = best;
  if (may_wait(*best) && !best->waiting) link(*best);
  return {before, best};
}

bool WorkConsumers::may_wait(const WorkConsumer& consumer) const {
  if (!consumer.ready || !consumer.has_credit()) return false;
  if (!single_active_) return true;
  if (active_ != &consumer) return false;
  return !quorum_ || std::none_of(all_.begin(), all_.end(), [&](const WorkConsumer* each) {
    return each->options.priority > consumer.options.priority;
  });
}

WorkConsumer* WorkConsumers::next() const {
  for (const Group& each : groups_)
    if (each.first != nullptr) return each.first;
  return nullptr;
}

void WorkConsumers::rotate(WorkConsumer& consumer) {
  if (!consumer.waiting) return;
  if (!may_wait(consumer)) return unlink(consumer);
  if (consumer.before == nullptr && consumer.after == nullptr) return;
  unlink(consumer);
  link(consumer);
}

std::uint64_t WorkConsumers::credit() const {
  std::uint64_t sum = 0;
  for (const Group& each : groups_)
    for (const WorkConsumer* at = each.first; at != nullptr; at = at->after) {
      if (at->options.no_ack || at->options.prefetch == 0) return UINT64_MAX;
      sum += at->options.prefetch - at->unacked.count();
    }
  return sum;
}

WorkConsumers::Group& WorkConsumers::group(std::int32_t priority) {
  std::size_t i = 0;
  while (i < groups_.size() && groups_[i].priority > priority) ++i;
  if (i == groups_.size() || groups_[i].priority != priority)
    groups_.insert(groups_.begin() + static_cast<std::ptrdiff_t>(i), Group{priority, nullptr, nullptr});
  return groups_[i];
}

void WorkConsumers::link(WorkConsumer& consumer) {
  Group& to = group(consumer.options.priority);
  consumer.before = to.last;
  consumer.after = nullptr;
  (to.last != nullptr ? to.last->after : to.first) = &consumer;
  to.last = &consumer;
  consumer.waiting = true;
}

void WorkConsumers::unlink(WorkConsumer& consumer) {
  Group& from = group(consumer.options.priority);
  (consumer.before != nullptr ? consumer.before->after : from.first) = consumer.after;
  (consumer.after != nullptr ? consumer.after->before : from.last) = consumer.before;
  consumer.before = consumer.after = nullptr;
  consumer.waiting = false;
}

}  // namespace sluice::queue
