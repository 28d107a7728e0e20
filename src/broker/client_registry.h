// SPDX-License-Identifier: Apache-2.0
// The clients of one shard with their publishers and subscriptions, and the streams they use as this shard
// sees them. Plain bookkeeping: it finds, adds and drops; ShardBroker decides and talks.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "broker/client.h"
#include "broker/stream_consumer.h"
#include "log/confirms.h"

namespace sluice::broker {

// A stream that some client of this shard uses; dropped with its last user.
struct LocalStream {
  base::LogId log;
  base::ShardId owner;
  std::string vhost, name;
  storage::LogView view;           // newest the owner told; meaningful while there are consumers
  std::uint64_t view_version = 0;  // counts up with every change of view
  bool full = false;               // the owner asked publishers to pause
  std::vector<log::Origin> publishers;
  std::vector<StreamConsumer*> consumers;
  std::uint32_t attaching = 0;  // consumers the owner has been asked about

  bool unused() const { return publishers.empty() && consumers.empty() && attaching == 0; }
};

struct ClientState {
  Client* client = nullptr;
  bool may_publish = true;
  std::unordered_map<Token, LocalStream*> publishers;
  // Null while the owner shard has been asked and has not answered.
  std::unordered_map<Token, std::unique_ptr<StreamConsumer>> consumers;
};

class ClientRegistry {
 public:
  using Clients = std::unordered_map<std::uint64_t, ClientState>;

  ClientState& add(ClientId id, Client& client);
  ClientState* find(std::uint64_t id);
  void remove(ClientId id) { clients_.erase(id.value); }
  Clients& all() { return clients_; }
  const Clients& all() const { return clients_; }

  LocalStream* stream(base::LogId log);
  LocalStream& use_stream(base::LogId log, base::ShardId owner, std::string_view vhost,
                          std::string_view name);
  void drop_if_unused(LocalStream& stream);

  // Each takes one user off its stream, and the stream when it was the last.
  bool drop_publisher(ClientState& state, log::Origin origin);
  bool drop_consumer(ClientState& state, log::Origin origin);

 private:
  Clients clients_;
  std::unordered_map<base::LogId, std::unique_ptr<LocalStream>> streams_;
};

}  // namespace sluice::broker
