// SPDX-License-Identifier: Apache-2.0
#include "broker/messaging_clients.h"

#include <algorithm>

#include "base/check.h"
#include "broker/news.h"

namespace sluice::broker {

std::optional<bool> ConfirmCounts::take(std::uint64_t number, bool accepted) {
  const auto at = std::ranges::lower_bound(waiting_, number, {}, &Waiting::number);
  if (at == waiting_.end() || at->number != number || at->parts == 0) return accepted;
  at->accepted = at->accepted && accepted;
  if (--at->parts > 0) return std::nullopt;
  const bool all = at->accepted;
  while (!waiting_.empty() && waiting_.front().parts == 0) waiting_.pop_front();
  return all;
}

QueueClientState& MessagingClients::add(const Caller& caller, QueueClient& events) {
  auto& state = clients_[caller.client.value];
  state = std::make_unique<QueueClientState>();
  state->caller = caller;
  state->events = &events;
  last_ = nullptr;
  return *state;
}

QueueClientState* MessagingClients::find(std::uint64_t client) {
  if (last_ && last_->caller.client.value == client) return last_;
  const auto found = clients_.find(client);
  if (found == clients_.end()) return nullptr;
  return last_ = found->second.get();
}

void MessagingClients::remove(std::uint64_t client) {
  clients_.erase(client);
  last_ = nullptr;
}

Source& MessagingClients::add_source(QueueClientState& client, std::uint16_t channel, base::QueueId queue) {
  const SourceId id{make_client_id(shard_, next_source_++)};
  auto& source = sources_[id.value] = std::make_unique<Source>();
  source->id = id;
  source->client = &client;
  source->channel = channel;
  source->queue = queue;
  source->channel_state = &client.channel(channel);
  source->channel_state->sources.push_back(source.get());
  by_queue_.emplace(queue, id);
  return *source;
}

Source* MessagingClients::source(SourceId id) {
  const auto found = sources_.find(id.value);
  return found == sources_.end() ? nullptr : found->second.get();
}

Source* MessagingClients::find_consumer(QueueClientState& client, std::uint16_t channel,
                                        std::string_view tag) {
  const auto found = client.channels.find(channel);
  if (found == client.channels.end()) return nullptr;
  for (auto* source : found->second.sources) {
    if (source->kind != Source::Kind::get && !source->cancelled && source->tag == tag) return source;
  }
  return nullptr;
}

Source* MessagingClients::find_get(QueueClientState& client, std::uint16_t channel, base::QueueId queue) {
  const auto found = client.channels.find(channel);
  if (found == client.channels.end()) return nullptr;
  for (auto* source : found->second.sources) {
    if (source->kind == Source::Kind::get && source->queue == queue) return source;
  }
  return nullptr;
}

void MessagingClients::drop_source(Source& source) {
  auto& siblings = source.channel_state->sources;
  std::erase(siblings, &source);
  std::erase(source.client->stopped, source.id);
  by_queue_.erase({source.queue, source.id});
  sources_.erase(source.id.value);
}

std::vector<SourceId> MessagingClients::sources_of(base::QueueId queue) const {
  std::vector<SourceId> ids;
  for (auto at = by_queue_.lower_bound({queue, SourceId{}}); at != by_queue_.end() && at->first == queue;
       ++at) {
    ids.push_back(at->second);
  }
  return ids;
}

}  // namespace sluice::broker
