// SPDX-License-Identifier: Apache-2.0
#include "broker/catalog_draft.h"

namespace sluice::broker {

void Catalog::Draft::add_queue(QueueRecord record) {
  record.log_id = state_.next_log_id++;
  const bool stored = !is_transient(record);
  // A transient queue begins a block of ids: the store must know before a crash forgets it.
  state_stored_ |= stored || record.log_id == 1 || record.log_id % log_id_block == 0;
  state_changed_ = true;
  changes_.push_back({std::move(record), false, stored});
}

void Catalog::Draft::add_binding(BindingRecord record) {
  record.number = state_.next_binding++;
  state_changed_ = true;
  const auto* source = catalog_.exchange(record.vhost, record.source);
  record.transient = source && is_transient(*source);
  if (record.to_exchange) {
    const auto* to = catalog_.exchange(record.vhost, record.destination);
    record.transient |= to && is_transient(*to);
  } else {
    const auto* to = catalog_.queue(record.vhost, record.destination);
    record.transient |= to && is_transient(*to);
  }
  const bool stored = !record.transient;
  state_stored_ |= stored;
  changes_.push_back({std::move(record), false, stored});
}

void Catalog::Draft::remove(const QueueRecord& queue) {
  if (!note_removed(queue)) return;
  changes_.push_back({queue, true, !is_transient(queue)});
  for (const auto* binding : catalog_.bindings_to(queue.vhost, false, queue.name)) remove(*binding);
}

void Catalog::Draft::remove(const ExchangeRecord& exchange) {
  if (!note_removed(exchange)) return;
  changes_.push_back({exchange, true, !is_transient(exchange)});
  for (const auto* binding : catalog_.bindings_of(exchange.vhost, exchange.name)) remove(*binding);
  for (const auto* binding : catalog_.bindings_to(exchange.vhost, true, exchange.name)) remove(*binding);
}

void Catalog::Draft::remove(const BindingRecord& binding) {
  if (!note_removed(binding)) return;
  changes_.push_back({binding, true, !is_transient(binding)});
  remove_if_unused(binding.vhost, binding.source);
}

// Called once for each removed binding: counts instead of looking through those that are left.
void Catalog::Draft::remove_if_unused(std::string_view vhost, std::string_view exchange) {
  const auto* source = catalog_.exchange(vhost, exchange);
  if (!source || !source->auto_delete) return;
  const auto [left, is_first] = bindings_left_.try_emplace(source);
  if (is_first) left->second = catalog_.bindings_of(vhost, exchange).size();
  if (--left->second == 0) remove(*source);
}

Changes Catalog::Draft::take() {
  if (state_changed_) changes_.push_back({state_, false, state_stored_});
  return std::move(changes_);
}

}  // namespace sluice::broker
