// SPDX-License-Identifier: Apache-2.0
#include "broker/recent_history.h"

#include <algorithm>
#include <iterator>

#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"

namespace sluice::broker {

void RecentHistory::remember(const Router::Place& place, const queue::Message& message,
                             const queue::MessageMeta& meta) {
  const auto properties = message::decode_properties(message.properties);
  if (properties && properties->headers) {
    const auto no_store = properties->headers->find("x-recent-history-no-store");
    const auto* set = no_store ? no_store->as<bool>() : nullptr;
    if (set && *set) return;
  }
  auto& list = exchanges_[place.number];
  list.push_back({meta.received_at_ms,
                  meta.flags,
                  std::string(message.exchange),
                  std::string(message.routing_key),
                  {message.properties.begin(), message.properties.end()},
                  {message.body.begin(), message.body.end()}});
  bytes_ += list.back().bytes();
  while (list.size() > place.history_messages_max() || (bytes_ > bytes_max && !list.empty()))
    drop_oldest(list);
}

void RecentHistory::drop_oldest(std::deque<Kept>& list) {
  bytes_ -= list.front().bytes();
  list.pop_front();
}

void RecentHistory::collect(const Router::Place& place, std::vector<Kept>& into) const {
  const auto found = exchanges_.find(place.number);
  if (found != exchanges_.end()) into.insert(into.end(), found->second.begin(), found->second.end());
}

// Each shard tells what it has at the moment from which its own messages take the new binding: so none comes
// twice and none is left out.
void ShardMessaging::on_bound(const BindingRecord& binding) {
  const auto place = router().find(binding.vhost, binding.source);
  if (!place || (*place)->history_messages_max() == 0) return;
  std::vector<RecentHistory::Kept> kept;
  history_.collect(**place, kept);
  on_shard(base::ShardId{0}, [binding, kept = std::move(kept)](ShardMessaging& first) mutable {
    first.take_history(binding, std::move(kept));
  });
}

void ShardMessaging::take_history(const BindingRecord& binding, std::vector<RecentHistory::Kept> kept) {
  const auto key = record_key(binding);
  auto& collecting = collecting_[key];
  std::ranges::move(kept, std::back_inserter(collecting.kept));
  if (++collecting.shards < set_.shard_count()) return;
  replay_history(binding, std::move(collecting.kept));
  collecting_.erase(key);
}

void ShardMessaging::replay_history(const BindingRecord& binding, std::vector<RecentHistory::Kept> kept) {
  const auto source = router().find(binding.vhost, binding.source);
  if (!source) return;
  std::ranges::stable_sort(kept, {}, &RecentHistory::Kept::received_at_ms);
  const std::size_t wanted = (*source)->history_messages_max();
  const auto skipped = kept.size() > wanted ? kept.size() - wanted : 0;
  for (std::size_t i = skipped; i < kept.size(); ++i) {
    const auto& each = kept[i];
    const auto decoded = message::decode_properties(each.properties);
    auto meta = decoded ? meta_of(*decoded) : base::Result<queue::MessageMeta>();
    if (!decoded || !meta) continue;
    meta->flags |= each.flags;
    const queue::Message message{each.exchange, each.routing_key, each.properties, each.body};
    if (binding.to_exchange) {
      const auto further = router().find(binding.vhost, binding.destination);
      if (!further) return;
      static_cast<void>(give_internal(message, *meta, route(**further, each.routing_key, *decoded),
                                      InternalPublisher::history, 0));
    } else if (const auto queue = router().queue(binding.vhost, binding.destination)) {
      static_cast<void>(give_internal(message, *meta, {{&*queue, 1}, {}, {}}, InternalPublisher::history, 0));
    }
  }
}

}  // namespace sluice::broker
