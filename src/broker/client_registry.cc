// SPDX-License-Identifier: Apache-2.0
#include "broker/client_registry.h"

#include "base/check.h"

namespace sluice::broker {

ClientState& ClientRegistry::add(ClientId id, Client& client) {
  const auto [place, added] = clients_.try_emplace(id.value);
  INVARIANT(added, "client {} registered twice", id.value);
  place->second.client = &client;
  return place->second;
}

ClientState* ClientRegistry::find(std::uint64_t id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : &found->second;
}

LocalStream* ClientRegistry::stream(base::LogId log) {
  const auto found = streams_.find(log);
  return found == streams_.end() ? nullptr : found->second.get();
}

LocalStream& ClientRegistry::use_stream(base::LogId log, base::ShardId owner, std::string_view vhost,
                                        std::string_view name) {
  auto& place = streams_[log];
  if (!place) {
    place = std::make_unique<LocalStream>();
    place->log = log;
    place->owner = owner;
    place->vhost = vhost;
    place->name = name;
  }
  return *place;
}

void ClientRegistry::drop_if_unused(LocalStream& stream) {
  if (stream.unused()) streams_.erase(base::LogId{stream.log});
}

bool ClientRegistry::drop_publisher(ClientState& state, log::Origin origin) {
  const auto found = state.publishers.find(origin.token);
  if (found == state.publishers.end()) return false;
  auto& stream = *found->second;
  state.publishers.erase(found);
  std::erase(stream.publishers, origin);
  drop_if_unused(stream);
  return true;
}

bool ClientRegistry::drop_consumer(ClientState& state, log::Origin origin) {
  const auto found = state.consumers.find(origin.token);
  if (found == state.consumers.end()) return false;
  const auto consumer = std::move(found->second);
  state.consumers.erase(found);
  if (!consumer) return true;  // the answer on its way finds nothing to become
  auto& stream = consumer->stream();
  std::erase(stream.consumers, consumer.get());
  drop_if_unused(stream);
  return true;
}

}  // namespace sluice::broker
