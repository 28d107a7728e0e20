// SPDX-License-Identifier: Apache-2.0
// Publishers: on the owner's shard a frame goes straight into the log; from another shard it travels as one
// mail with one allocation. Confirms come back as news.
#include <fmt/format.h>

#include "base/check.h"
#include "broker/owned_entries.h"
#include "broker/shard_broker.h"

namespace sluice::broker {

std::optional<base::ShardId> ShardBroker::owner_of(std::string_view vhost, std::string_view stream) const {
  const auto* queue = catalog_.stream(vhost, stream);
  return queue ? std::optional(set_.owner_of(queue->log())) : std::nullopt;
}

base::Result<> ShardBroker::add_publisher(ClientId client, Token publisher, std::string_view vhost,
                                          std::string_view stream, std::string_view reference) {
  auto* state = clients_.find(client.value);
  INVARIANT(state && !state->publishers.contains(publisher), "publisher {} of client {}", publisher,
            client.value);
  TRY(queue, find_queue(vhost, stream));
  if (!queue->is_stream())  // the history of a queue: messages come through the queue
    return base::fail(base::Errc::stream_not_found, fmt::format("\"{:.64}\" is no stream", stream));
  const auto log = queue->log();
  if (const auto down = down_.find(log); down != down_.end()) {
    return base::fail(base::Errc::stream_unavailable,
                      fmt::format("\"{}\" is down: {}", stream, down->second));
  }
  auto& local = clients_.use_stream(log, set_.owner_of(log), vhost, stream);
  const log::Origin origin{client.value, publisher};
  local.publishers.push_back(origin);
  state->publishers.emplace(publisher, &local);
  metrics_.publishers.add();
  flow_changed_ = true;
  on_shard(local.owner, [log, origin, reference = std::string(reference)](ShardBroker& there) {
    there.owner_.add_publisher(log, origin, reference);
  });
  return {};
}

void ShardBroker::remove_publisher(ClientId client, Token publisher) {
  auto* state = clients_.find(client.value);
  if (state) drop_publisher(*state, {client.value, publisher}, true);
}

void ShardBroker::drop_publisher(ClientState& state, log::Origin origin, bool tell_owner) {
  const auto found = state.publishers.find(origin.token);
  if (found == state.publishers.end()) return;
  if (tell_owner) {
    on_shard(found->second->owner, [log = found->second->log, origin](ShardBroker& there) {
      there.owner_.remove_publisher(log, origin);
    });
  }
  clients_.drop_publisher(state, origin);
  metrics_.publishers.sub();
  flow_changed_ = true;
}

void ShardBroker::publish(ClientId client, Token publisher, std::span<const PublishEntry> entries) {
  auto* state = clients_.find(client.value);
  if (!state || entries.empty()) return;
  const auto found = state->publishers.find(publisher);
  if (found == state->publishers.end()) return;  // lost with its stream, and the client was told
  const auto& stream = *found->second;
  const log::Origin origin{client.value, publisher};
  if (stream.owner == shard_.id) return owner_.append(stream.log, origin, entries);

  OwnedEntries owned(entries);
  auto& in_flight = in_flight_[stream.owner.value];
  in_flight.bytes += owned.bytes();
  if (!in_flight.full && in_flight.bytes > in_flight_bytes_max) in_flight.full = flow_changed_ = true;
  metrics_.remote_publishes.add();
  metrics_.remote_publish_bytes.add(owned.bytes());
  on_shard(stream.owner,
           [from = shard_.id, log = stream.log, origin, owned = std::move(owned)](ShardBroker& there) {
             there.owner_.count_mailed(from, owned.bytes());
             there.owner_.append(log, origin, owned.entries());
           });
}

}  // namespace sluice::broker
