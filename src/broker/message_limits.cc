// SPDX-License-Identifier: Apache-2.0
// The limit that the consumers of a channel share (basic.qos with global). The shard of the queues keeps it
// for its own consumers of the channel (WorkOwner); where they are on several shards, what is above the limit
// is parked here until there is room.
#include <algorithm>

#include "broker/shard_broker.h"
#include "broker/shard_messaging.h"

namespace sluice::broker {

void ShardMessaging::set_channel_prefetch(const Caller& caller, std::uint16_t number,
                                          std::uint32_t prefetch) {
  auto& client = client_of(caller);
  auto& channel = client.channel(number);
  channel.prefetch = prefetch;
  channel.unsettled = 0;
  for (const auto* source : channel.sources) {
    if (source->kind == Source::Kind::consumer) channel.unsettled += source->unsettled;
  }
  channel.unsettled -= std::min(channel.unsettled, static_cast<std::uint32_t>(channel.parked.size()));
  std::vector<base::ShardId> owners;
  for (const auto* source : channel.sources) {
    if (source->kind == Source::Kind::consumer) owners.push_back(source->owner);
  }
  std::ranges::sort(owners);
  owners.erase(std::ranges::unique(owners).begin(), owners.end());
  for (const auto owner : owners) {
    on_shard(owner, [id = caller.client.value, number, prefetch](ShardMessaging& there) {
      there.owner_.set_shared_prefetch(id, number, prefetch);
    });
  }
}

// False: the delivery is parked.
bool ShardMessaging::hand_out(Source& source, const queue::WorkDelivery& from) {
  auto& channel = *source.channel_state;
  if (channel.unsettled < channel.prefetch) return ++channel.unsettled, true;
  if (channel.parked.empty())
    channels_parked_.emplace_back(source.client->caller.client.value, source.channel);
  channel.parked.push_back({source.id, {}});
  channel.parked.back().delivery.add(source.id.value, from);
  return false;
}

void ShardMessaging::give_back_parked(const Source& source) {
  auto& parked = source.channel_state->parked;
  for (const auto& each : parked) {
    if (each.source != source.id) continue;
    each.delivery.for_each([&](std::uint64_t, const queue::WorkDelivery& from) {
      owner_settles(source, {&from.offset, 1}, queue::Settlement::requeued);
    });
  }
  std::erase_if(parked, [&](const ChannelState::Parked& each) { return each.source == source.id; });
}

void ShardMessaging::unpark() {
  for (const auto& [id, number] : std::exchange(channels_parked_, {})) {
    auto* client = clients_.find(id);
    if (!client) continue;
    const auto found = client->channels.find(number);
    if (found == client->channels.end()) continue;
    auto& channel = found->second;
    while (!channel.parked.empty() && (channel.prefetch == 0 || channel.unsettled < channel.prefetch)) {
      const auto parked = std::move(channel.parked.front());
      channel.parked.pop_front();
      auto* source = clients_.source(parked.source);
      if (!source) continue;  // its queue is gone, or it timed out
      --source->unsettled;    // counts again
      parked.delivery.for_each(
          [&](std::uint64_t, const queue::WorkDelivery& from) { static_cast<void>(deliver(*source, from)); });
    }
    if (!channel.parked.empty()) channels_parked_.emplace_back(id, number);
  }
}

}  // namespace sluice::broker
